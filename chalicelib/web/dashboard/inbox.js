// What has come to its end: rankings, models, campaigns; newest first.

import { get, post } from "./api.js";
import { ago, moment } from "./moments.js";
import { warn } from "./notices.js";
import { usePolled } from "./poll.js";
import { html, useEffect, useState } from "./preact.js";
import { href } from "./router.js";
import { Empty, Failure, Loading, title } from "./states.js";
import { countUnread, unread } from "./unread.js";

const A_PAGE = 30;
const KINDS = {
  ranking_complete: "Ranking",
  model_trained: "Model",
  campaign_completed: "Campaign",
  campaign: "Message",
};

export default function Inbox() {
  title("Inbox");
  const { value, error, again } = usePolled((signal) => get("/inbox", { limit: A_PAGE }, { signal }));
  const [older, setOlder] = useState({ items: [], next: undefined });
  const [until, setUntil] = useState("");
  const items = merged(value?.items ?? [], older.items).map((each) => ({
    ...each,
    read: each.read || each.id <= until,
  }));
  const next = older.next === undefined ? value?.next : older.next;
  useEffect(() => {
    if (value) unread.value = value.unread;
  }, [value]);
  const mark = async (id) => {
    setUntil(id);
    unread.value = items.filter((each) => !each.read && each.id > id).length;
    try {
      await post("/inbox/read", { until: id });
      again();
    } catch (refused) {
      warn(refused.message);
      setUntil("");
    }
    countUnread(); // also where one has left the inbox meanwhile
  };
  const more = async () => {
    try {
      const page = await get("/inbox", { limit: A_PAGE, cursor: next });
      setOlder({ items: [...items, ...page.items], next: page.next });
    } catch (refused) {
      warn(refused.message);
    }
  };
  return html`<div class="inbox">
    <header class="row push-head">
      <h1>Inbox</h1>
      ${items.some(({ read }) => !read) && html`<button type="button" class="button" onClick=${() => mark(items[0].id)}>Mark all as read</button>`}
    </header>
    ${!value && (error ? html`<${Failure} error=${error} again=${again} />` : html`<${Loading} text="Opening the inbox" />`)}
    ${value && !items.length && html`<${Nothing} />`}
    ${items.length > 0 && html`<ol class="letters">${items.map((each, index) => html`<${Letter} key=${each.id} message=${each} first=${index === 0} onRead=${mark} />`)}</ol>`}
    ${next && html`<button type="button" class="button" onClick=${more}>Show older ones</button>`}
  </div>`;
}

/** The newest page as it is now, with the older ones that were asked for; each message once. */
function merged(newest, older) {
  const ids = new Set(newest.map(({ id }) => id));
  return [...newest, ...older.filter(({ id }) => !ids.has(id))];
}

function Letter({ message, first, onRead }) {
  const { id, kind, text, at, read, about } = message;
  const to = address(about);
  return html`<li class=${read ? "letter" : "letter unread"}>
    <p class="letter-head">
      <span class="edge">${KINDS[kind] ?? "Notice"}</span>
      <time class="muted" datetime=${at} title=${moment(at)}>${ago(at)}</time>
      ${!read && html`<span class="new">New</span>`}
    </p>
    <p class="letter-text" dir="auto">${to ? html`<a href=${to} onClick=${() => read || onRead(id)}>${text}</a>` : text}</p>
    ${!read && !first && html`<button type="button" class="link muted" onClick=${() => onRead(id)}>Read up to here</button>`}
  </li>`;
}

/** The page of what a message is about, if there is one. */
function address({ ranking, model, campaign }) {
  if (ranking) return href("rankings", ranking);
  if (model) return href("models", model);
  return campaign ? href("push", "campaigns", campaign) : null;
}

function Nothing() {
  return html`<${Empty} title="Nothing to tell yet">
    <p>When a ranking is complete, a model is trained or a campaign has ended, it says so here.</p>
  <//>`;
}
