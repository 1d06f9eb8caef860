// What lies on the light table at the way in: three strips of film, and one frame that somebody has chosen.

import { html } from "./preact.js";

// Pictures of 60 x 40 in tones of gray: [background, then shapes as [tone, path]].
const PICTURES = [
  ["#b9b4aa", ["#e9e4da", "M40 12a6 6 0 1 0 .1 0"], ["#5d5952", "M0 40V28l14-9 10 7 12-11 24 17v8"]],
  ["#d8d3c8", ["#8d877c", "M0 40V24h60v16"], ["#5d5952", "M34 24l-4-13-4 13m5 0h8l-5-9"]],
  ["#7d786f", ["#d8d3c8", "M30 9a7 7 0 1 0 .1 0"], ["#b9b4aa", "M14 40c0-9 7-14 16-14s16 5 16 14"]],
  ["#e3ded3", ["#77726a", "M0 40l26-22h8l26 22"], ["#e3ded3", "M29 40l1-19h1l3 19"]],
  ["#8d877c", ["#e9e4da", "M12 40V17h10v23m4 0V9h13v31m4 0V21h8v19"]],
  ["#cfc9bd", ["#6a655d", "M30 22a11 9 0 1 0-.1 0m-2-2h4v20h-4"]],
  ["#5d5952", ["#e9e4da", "M44 8a8 8 0 1 0 6 13a9 9 0 0 1-6-13"], ["#3f3c38", "M0 40v-8l20-6 18 5 22-4v13"]],
  [
    "#d8d3c8",
    ["#b0a99d", "M0 40V20c10-5 20 5 30 0s20-5 30 0v20"],
    ["#837d73", "M0 40v-9c10-5 20 5 30 0s20-5 30 0v9"],
  ],
  [
    "#a59f94",
    ["#5d5952", "M18 15h20v14a8 8 0 0 1-8 8h-4a8 8 0 0 1-8-8m20-11c9-2 9 11 0 10"],
    ["#e9e4da", "M18 15h20v3H18"],
  ],
  ["#e9e4da", ["#6a655d", "M30 34c-12-5-14-15-8-27 13 5 17 15 8 27m0 0l1 6h-2z"]],
  ["#77726a", ["#cfc9bd", "M10 6h18v28H10m22-28h18v28H32"], ["#a59f94", "M10 22h18v12H10m22-12h18v12H32"]],
  ["#c5bfb3", ["#4b4843", "M8 18c7-6 13-4 16 2 4-6 10-8 17-3-8 0-13 4-17 9-3-6-8-9-16-8"]],
];
const TURNS = [-1.2, 0.6, -0.4]; // degrees: nobody lays them down straight

/** Decoration: nothing that a screen reader should read. */
export function ContactSheet() {
  return html`<svg class="contact-sheet" viewBox="0 0 300 252" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
    ${TURNS.map((turn, row) => html`<${Strip} row=${row} turn=${turn} />`)}
    <path class="ring" pathLength="1" d="M184 95c-26-4-42 9-42 31-1 21 15 35 40 35 27 1 43-14 42-36-1-21-19-33-47-29" />
    <path class="ring tick" pathLength="1" d="M33 219l6 8 15-21" />
  </svg>`;
}

function Strip({ row, turn }) {
  const frames = PICTURES.slice(row * 4, row * 4 + 4);
  return html`<g transform=${`translate(12 ${8 + row * 82}) rotate(${turn} 138 36)`}>
    <rect class="film" width="276" height="72" rx="1" />
    <path class="holes" d="M5 6h268M5 66h268" />
    ${frames.map((picture, index) => html`<${Frame} picture=${picture} number=${row * 4 + index} x=${8 + index * 66} />`)}
  </g>`;
}

function Frame({ picture: [ground, ...shapes], number, x }) {
  return html`<g transform=${`translate(${x} 16)`}>
    <rect width="60" height="40" fill=${ground} />
    ${shapes.map(([tone, path]) => html`<path d=${path} fill=${tone} />`)}
    <text x="2" y="-2.500">${number + 1}</text><text x="33" y="-2.500">${number + 1}A</text>
  </g>`;
}
