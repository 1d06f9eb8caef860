// The mark: three frames of a contact sheet, one of them ringed in grease pencil.

import { html } from "./preact.js";

const FRAMES = [3, 15, 27];
const HOLES = Array.from({ length: 9 }, (_, index) => 3 + index * 4.2);

export function Mark({ size = 40 }) {
  const holes = (y) =>
    HOLES.map((x) => html`<rect class="hole" x=${x} y=${y} width="2.200" height="1.500" rx=".4" />`);
  return html`<svg class="mark" viewBox="0 0 42 24" width=${size} height=${(size * 24) / 42} aria-hidden="true">
    <rect class="film" x=".5" y="2.500" width="41" height="19" rx="1.500" />
    ${holes(4)}${holes(18.5)}
    ${FRAMES.map((x) => html`<rect class="frame" x=${x} y="7" width="11" height="10" />`)}
    <path class="ring" d="M22.500 3.900c-5.600-1.300-9.400 3.300-9 8.300.4 5.300 4 9.300 8 8.900 4.800-.5 7.200-5.200 6.700-10.300-.4-4.200-3.500-7.400-8.200-6.400" />
  </svg>`;
}
