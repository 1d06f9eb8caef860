// All photographs of a collection: to look through, to pick from, to rank and to delete.

import { SelectField, TextField } from "./field.js";
import { Grid } from "./grid.js";
import { count } from "./moments.js";
import { Photo } from "./photo.js";
import { Picked } from "./picked.js";
import { html, useEffect, useMemo, useRef, useState } from "./preact.js";
import { APART } from "./proofs.js";
import { Frame, height, LEAST, Ring } from "./roll.js";
import { href } from "./router.js";
import { all, move, NOTHING, none, pick } from "./selection.js";
import { useShelf } from "./shelf.js";
import { Empty, Failure, Loading, title } from "./states.js";

const STATES = [
  ["", "Any"],
  ["ready", "Ready"],
  ["processing", "Developing"],
  ["awaiting_upload", "Not uploaded yet"],
  ["failed", "Left out"],
];

/** collection: its name, or null for all photographs there are. */
export function Library({ collection }) {
  const name = collection ?? "All photographs";
  title(name);
  const [filter, setFilter] = useState({ state: "", text: "" });
  const shelf = useShelf(collection, filter.state);
  const items = useFiltered(shelf, filter.text);
  const [selection, select] = useState(NOTHING);
  useEffect(() => select(NOTHING), [filter, collection]);
  return html`<nav aria-label="Breadcrumb"><a href=${href("rank")}>Rank photographs</a></nav>
    <h1><bdi dir="auto">${name}</bdi></h1>
    <${Filters} filter=${filter} onChange=${setFilter} shelf=${shelf} shown=${items.length} />
    <${Photographs} ...${{ items, shelf, selection, select }} filtered=${filter.text !== ""} />
    ${selection.keys.size > 0 && html`<${Picked} ...${{ items, shelf, selection, select, collection }} />`}`;
}

const folded = (text) => text.normalize("NFKC").toLocaleLowerCase();

/** Those whose name has this text in it; the rest of the collection is read for that. */
function useFiltered(shelf, text) {
  const wanted = folded(text.trim());
  const items = useMemo(
    () => (wanted ? shelf.items.filter(({ name }) => folded(name).includes(wanted)) : shelf.items),
    [shelf.items, wanted],
  );
  useEffect(() => {
    if (wanted && !shelf.error) shelf.more();
  }, [shelf.items, wanted]);
  return items;
}

function Filters({ filter, onChange, shelf, shown }) {
  const read = count(shelf.items.length);
  const found = filter.text === "" ? count(shown) : `${count(shown)} of ${read}`;
  return html`<div class="toolbar library-filters">
    <${TextField} label="Name contains" type="search" dir="auto" value=${filter.text}
      onInput=${(text) => onChange({ ...filter, text })} />
    <${SelectField} label="State" options=${STATES} value=${filter.state}
      onChange=${(state) => onChange({ ...filter, state })} />
    <p class="small-print" role="status">${found} ${shelf.ended ? "photographs" : "photographs so far"}</p>
  </div>`;
}

function Photographs({ items, shelf, selection, select, filtered }) {
  const renewed = useRef(new Map());
  const stale = (id) => {
    // The address was signed for an hour. What fails sooner has another reason.
    if (Date.now() - (renewed.current.get(id) ?? 0) < APART) return;
    renewed.current.set(id, Date.now());
    shelf.again(id).catch(() => {});
  };
  const keys = useKeys(items, selection, select);
  const attributes = (image, index) => ({
    role: "option",
    "aria-selected": selection.keys.has(image.key),
    tabIndex: index === Math.min(selection.active, items.length - 1) ? 0 : -1,
    onClick: (event) => select(pick(selection, items, index, { range: event.shiftKey })),
  });
  const draw = (image, index) =>
    html`<${Photograph} image=${image} index=${index} picked=${selection.keys.has(image.key)} onStale=${stale} />`;
  if (items.length === 0) return html`<${Nothing} shelf=${shelf} filtered=${filtered} />`;
  return html`<p class="visually-hidden" id="how-to-pick">Space picks a photograph, Shift with an arrow key several.</p>
    <div onKeyDown=${keys}>
      <${Grid} class="roll library" role="listbox" aria-multiselectable="true" aria-label="Photographs"
        aria-describedby="how-to-pick" items=${items} total=${shelf.ended ? items.length : null} least=${LEAST}
        height=${height} attributes=${attributes} draw=${draw} onEnd=${shelf.more} active=${selection.active}
        onMove=${(index, event) => select(move(selection, items, index, { range: event.shiftKey }))} />
    </div>
    ${shelf.error && html`<${Failure} error=${shelf.error} again=${shelf.more} />`}
    ${!shelf.ended && !shelf.error && html`<${Loading} text="More photographs" />`}`;
}

/** Space and Enter pick, Ctrl+A takes all that were read, Escape none. */
function useKeys(items, selection, select) {
  return (event) => {
    const { key, shiftKey, ctrlKey, metaKey } = event;
    let next = null;
    if (key === " " || key === "Enter") next = pick(selection, items, selection.active, { range: shiftKey });
    else if (key === "a" && (ctrlKey || metaKey)) next = all(selection, items);
    else if (key === "Escape") next = none(selection);
    if (next === null) return;
    event.preventDefault();
    select(next);
  };
}

function Photograph({ image, index, picked, onStale }) {
  const { name, state, reason, urls } = image;
  const notes = { awaiting_upload: "Not uploaded yet", processing: "Developing", failed: reason };
  const photo = html`<${Photo} url=${urls.preview} name=${name} onGone=${() => onStale(image.id)} />
    ${picked && html`<${Ring} />`}`;
  const looks = { awaiting_upload: "waiting", processing: "processing", ready: "ready", failed: "refused" };
  return html`<${Frame} index=${index} name=${name} state=${looks[state]} note=${notes[state] ?? ""} photo=${photo} />`;
}

function Nothing({ shelf, filtered }) {
  if (shelf.error) return html`<${Failure} error=${shelf.error} again=${shelf.more} />`;
  if (!shelf.ended) return html`<${Loading} text="Photographs" />`;
  if (filtered) return html`<${Empty} title="No photograph has such a name" />`;
  return html`<${Empty} title="No photographs here">
    <p><a href=${href("rank")}>Drop some</a>, or look at another state.</p>
  <//>`;
}
