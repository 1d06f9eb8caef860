// Track: what visitors did with the pictures, how to have it counted, and what was put aside.

import { Counted } from "./counted.js";
import { Embedding } from "./embedding.js";
import { html, useEffect } from "./preact.js";
import { Quarantine } from "./quarantine.js";
import { go, href } from "./router.js";
import { Pictures, ScopeField } from "./scopes.js";
import { addressed, spanOf } from "./span.js";
import { SpanBar } from "./spanbar.js";
import { title } from "./states.js";

const KINDS = ["image", "ranking", "collection"];
const TABS = [
  ["counts", "Counts", ["track"]],
  ["setup", "Put it on your site", ["track", "setup"]],
  ["quarantine", "Quarantine", ["track", "quarantine"]],
];

export default function Page({ parts, query }) {
  const [first, id] = parts;
  const tab = first === "setup" || first === "quarantine" ? first : "counts";
  useEffect(() => title("Track"), [tab]);
  return html`
    <header class="page-head"><h1>Track</h1></header>
    <nav class="tabs" aria-label="Tracking">
      ${TABS.map(([key, name, place]) => html`<a key=${key} href=${href(...place)} aria-current=${key === tab ? "page" : undefined}>${name}</a>`)}
    </nav>
    ${tab === "setup" && html`<${Embedding} />`}
    ${tab === "quarantine" && html`<${Quarantine} />`}
    ${tab === "counts" && html`<${Counts} kind=${KINDS.includes(first) && id ? first : null} id=${id} query=${query} />`}`;
}

function Counts({ kind, id, query }) {
  const span = spanOf(query);
  const change = (other) => go("track", ...(kind ? [kind, id] : []), addressed(other));
  return html`
    <div class="tracking-bar">
      <${ScopeField} kind=${kind} id=${id} query=${query} />
      <${SpanBar} span=${span} change=${change} />
    </div>
    <${Counted} scope=${kind ? { [kind]: id } : {}} span=${span} />
    <${Pictures} kind=${kind} id=${id} />`;
}
