// What was ranked before, and the collections that photographs are in.

import { get } from "./api.js";
import { ago, count, moment } from "./moments.js";
import { Photo } from "./photo.js";
import { html, useEffect, useState } from "./preact.js";
import { href } from "./router.js";
import { Failure, Loading } from "./states.js";

const A_PAGE = 12;
const LOOKED_AT = 100;

/** A list that grows page by page. -> { items, more: a function, or null at the end, loading, error }. */
function usePages(path, limit) {
  const [pages, setPages] = useState({ items: [], next: undefined, loading: true, error: null });
  const read = async (cursor, signal) => {
    setPages((before) => ({ ...before, loading: true, error: null }));
    try {
      const { items, next } = await get(path, { limit, cursor }, { signal });
      setPages((before) => ({ items: [...before.items, ...items], next, loading: false, error: null }));
    } catch (error) {
      if (!signal?.aborted) setPages((before) => ({ ...before, loading: false, error }));
    }
  };
  useEffect(() => {
    const over = new AbortController();
    read(undefined, over.signal);
    return () => over.abort();
  }, [path]);
  return { ...pages, more: pages.next === null ? null : () => read(pages.next) };
}

/** What stands under a list: that it is being read, that it failed, or the way to more. */
function Rest({ list, label }) {
  if (list.loading) return html`<${Loading} />`;
  if (list.error) return html`<${Failure} error=${list.error} again=${list.more} />`;
  if (!list.more) return null;
  return html`<button type="button" class="button quiet" onClick=${list.more}>${label}</button>`;
}

export function Rankings() {
  const list = usePages("/rankings", A_PAGE);
  const none = !list.loading && !list.error && list.items.length === 0;
  return html`<section class="stack">
    <h2>Rankings so far</h2>
    ${none && html`<p class="small-print">None yet. Your first lies here as soon as you have dropped two photographs.</p>`}
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
  const list = usePages("/images", LOOKED_AT);
  const found = collections(list.items);
  if (list.items.length === 0 && !list.loading && !list.error) return null;
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
