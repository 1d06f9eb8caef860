// What a campaign would do, by a dry run: nothing is sent and nothing is kept.

import { post } from "./api.js";
import { isPreviewable, request } from "./draft.js";
import { count, dollars } from "./moments.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { because, CHANNELS, duration } from "./tally.js";

const TYPING_MS = 900;
const SLOW_MS = 3000; // a dry run that took longer is asked for by hand from then on

/** {estimate, error, state: "idle" | "asking" | "current" | "stale", look}: a dry run of the draft, shortly after a change. */
export function useDryRun(draft) {
  const [seen, setSeen] = useState({ estimate: null, error: null, state: "idle" });
  const slow = useRef(false);
  const asking = useRef(null);
  const body = isPreviewable(draft) ? JSON.stringify(request(draft)) : null;
  const look = async () => {
    asking.current?.abort();
    asking.current = new AbortController();
    const { signal } = asking.current;
    setSeen((before) => ({ ...before, state: "asking" }));
    const began = performance.now();
    const found = await asked(JSON.parse(body), signal);
    if (signal.aborted) return;
    slow.current = performance.now() - began > SLOW_MS;
    setSeen((before) => ({ estimate: before.estimate, ...found, state: "current" }));
  };
  useEffect(() => {
    if (body === null) return setSeen({ estimate: null, error: null, state: "idle" });
    setSeen((before) => ({ ...before, error: null, state: before.estimate ? "stale" : "idle" }));
    const timer = slow.current ? null : setTimeout(look, TYPING_MS);
    return () => {
      clearTimeout(timer);
      asking.current?.abort();
    };
  }, [body]);
  return { ...seen, look: body === null ? null : look };
}

async function asked(body, signal) {
  try {
    return { ...(await estimateOf(body, signal)), error: null };
  } catch (error) {
    return { estimate: null, error };
  }
}

/** A dry run is not worth an Idempotency-Key: it changes nothing. */
export function estimateOf(body, signal) {
  return post("/campaigns", { ...body, dry_run: true }, { key: null, signal });
}

const LOOKS = { asking: "Looking …", stale: "Outdated: look again" };

export function Preview({ dry, draft }) {
  const { estimate, state, look } = dry;
  return html`<aside class="preview" aria-labelledby="preview-title" aria-busy=${state === "asking"}>
    <header class="row">
      <h2 id="preview-title">Dry run</h2>
      <button type="button" class="button quiet" disabled=${!look} onClick=${look}>${LOOKS[state] ?? "Look again"}</button>
    </header>
    ${estimate ? html`<${Estimate} estimate=${estimate} draft=${draft} old=${state === "stale"} />` : html`<p class="muted">${waiting(dry)}</p>`}
    <p class="visually-hidden" role="status">${state === "current" && estimate ? heard(estimate) : ""}</p>
  </aside>`;
}

function waiting({ error, state, look }) {
  if (error) return error.field ? "Mend what is marked, and it can be tried." : error.message;
  if (state === "asking" || look) return "Seeing who would get it …";
  return "Once texts and conditions are filled in, you see here who would get it, what it costs and how it reads. Nothing is sent by looking.";
}

function heard({ recipients, dollars: cost }) {
  return `${count(recipients)} recipients, ${dollars(cost)}.`;
}

function Estimate({ estimate, draft, old }) {
  return html`<div class=${old ? "estimate old" : "estimate"}>
    <${Phone} estimate=${estimate} draft=${draft} />
    <${Figures} estimate=${estimate} />
    ${Object.entries(estimate.channels).map(([name, each]) => html`<${Channel} key=${name} name=${name} channel=${each} />`)}
    ${
      estimate.hints.length > 0 &&
      html`<section class="hints">
      <h3>Characters that make text messages longer</h3>
      <p class="muted">With any of these, a part holds 70 characters instead of 160.</p>
      <ul>${estimate.hints.map((hint) => html`<li key=${hint}><${Hint} hint=${hint} /></li>`)}</ul>
    </section>`
    }
  </div>`;
}

/** A hint begins with the character that it is about, which may be of a script that runs the other way. */
function Hint({ hint }) {
  const [character] = hint;
  return html`<bdi>${character}</bdi>${hint.slice(character.length)}`;
}

/** The first texts, as they would lie on a phone. */
function Phone({ estimate, draft }) {
  if (!estimate.samples.length) return null;
  const notification = draft.channel === "push";
  return html`<ul class=${`phone ${notification ? "notifications" : ""}`} aria-label="How it reads for the first recipients">
    ${estimate.samples.map(
      (text, index) => html`<li key=${index} class="bubble">
        ${notification && draft.title.trim() && html`<strong dir="auto">${draft.title}</strong>`}
        <span class="bubble-text" dir="auto">${text}</span>
      </li>`,
    )}
  </ul>`;
}

export function messagesOf({ channels }) {
  return Object.values(channels).reduce((sum, { messages }) => sum + messages, 0);
}

/** What one looks at before sending. */
export function Figures({ estimate }) {
  const parts = estimate.channels.sms?.parts;
  const rows = [
    ["Recipients", count(estimate.recipients)],
    ["Messages", count(messagesOf(estimate))],
    parts === undefined ? null : ["Parts of text messages", count(parts)],
    ["Cost, by our prices", dollars(estimate.dollars)],
    ["Sending takes", duration(estimate.duration_seconds)],
  ];
  return html`<dl class="figures">
      ${rows.filter(Boolean).map(([name, text]) => html`<div key=${name}><dt>${name}</dt><dd class="tabular">${text}</dd></div>`)}
    </dl>
    ${!estimate.within_budget && html`<p class="beyond">That is more than it may cost. It would begin, and pause when the money is used up.</p>`}
    <p class="muted">${precision(estimate)}</p>`;
}

function precision({ exact, segments_read: read }) {
  if (exact) return "Exact: the whole audience was read.";
  return read
    ? `Estimated from ${read} of 32 equal parts of all recipients.`
    : "At least: the audience is so large that only a piece of it was read.";
}

function Channel({ name, channel }) {
  const skipped = Object.entries(channel.skipped);
  if (!skipped.length) return null;
  return html`<section class="skips">
    <h3>${CHANNELS[name]}s: left out</h3>
    <ul>${skipped.map(([reason, number]) => html`<li key=${reason}><span class="tabular">${count(number)}</span> <span dir="auto">${because(reason)}</span></li>`)}</ul>
  </section>`;
}
