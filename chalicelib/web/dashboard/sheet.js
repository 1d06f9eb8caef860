// The contact sheet: a ranking's photos in the order of their predicted engagement.

import { get, post } from "./api.js";
import { Colophon } from "./colophon.js";
import { Film } from "./film.js";
import { ALL, Filter, passing } from "./filtering.js";
import { Keys, useQuestionMark } from "./keys.js";
import { Loupe } from "./loupe.js";
import { marked, toggle } from "./marking.js";
import { Meter } from "./meter.js";
import { count } from "./moments.js";
import { Pair } from "./pair.js";
import { html, useState } from "./preact.js";
import { final, useRanking } from "./proofs.js";
import { Densities, density, Tools } from "./sheettools.js";
import { Empty, Failure, Loading, title } from "./states.js";

export default function Sheet({ parts: [id] }) {
  const proof = useRanking((signal) => get(`/rankings/${id}`, {}, { signal }), [id]);
  return html`<${Proof} ...${proof} id=${id} own />`;
}

/** The same sheet for whoever has the link: no tools that take an account. */
export function Shared({ parts: [token] }) {
  const read = (signal) => post("/shared", { token }, { anonymous: true, key: false, signal });
  const proof = useRanking(read, [token]);
  if (proof.error?.status === 404) return html`<${Over} />`;
  return html`<${Proof} ...${proof} id=${token} own=${false} />`;
}

function Over() {
  title("Shared sheet");
  return html`<section class="empty">
    <h1>This link leads nowhere any more</h1>
    <p>It has expired, what it led to was deleted, or a part of it was lost on the way. Ask whoever sent it for a new one.</p>
  </section>`;
}

function Proof({ ranking, error, again, renew, id, own }) {
  const name = ranking?.name ?? "Contact sheet";
  if (ranking || error) title(name); // not before there is a heading that can get the focus
  if (!ranking)
    return error
      ? html`<${Failure} error=${error} again=${again} />`
      : html`<${Loading} text="Laying out the photos" />`;
  return html`<article class="sheet">
    <header class="sheet-head">
      <div>
        <h1><bdi dir="auto">${name}</bdi></h1>
        <${Colophon} ranking=${ranking} own=${own} />
      </div>
      ${own && html`<${Tools} ranking=${ranking} />`}
    </header>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!final(ranking) && html`<${Bath} progress=${ranking.progress} />`}
    <${Table} ...${{ ranking, id, own, renew }} />
  </article>`;
}

function Bath({ progress: { done, total } }) {
  return html`<div class="bath">
    <${Meter} value=${done} most=${total} label="Photos scored" />
    <p role="status">${count(done)} of ${count(total)} scored. Places may change until all are.</p>
  </div>`;
}

/** The light table: what is shown of the sheet, and what lies over it. */
function Table({ ranking, id, own, renew }) {
  const [filter, setFilter] = useState(ALL);
  const [looked, setLooked] = useState(null);
  const [keys, setKeys] = useState(false);
  useQuestionMark(() => setKeys(true));
  const shown = passing(ranking.entries, filter);
  const missing = filter === ALL ? ranking.progress.total - ranking.entries.length : 0;
  const open = shown.find(({ image }) => image === looked);
  const close = () => {
    setLooked(null);
    returnTo(looked);
  };
  return html`
    <div class="sheet-bar">
      <${Filter} entries=${ranking.entries} filter=${filter} onFilter=${setFilter} own=${own} />
      <div class="row"><${Densities} /><button type="button" class="button quiet" onClick=${() => setKeys(true)}>Keys</button></div>
    </div>
    <p role="status" class="small-print found">${filter !== ALL && `${count(shown.length)} of ${count(ranking.entries.length)} photos`}</p>
    ${
      shown.length + missing === 0 &&
      html`<${Empty} title="No photo passes"><p>
      <button type="button" class="button" onClick=${() => setFilter(ALL)}>Show all</button>
    </p><//>`
    }
    <${Film} entries=${shown} all=${ranking.entries} missing=${missing} density=${density.value} own=${own}
      marked=${marked(id)} onMark=${({ image, score }) => score !== null && toggle(id, image)}
      onOpen=${({ image }) => setLooked(image)} onGone=${renew} />
    ${own && html`<${Pair} id=${id} entries=${ranking.entries} />`}
    ${open && html`<${Loupe} entry=${open} entries=${shown} own=${own} onClose=${close} onMove=${({ image }) => setLooked(image)} onGone=${renew} />`}
    <${Keys} open=${keys} onClose=${() => setKeys(false)} />
  `;
}

/** The focus goes to the frame that was looked at last, which need not be the one that was opened. */
function returnTo(image) {
  requestAnimationFrame(() => document.querySelector(`[data-image="${CSS.escape(image)}"]`)?.focus());
}
