// A hundred frames of a contact sheet, so many of them marked: "77 of 100" to be seen at a glance.

import { html } from "./preact.js";

const SIZE = 10; // frames in a row
const PITCH = 12;
const FRAME = [9, 8];

/** times: 0-100, how many are marked. label: what that says; the picture is one image to a screen reader. */
export function Hundred({ times, label }) {
  const frames = Array.from({ length: SIZE * SIZE }, (_, index) => index);
  return html`
    <svg class="hundred" role="img" aria-label=${label} viewBox="0 0 126 126" width="126" height="126">
      <rect class="hundred-film" width="126" height="126" rx="3" />
      ${frames.map(
        (index) => html`
        <rect key=${index} class=${index < times ? "hundred-hit" : "hundred-miss"} width=${FRAME[0]} height=${FRAME[1]} rx="1"
          x=${4.5 + (index % SIZE) * PITCH} y=${5 + Math.floor(index / SIZE) * PITCH} />`,
      )}
    </svg>`;
}
