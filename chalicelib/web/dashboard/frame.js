// One frame of the sheet: edge print, picture, and what is predicted of it.

import { useDetails, useSeen } from "./details.js";
import { alike, cases, effect, nameOf, points, spoken, unusual } from "./judgment.js";
import { html, useRef } from "./preact.js";
import { Scale } from "./scale.js";

/**
 * below: the entry of the next rank, if that one has a score. current: whether Tab leads here. marked: whether it has a
 * ring. own: whether the photo is the person's. detailed: whether there is room for palette and labels.
 */
export function Frame({ entry, below, current, marked, own, detailed, onOpen, onMark, onGone }) {
  const ref = useRef(null);
  const failed = entry.score === null;
  const seen = useSeen(ref, own && detailed && !failed);
  const image = useDetails(entry.image, seen);
  const kind = failed ? "spoiled" : `known-${entry.domain}`;
  return html`<li ref=${ref} class=${`shot ${kind} ${marked ? "ringed" : ""}`}>
    <${EdgePrint} entry=${entry} />
    <${Exposure} ...${{ entry, current, marked, onOpen, onMark, onGone }} />
    ${failed ? html`<p class="why" dir="auto">${entry.reason}</p>` : html`<${Reading} entry=${entry} below=${below} />`}
    ${detailed && !failed && own && html`<${Developed} image=${image} />`}
  </li>`;
}

function EdgePrint({ entry }) {
  const name = nameOf(entry);
  return html`<div class="edgeprint">
    <h2>
      <span class="no">${entry.rank}<span class="visually-hidden">. </span></span>
      <bdi class="name" dir="auto" title=${name}>${name}</bdi><span class="visually-hidden">, ${spoken(entry)}</span>
    </h2>
    <span class="half" aria-hidden="true">${entry.rank}A</span>
  </div>`;
}

function Exposure({ entry, current, marked, onOpen, onMark, onGone }) {
  const name = nameOf(entry);
  const tabindex = current ? 0 : -1;
  return html`<div class="exposure">
    <button type="button" class="look" data-image=${entry.image} tabindex=${tabindex} onClick=${() => onOpen(entry)}
      aria-label=${`Look at ${entry.rank}. ${name}`}>
      <${Picture} url=${entry.urls.preview} onGone=${onGone} />
    </button>
    ${marked && html`<${Ring} />`}
    ${
      entry.score !== null &&
      html`<button type="button" class="pick" tabindex=${tabindex} aria-pressed=${marked}
      aria-label=${`Mark ${entry.rank}. ${name} to compare`} title="Mark to compare" onClick=${() => onMark(entry)}>
      <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true"><path d=${STROKE} transform="scale(0.24)" /></svg>
    </button>`
    }
  </div>`;
}

/** url: null for a frame that nothing is to be seen of. onGone: its address is over. */
export function Picture({ url, onGone, alt = "" }) {
  if (url === null) return html`<span class="unexposed" aria-hidden="true"></span>`;
  return html`<img src=${url} alt=${alt} loading="lazy" decoding="async" draggable=${false} onError=${onGone} />`;
}

// A ring as a hand draws it, which never quite meets its beginning.
const STROKE = "M58 7C34 3 9 20 6 47c-3 28 19 47 46 47 26 0 43-20 42-47C93 22 70 5 40 11";

function Ring() {
  return html`<svg class="ring" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
    <path d=${STROKE} pathLength="1" />
  </svg>`;
}

function Reading({ entry, below }) {
  const warning = unusual(entry);
  return html`<div class="reading">
    <p class="score" aria-hidden="true">
      <b>${points(entry.score)}</b> <span>${points(entry.interval[0])} to ${points(entry.interval[1])}</span>
    </p>
    <${Scale} entries=${[entry]} />
    ${below && html`<${Chance} entry=${entry} below=${below} />`}
    ${warning && html`<p class="warning">${warning}</p>`}
    <${Reasons} reasons=${entry.reasons} />
  </div>`;
}

function Chance({ entry, below }) {
  const chance = entry.beats_next;
  if (alike(entry, below, chance)) {
    return html`<p class="chance">As good as equal to the next <small>${chance.toFixed(2)}</small></p>`;
  }
  return html`<p class="chance">Beats the next ${cases(chance)} <small>${chance.toFixed(2)}</small></p>`;
}

/** What speaks for and against it, each with its effect in points of the score. */
export function Reasons({ reasons }) {
  if (reasons.length === 0) return null;
  return html`<ul class="reasons" role="list" aria-label="Reasons">
    ${reasons.map(
      ({ property, text, effect: value }) => html`<li key=${property} class=${value < 0 ? "lowers" : "lifts"}>
      <span class="effect">${effect(value)}</span> <span>${text}</span>
    </li>`,
    )}
  </ul>`;
}

/** Its place is kept until it is there, so that nothing moves. */
function Developed({ image }) {
  const palette = image?.palette ?? [];
  return html`<div class="developed">
    <div class="palette" role="img" aria-label=${palette.length > 0 ? `Colors: ${palette.map(({ hex }) => hex).join(", ")}` : "Colors"}>
      ${palette.map(({ hex, share }) => html`<i key=${hex} title=${hex} style=${{ background: hex, flexGrow: Math.ceil(share * 100) }}></i>`)}
    </div>
    <p class="labels">${image?.labels
      .slice(0, 3)
      .map(({ name }) => name)
      .join(" · ")}</p>
  </div>`;
}

/** The place of a photo that is still in the bath. */
export function Undeveloped({ number }) {
  return html`<li class="shot undeveloped" aria-hidden="true">
    <div class="edgeprint"><span class="no">${number}</span><span class="half">${number}A</span></div>
    <div class="exposure"><span class="unexposed"></span></div>
  </li>`;
}
