// An image's numbers: some on scales with words at their ends, all of them in tables.

import { measures } from "./measures.js";
import { html } from "./preact.js";

const GROUPS = {
  quality: "Light and sharpness",
  color: "Color",
  composition: "Composition",
  content: "Content",
  faces: "Faces",
};

export function Measured({ image }) {
  return html`<section class="stack">
    <h3>What was measured</h3>
    <dl class="gauges">
      ${measures(image).map(
        ({ title, low, high, share }) => html`<div key=${title}>
        <dt>${title}</dt><dd><${Dots} low=${low} high=${high} shares=${[share]} /></dd>
      </div>`,
      )}
    </dl>
    <div>${Object.entries(image.properties).map(([group, values]) => html`<${Table} key=${group} title=${GROUPS[group] ?? group} values=${values} />`)}</div>
  </section>`;
}

/** shares: one dot for each, from 0, at `low`, to 1, at `high`. */
export function Dots({ low, high, shares }) {
  const said = shares.map((share) => `${Math.round(share * 100)} %`).join(" and ");
  return html`<span class="visually-hidden">${said} of the way from ${low} to ${high}</span>
    <span class="dots" aria-hidden="true"><small>${low}</small><span>
      ${shares.map((share, index) => html`<i key=${index} class=${`of-${index + 1}`} style=${{ left: `${share * 100}%` }}></i>`)}
    </span><small>${high}</small></span>`;
}

function Table({ title, values }) {
  const numbers = Object.entries(values).filter(([, value]) => Number.isFinite(value));
  if (numbers.length === 0) return null;
  return html`<details class="numbers">
    <summary>${title} <small>${numbers.length}</small></summary>
    <table>
      <caption class="visually-hidden">${title}</caption>
      <tbody>${numbers.map(
        ([name, value]) => html`<tr key=${name}>
        <th scope="row">${name.replaceAll("_", " ")}</th><td class="number">${Number(value.toPrecision(3))}</td>
      </tr>`,
      )}</tbody>
    </table>
  </details>`;
}
