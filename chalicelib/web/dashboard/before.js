// What was ranked before, and the collections that photographs are in.

import { ago, count, moment } from "./moments.js";
import { Rest, usePaged } from "./paged.js";
import { Photo } from "./photo.js";
import { html } from "./preact.js";
import { href } from "./router.js";

const A_PAGE = 12;
const LOOKED_AT = 100;

export function Rankings() {
  const list = usePaged("/rankings", { limit: A_PAGE });
  return html`<section class="stack">
    <h2>Rankings so far</h2>
    ${list.empty && html`<p class="small-print">None yet. Your first lies here as soon as you have dropped two photographs.</p>`}
    ${list.items.length > 0 && html`<ul class="rankings">${list.items.map((one) => html`<${Ranking} key=${one.id} ...${one} />`)}</ul>`}
    <${Rest} list=${list} label="Show older ones" />
  </section>`;
}

function Ranking({ id, name, model, state, progress, created_at: at }) {
  return html`<li>
    <a href=${href("rankings", id)}><bdi dir="auto">${name ?? "Untitled"}</bdi></a>
    <span class="small-print">${count(progress.total)} photographs${byModel(model)}</span>
    <span class="small-print" title=${moment(at)}>${ago(at)}</span>
    ${state === "pending" && html`<span class="tag">${count(progress.done)} of ${count(progress.total)}</span>`}
    ${state === "partial" && html`<span class="tag warn">some left out</span>`}
  </li>`;
}

/** The shipped models have words for ids, one's own a long one that says nothing. */
function byModel(model) {
  if (model === "general") return "";
  return model.length === 26 ? ", by a model of your own" : `, by ${model}`;
}

export function Collections() {
  const list = usePaged("/images", { limit: LOOKED_AT });
  const found = collections(list.items);
  if (list.empty) return null;
  return html`<section class="stack">
    <div class="row spread"><h2>Collections</h2><a href=${href("rank", { all: 1 })}>All photographs</a></div>
    <ul class="collections">${found.map((one) => html`<${Collection} key=${one.name} ...${one} />`)}</ul>
    <${Rest} list=${list} label="Look further back" />
  </section>`;
}

/** The collections of these images, in their order, each with the first that can be shown. */
function collections(images) {
  const byName = Map.groupBy(
    images.filter((image) => image.collection !== null),
    (image) => image.collection,
  );
  return [...byName].map(([name, own]) => ({
    name,
    cover: own.find((image) => image.urls.preview)?.urls.preview ?? null,
    newest: own[0].created_at,
  }));
}

function Collection({ name, cover, newest }) {
  return html`<li><a class="print" href=${href("rank", name)}>
    <span class="print-photo"><${Photo} url=${cover} name=${name} /></span>
    <bdi dir="auto">${name}</bdi>
    <span class="small-print" title=${moment(newest)}>${ago(newest)}</span>
  </a></li>`;
}
