// A frame on a strip of film: a photograph between its perforations, with the print at its edge.

import { html } from "./preact.js";

const EDGES = 92; // px of a frame that are not photograph: perforations, print, the gap to the next strip

/** For the grid: the least width of a frame, and its height by its width. */
export const LEAST = 156;
export const height = (width) => Math.round(((width - 12) * 2) / 3) + EDGES;

/**
 * index: its place on the film, from 0. state: what the style goes by. note: what is to be said of it, if anything.
 * photo: what is in the frame. children: buttons, which lie over it.
 */
export function Frame({ index, name, state, note, photo, children }) {
  return html`<div class=${`roll-frame ${state}`}>
    <div class="roll-photo">${photo}${children}</div>
    <div class="roll-print">
      <span aria-hidden="true">${index + 1}</span>
      <bdi title=${name}>${name}</bdi>
    </div>
    <div class="roll-note" title=${note}>${note}</div>
  </div>`;
}

/** A grease pencil's ring around what was picked. */
export function Ring() {
  return html`<svg class="roll-ring" viewBox="0 0 120 80" preserveAspectRatio="none" aria-hidden="true">
    <path d="M24 11C52 1 98 5 111 27c11 20-10 44-51 46C26 75 3 61 6 38 9 18 34 5 71 7c9 .500 17 2 24 5" />
  </svg>`;
}
