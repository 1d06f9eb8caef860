// What became of a campaign's messages, one by one.

import { count, moment } from "./moments.js";
import { Rest, usePaged } from "./paged.js";
import { html } from "./preact.js";
import { because, CHANNELS, ENDED, STATES } from "./tally.js";

const A_PAGE = 50;
const TROUBLE = ["failed", "unknown", "skipped"];

/** The state whose messages are listed unasked: trouble first. */
export function worthALook(progress) {
  return TROUBLE.find((state) => progress[state] > 0) ?? null;
}

/** They are read once; while the campaign runs there is a button to look again. */
export function Messages({ campaign, state, onShow }) {
  const running = !ENDED.includes(campaign.state);
  const list = usePaged(`/campaigns/${campaign.id}/recipients`, { state, limit: A_PAGE }, [running]);
  return html`<section class="messages" aria-labelledby="messages-title">
    <header class="row">
      <h2 id="messages-title">${heading(state, campaign.progress)}</h2>
      ${running && html`<button type="button" class="button quiet" onClick=${list.again}>Look again</button>`}
      ${worthALook(campaign.progress) !== state && html`<button type="button" class="button quiet" onClick=${() => onShow(null)}>Close</button>`}
    </header>
    <p class="muted">${meaning(state)}</p>
    ${list.items.length > 0 && html`<${Table} items=${list.items} />`}
    ${list.empty && html`<p>None of them is written down yet.</p>`}
    <${Rest} list=${list} text="Reading the list" />
  </section>`;
}

function heading(state, progress) {
  const { word } = STATES.find(({ name }) => name === state);
  return `${word}: ${count(progress[state])}`;
}

function meaning(state) {
  return STATES.find(({ name }) => name === state).means;
}

function Table({ items }) {
  const why = items.some(({ reason }) => reason);
  return html`<div class="table-wrap" role="region" aria-labelledby="messages-title" tabindex="0"><table>
    <thead><tr>
      <th scope="col">Recipient</th><th scope="col">Channel</th>
      ${why && html`<th scope="col">Why</th>`}<th scope="col">When</th>
    </tr></thead>
    <tbody>
      ${items.map(
        ({ recipient, channel, reason, at }) => html`<tr key=${recipient + channel}>
          <th scope="row" class="mono"><bdi>${recipient}</bdi></th>
          <td>${CHANNELS[channel]}</td>
          ${why && html`<td dir="auto">${because(reason)}</td>`}
          <td class="tabular nowrap">${moment(at)}</td>
        </tr>`,
      )}
    </tbody>
  </table></div>`;
}
