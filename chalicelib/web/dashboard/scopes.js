// Whose counts are shown: everything, a ranking, a collection or an image, and the way from one to another.

import { get } from "./api.js";
import { SelectField } from "./field.js";
import { moment } from "./moments.js";
import { html, useEffect, useState } from "./preact.js";
import { go, href } from "./router.js";
import { Named } from "./states.js";

const NEWEST = 100;
const SHOWN = 24;

/** kind, id: what is shown now; query: of the address, which goes along. */
export function ScopeField({ kind, id, query }) {
  const found = useFetched(known, []);
  const options = [["", "Everything"], ...(found ?? [])];
  const value = kind ? key(kind, id) : "";
  if (kind && !options.some(([each]) => each === value)) options.push([value, `This ${kind}`]);
  const choose = (chosen) => go("track", ...(chosen ? JSON.parse(chosen) : []), Object.fromEntries(query));
  return html`<${SelectField} label="Counts of" options=${options} value=${value} onChange=${choose} />`;
}

function key(kind, id) {
  return JSON.stringify([kind, id]);
}

/** The newest rankings, and the collections of the newest images, as options. */
async function known() {
  const [rankings, images] = await Promise.all([
    get("/rankings", { limit: NEWEST }),
    get("/images", { limit: NEWEST }),
  ]);
  const collections = [...new Set(images.items.map(({ collection }) => collection).filter(Boolean))].sort();
  return [
    ...collections.map((name) => [key("collection", name), `Collection ${name}`]),
    ...rankings.items.map((each) => [
      key("ranking", each.id),
      `Ranking ${each.name ?? `of ${moment(each.created_at)}`}`,
    ]),
  ];
}

/** The pictures of a scope, each a way to its own counts. Of an image the picture itself. */
export function Pictures({ kind, id }) {
  const found = useFetched(() => PICTURES[kind ?? "all"](id), [kind, id]);
  if (!found?.length) return null;
  return html`<section class="stack" aria-label="Pictures">
    <h2>${kind === "image" ? "The picture" : "Picture by picture"}</h2>
    <ul class="tracked-pictures">${found.map(
      ({ image, name, preview }) => html`
      <li key=${image}><a href=${href("track", "image", image)} aria-current=${kind === "image" ? "page" : undefined}>
        ${preview && html`<img src=${preview} alt="" loading="lazy" />`}
        <span><${Named}>${name}<//></span></a></li>`,
    )}</ul>
  </section>`;
}

const PICTURES = {
  all: () => listed({ state: "ready" }),
  collection: (collection) => listed({ collection, state: "ready" }),
  image: async (id) => [pictured(await get(`/images/${encodeURIComponent(id)}`))],
  ranking: async (id) =>
    (await get(`/rankings/${encodeURIComponent(id)}`)).entries
      .filter((each) => each.image)
      .slice(0, SHOWN)
      .map(({ image, name, rank, urls }) => ({ image, name: name ?? `No. ${rank}`, preview: urls.preview })),
};

async function listed(query) {
  return (await get("/images", { ...query, limit: SHOWN })).items.map(pictured);
}

function pictured({ id, name, urls }) {
  return { image: id, name, preview: urls.preview };
}

/** What was fetched, undefined until then and where it cannot be had: without it the counts are there all the same. */
function useFetched(read, deps) {
  const [found, setFound] = useState();
  useEffect(() => {
    let wanted = true;
    setFound(undefined);
    read().then(
      (value) => wanted && setFound(value),
      () => {},
    );
    return () => {
      wanted = false;
    };
  }, deps);
  return found;
}
