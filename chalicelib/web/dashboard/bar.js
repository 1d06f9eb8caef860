// The bar of a campaign: one stripe for each state of its messages, as long as what is confirmed and no longer.

import { count } from "./moments.js";
import { html } from "./preact.js";
import { done, inWords, segments, share } from "./tally.js";

/** While the total is not final, there is room at its end for what is not counted yet. */
export function Bar({ progress, label, small = false }) {
  const known = progress.total_is_final;
  const now = known ? { "aria-valuenow": done(progress), "aria-valuemax": progress.total || 1 } : {};
  return html`<div class=${`bar ${small ? "small" : ""} ${known ? "" : "counting"}`} role="progressbar"
    aria-label=${label} aria-valuemin="0" ...${now} aria-valuetext=${inWords(progress)}>
    ${stripes(progress).map(
      ({ name, number }) =>
        html`<span key=${name} class=${`stripe ${name}`} style=${{ flexGrow: number }}></span>`,
    )}
    ${!known && html`<span class="uncounted"></span>`}
  </div>`;
}

/** What is waiting is the empty rest. */
function stripes(progress) {
  return segments(progress).filter(({ number }) => number > 0);
}

/** The stripes in numbers. onShow gets the state whose messages are to be listed. */
export function Legend({ progress, shown, onShow }) {
  const counted = segments(progress).filter(
    ({ name, number }) => number > 0 || name === "sent" || name === "failed",
  );
  return html`<ul class="legend">
    ${counted.map(
      (each) => html`<li key=${each.name}>
        <button type="button" class="legend-entry" aria-pressed=${shown === each.name} title=${each.means}
          disabled=${!each.number} onClick=${() => onShow(each.name)}>
          <span class=${`swatch stripe ${each.name}`} aria-hidden="true"></span>
          <span class="legend-word">${each.word}</span>
          <span class="legend-number">${count(each.number)}</span>
          <span class="legend-share">${progress.total_is_final ? share(each.number, each.percent) : "so far"}</span>
        </button>
      </li>`,
    )}
  </ul>`;
}
