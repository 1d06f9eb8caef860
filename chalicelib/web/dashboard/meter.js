// How far something has come.

import { html } from "./preact.js";

/** value of most (null: not yet known). tone: "good", "warn", "bad" or nothing. Never shows more than `value`. */
export function Meter({ value, most, label, tone = "" }) {
  const known = Number.isFinite(most) && most > 0;
  const share = known ? Math.min(Math.max(value / most, 0), 1) : 0;
  const aria = known
    ? { "aria-valuenow": Math.min(value, most), "aria-valuemin": 0, "aria-valuemax": most }
    : {};
  return html`<div class=${`meter ${tone} ${known ? "" : "unknown"}`} role="progressbar" aria-label=${label} ...${aria}>
    <span style=${{ width: `${Math.floor(share * 1000) / 10}%` }}></span>
  </div>`;
}
