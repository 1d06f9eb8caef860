// What is marked, at the foot of the sheet.

import { nameOf } from "./judgment.js";
import { clear, marked } from "./marking.js";
import { html } from "./preact.js";
import { href } from "./router.js";

export function Pair({ id, entries }) {
  const images = marked(id);
  const chosen = entries.filter(({ image }) => images.includes(image));
  return html`<div class="chosen-two" role="status">
    ${
      chosen.length > 0 &&
      html`<div>
      <span>${chosen.map((entry, index) => html`${index > 0 && " and "}<b>${entry.rank}.</b> <bdi dir="auto">${nameOf(entry)}</bdi>`)}</span>
      ${
        chosen.length === 2
          ? html`<a class="button primary" href=${href("compare", id, chosen[0].image, chosen[1].image)}>Compare</a>`
          : html`<span class="hint">Mark another one to compare.</span>`
      }
      <button type="button" class="button quiet" onClick=${() => clear(id)}>Clear</button>
    </div>`
    }
  </div>`;
}
