// One photo under the loupe: large, with all that is known of it.

import { Copy } from "./copy.js";
import { Delivering } from "./delivering.js";
import { useDetails } from "./details.js";
import { Dialog } from "./dialog.js";
import { Reasons } from "./frame.js";
import { nameOf, points, spoken, unusual } from "./judgment.js";
import { LargePicture } from "./largepicture.js";
import { Measured } from "./measured.js";
import { ago, count } from "./moments.js";
import { html, useEffect } from "./preact.js";
import { Scale } from "./scale.js";

/** entries: those that the arrow keys go through. onMove(entry): another one shall be shown. onGone: as of a frame. */
export function Loupe({ entry, entries, own, onMove, onClose, onGone }) {
  const image = useDetails(entry.image, own && entry.image !== null && entry.name !== null);
  const at = entries.findIndex(({ image: id }) => id === entry.image);
  useArrows(entries[at - 1], entries[at + 1], onMove);
  const name = html`${entry.rank}. <bdi dir="auto">${nameOf(entry)}</bdi>`;
  return html`<${Dialog} title=${name} open onClose=${onClose} className="loupe">
    <div class="under">
      <div class="plate">
        <${LargePicture} entry=${entry} own=${own} onGone=${onGone} />
        <p class="row spread">
          <${Step} to=${entries[at - 1]} onMove=${onMove}>← Better<//>
          <${Step} to=${entries[at + 1]} onMove=${onMove}>Next →<//>
        </p>
      </div>
      <div class="notes stack">
        ${entry.score === null ? html`<p class="error" dir="auto">${entry.reason}</p>` : html`<${Judged} entry=${entry} />`}
        ${image && html`<${Facts} image=${image} />`}
        ${entry.similar.length > 0 && html`<${Similar} similar=${entry.similar} own=${own} />`}
        ${image?.state === "ready" && html`<${Colors} palette=${image.palette} /><${Measured} image=${image} />`}
        ${image?.state === "ready" && html`<section class="stack"><h3>Put it on a page</h3><${Delivering} image=${image.id} /></section>`}
      </div>
    </div>
  <//>`;
}

function useArrows(before, after, onMove) {
  useEffect(() => {
    const pressed = (event) => {
      const to = { ArrowLeft: before, ArrowRight: after }[event.key];
      if (to && !event.target.closest("input, select, textarea")) onMove(to);
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  });
}

function Step({ to, onMove, children }) {
  return html`<button type="button" class="button quiet" disabled=${!to} onClick=${() => onMove(to)}>${children}</button>`;
}

function Judged({ entry }) {
  const warning = unusual(entry);
  return html`<section class="judged">
    <p class="score"><b>${points(entry.score)}</b> <span>of 100; ${spoken(entry).split(", ")[1]} in 4 of 5 cases</span></p>
    <${Scale} entries=${[entry]} />
    ${warning && html`<p class="warning">${warning}</p>`}
    <${Reasons} reasons=${entry.reasons} />
  </section>`;
}

function Facts({ image }) {
  const { width, height, bytes, format, labels, collection, created_at: created } = image;
  const labeled = labels
    .map(({ name, probability }) => `${name} ${Math.round(probability * 100)} %`)
    .join(", ");
  const facts = [
    [
      "Size",
      width &&
        `${count(width)} × ${count(height)}, ${format.toUpperCase()}, ${count(Math.ceil(bytes / 1000))} kB`,
    ],
    ["Shows", labeled],
    ["Collection", collection],
    ["Uploaded", ago(created)],
  ];
  return html`<dl class="filefacts">
    ${facts.filter(([, value]) => value).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd dir="auto">${value}</dd></div>`)}
  </dl>`;
}

function Colors({ palette }) {
  return html`<section class="stack">
    <h3>Colors</h3>
    <ul class="colors" role="list">
      ${palette.map(
        ({ hex, share }) => html`<li key=${hex}>
        <i style=${{ background: hex }}></i><${Copy} text=${hex} label=${hex} className="quiet mono" />
        <small>${Math.round(share * 100)} %</small>
      </li>`,
      )}
    </ul>
  </section>`;
}

function Similar({ similar, own }) {
  return html`<section class="stack">
    <h3>Your posts that look most like it</h3>
    <ul class="similar" role="list">
      ${similar.map((post) => html`<${Post} key=${post.image} post=${post} own=${own} />`)}
    </ul>
  </section>`;
}

function Post({ post, own }) {
  const image = useDetails(post.image, own);
  return html`<li>
    ${image?.urls.preview && html`<img src=${image.urls.preview} alt=${image.name} />`}
    <span>${post.engagement.toLocaleString(undefined, { maximumSignificantDigits: 3 })}</span>
  </li>`;
}
