// How to have one's own pages counted: a key, a script tag, attributes, and a way to see that it works.

import { get } from "./api.js";
import { root } from "./config.js";
import { Copy } from "./copy.js";
import { count } from "./moments.js";
import { usePolled } from "./poll.js";
import { html, useState } from "./preact.js";
import { useWriteKeys, WriteKeys } from "./writekeys.js";

const HOUR = 3_600_000;

export function Embedding() {
  const keys = useWriteKeys();
  const [chosen, choose] = useState(null);
  const key = keys.keys?.find((each) => each.key === chosen)?.key ?? keys.keys?.at(-1)?.key;
  return html`
    <ol class="setup">
      <li class="stack"><h2>A key that may send</h2>
        <p class="hint">It stands in your page for everybody to see, and may do nothing but send events.</p>
        <${WriteKeys} keys=${keys} chosen=${key} choose=${choose} /></li>
      <li class="stack"><h2>The script tag</h2>
        <p class="hint">Once on every page. Under 4 kB, no cookies, and nothing at all for visitors who ask not to be tracked.</p>
        ${key ? html`<${Snippet} text=${tag(key)} label="Copy the script tag" />` : html`<p>It is here as soon as there is a key.</p>`}</li>
      <li class="stack"><h2>Say which picture is which</h2>
        <${Marked} /></li>
      <li class="stack"><h2>See that it works</h2>
        <${Arriving} /></li>
    </ol>`;
}

function tag(key) {
  return `<script src="${new URL("track.js", root)}" data-key="${key}" defer></script>`;
}

function Snippet({ text, label }) {
  return html`<div class="snippet"><pre tabindex="0" aria-label=${label.replace("Copy ", "")}><code>${text}</code></pre><${Copy} text=${text} label=${label} /></div>`;
}

const PICTURE = '<img src="…" data-ps-image="PICTURE" data-ps-ranking="RANKING" data-ps-position="1">';
const GOAL = '<button data-ps-image="PICTURE" data-ps-goal="bought">Buy</button>';

function Marked() {
  return html`
    <p class="hint">With the id of the picture in Proofsheet, and those of the ranking and the place where there are such.
      Half of it in sight for a second is an impression; clicks follow by themselves.</p>
    <${Snippet} text=${PICTURE} label="Copy the picture" />
    <p class="hint">What you are after, such as an order, is a conversion:</p>
    <${Snippet} text=${GOAL} label="Copy the goal" />`;
}

/** What has come in the last hour, looked at again and again while the page is open. */
function Arriving() {
  const read = (signal) =>
    get("/stats", { interval: "hour", from: new Date(Date.now() - HOUR).toISOString() }, { signal });
  const { value, error } = usePolled(read);
  const { impressions = 0, clicks = 0, submits = 0, conversions = 0 } = value?.totals ?? {};
  const other = submits + conversions;
  const came = impressions + clicks + other > 0;
  return html`<p class="arriving" role="status">
    <span class=${came ? "lamp on" : "lamp"} aria-hidden="true"></span>
    ${error ? error.message : came ? html`In the last two hours: ${count(impressions)} impressions, ${count(clicks)} clicks, ${count(other)} forms and conversions.` : "Nothing has come in the last two hours. Open your page and look at a picture for a second; it is here a moment later."}
  </p>`;
}
