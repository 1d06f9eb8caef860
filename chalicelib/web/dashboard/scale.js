// The 80 % interval on the scale from 0 to 100 that all photos share, with a mark where the score is.

import { html } from "./preact.js";

/** entries: one, or several on one scale. What it shows is said in words beside it. */
export function Scale({ entries }) {
  return html`<div class="scale" aria-hidden="true">
    ${entries.map(
      ({ image, score, interval }, index) => html`<span key=${image} class=${`of of-${index + 1}`}>
      <i class="range" style=${{ left: `${interval[0]}%`, width: `${interval[1] - interval[0]}%` }}></i>
      <i class="at" style=${{ left: `${score}%` }}></i>
    </span>`,
    )}
  </div>`;
}
