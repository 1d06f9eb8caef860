// All campaigns, newest first, each with what it has done so far.

import { get } from "./api.js";
import { Bar } from "./bar.js";
import { count, moment } from "./moments.js";
import { Rest, usePaged } from "./paged.js";
import { usePolled } from "./poll.js";
import { html } from "./preact.js";
import { href } from "./router.js";
import { Empty, title } from "./states.js";
import { CHANNELS, doing, done, ENDED } from "./tally.js";

const A_PAGE = 10;

/** A campaign with its progress, looked at until it has ended. */
export function useCampaign(id) {
  return usePolled((signal) => get(`/campaigns/${id}`, {}, { signal }), {
    ended: ({ state }) => ENDED.includes(state),
    while: [id],
  });
}

export function Campaigns() {
  title("Campaigns");
  const list = usePaged("/campaigns", { limit: A_PAGE });
  return html`<header class="row push-head">
      <h1>Campaigns</h1>
      <a class="button primary" href=${href("push", "new")}>New campaign</a>
    </header>
    ${list.empty && html`<${Nothing} />`}
    ${
      list.items.length > 0 &&
      html`<ol class="campaigns">
      ${list.items.map((each) => html`<${Row} key=${each.id} summary=${each} />`)}
    </ol>`
    }
    <${Rest} list=${list} text="Looking for campaigns" label="Show older ones" />`;
}

function Row({ summary }) {
  const { value } = useCampaign(summary.id);
  const campaign = value ?? summary;
  return html`<li class="campaign-row">
    <div class="campaign-row-head">
      <a class="campaign-name" href=${href("push", "campaigns", summary.id)}><bdi dir="auto">${summary.name}</bdi></a>
      <${StateTag} campaign=${campaign} />
    </div>
    <p class="muted">${CHANNELS[summary.channel]} · ${when(campaign)}</p>
    <div class="campaign-row-bar">
      ${value ? html`<${Bar} progress=${value.progress} label=${`Progress of ${summary.name}`} small />` : html`<div class="bar small"></div>`}
      <p class="tabular muted">${value ? soFar(value.progress) : " "}</p>
    </div>
  </li>`;
}

function soFar(progress) {
  if (!progress.total) return progress.total_is_final ? "nobody to send to" : "nothing counted yet";
  const text = `${count(done(progress))} of ${count(progress.total)} done`;
  return progress.total_is_final ? text : `${text}, still counting`;
}

/** When it starts, started or ended. */
export function when({ starts_at: starts, started_at: started, ended_at: ended, created_at: created }) {
  if (ended) return `ended ${moment(ended)}`;
  if (started) return `started ${moment(started)}`;
  return starts ? `starts ${moment(starts)}` : `made ${moment(created)}`;
}

export function StateTag({ campaign }) {
  const word = doing(campaign);
  return html`<span class=${`tag state ${word.toLowerCase()}`}>${word}</span>`;
}

function Nothing() {
  return html`<${Empty} title="No campaigns yet">
    <p>A campaign is one text, made for each of your customers: with a name, a rank, points they earned. You see who
      would get it, and what it costs, before anybody does.</p>
    <p class="row">
      <a class="button primary" href=${href("push", "new")}>Compose the first</a>
      <a class="button" href=${href("push", "recipients")}>Add recipients</a>
    </p>
  <//>`;
}
