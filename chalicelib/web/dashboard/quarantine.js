// Events that were put aside, with the reason: a bad event never harms its neighbors. For admins, since what came
// may hold what was never meant to be sent.

import { moment } from "./moments.js";
import { Rest, usePaged } from "./paged.js";
import { html } from "./preact.js";
import { session } from "./session.js";
import { Empty } from "./states.js";

export function Quarantine() {
  return session.value.admin ? html`<${List} />` : html`<${NotForMembers} />`;
}

function NotForMembers() {
  return html`<${Empty} title="For admins">
    <p>Here are the events that could not be counted, as they came. They may hold what was never meant to be sent, so
      only admins of this account see them. If your counts look too low, ask one of them to look.</p>
  <//>`;
}

function List() {
  const list = usePaged("/events/quarantine", { limit: 50 });
  return html`<section class="stack" aria-label="Put aside">
    <div class="row"><p class="prose">Events that could not be counted, newest first. All others of their batches were.</p>
      <button type="button" class="button" onClick=${list.again}>Look again</button></div>
    ${list.items.length > 0 && html`<${Rows} items=${list.items} />`}
    ${list.empty && html`<${Empty} title="Nothing was put aside"><p>Every event that came could be read.</p><//>`}
    <${Rest} list=${list} text="Loading what was put aside" />
  </section>`;
}

function Rows({ items }) {
  return html`<ul class="put-aside">${items.map(
    ({ id, at, reason, raw, key }) => html`
    <li key=${id}>
      <p dir="auto"><strong>${reason}</strong></p>
      <p class="small-print"><time datetime=${at}>${moment(at)}</time>${key && html` · sent with <span class="mono">${key}</span>`}</p>
      <details><summary>What came</summary><pre tabindex="0" aria-label="What came"><bdi dir="auto">${raw}</bdi></pre></details>
    </li>`,
  )}</ul>`;
}
