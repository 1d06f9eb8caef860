// What one does with a sheet, and how large its frames are.

import { del } from "./api.js";
import { confirm } from "./dialog.js";
import { say, warn } from "./notices.js";
import { html, signal, useState } from "./preact.js";
import { final } from "./proofs.js";
import { Reranking } from "./reranking.js";
import { go, useHere } from "./router.js";
import { Sharing } from "./sharing.js";
import { download } from "./spreadsheet.js";
import { keep, recall } from "./storage.js";

const KEPT = "proofsheet:density";
const SIZES = { small: "S", medium: "M", large: "L" };

export const density = signal(Object.hasOwn(SIZES, recall(KEPT) ?? "") ? recall(KEPT) : "medium");

export function Densities() {
  const choose = (size) => {
    density.value = size;
    keep(KEPT, size);
  };
  return html`<fieldset class="densities">
    <legend class="visually-hidden">Size of the frames</legend>
    ${Object.entries(SIZES).map(
      ([size, letter]) => html`<label key=${size}>
      <input type="radio" name="density" checked=${density.value === size} onChange=${() => choose(size)} />
      <span aria-hidden="true">${letter}</span><span class="visually-hidden">${size}</span>
    </label>`,
    )}
  </fieldset>`;
}

export function Tools({ ranking }) {
  const [open, setOpen] = useState(null);
  const close = () => setOpen(null);
  const waits = !final(ranking);
  const here = useHere();
  return html`<div class="row tools">
    <button type="button" class="button" onClick=${() => setOpen("sharing")}>Share</button>
    <button type="button" class="button" disabled=${waits} onClick=${() => setOpen("reranking")}>Rank again</button>
    <button type="button" class="button" disabled=${waits} onClick=${() => download(ranking)}><span class="roomy">Download </span>CSV</button>
    <button type="button" class="button quiet" onClick=${() => remove(ranking, here)}>Delete</button>
    <${Sharing} open=${open === "sharing"} ranking=${ranking} onClose=${close} />
    <${Reranking} open=${open === "reranking"} ranking=${ranking} onClose=${close} />
  </div>`;
}

async function remove({ id }, here) {
  const text = "The order, the scores and all links to this sheet go. The photos stay.";
  if (!(await confirm(text, "Delete this sheet"))) return;
  try {
    await del(`/rankings/${id}`);
    say("The sheet is deleted.");
    if (here.current) go("rank");
  } catch (error) {
    warn(error.message);
  }
}
