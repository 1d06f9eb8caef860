// The last look before a campaign starts, and its start: once, however often one presses.

import { post } from "./api.js";
import { Dialog } from "./dialog.js";
import { count, dollars, moment } from "./moments.js";
import { html, useRef, useState } from "./preact.js";
import { estimateOf, Figures, messagesOf } from "./preview.js";

/**
 * prepare(body): a dry run of exactly what would start, which opens the question. start(): does.
 * error: why one of them was refused, until forget().
 */
export function useLaunch(started) {
  const [launch, setLaunch] = useState({ body: null, estimate: null, error: null, busy: false });
  const keyOf = useKeys();
  const working = useRef(false); // a second click comes before the first is drawn
  const once = async (work) => {
    if (working.current) return;
    working.current = true;
    setLaunch((before) => ({ ...before, busy: true, error: null }));
    try {
      const found = await work();
      setLaunch((before) => ({ ...before, busy: false, ...found }));
    } catch (error) {
      setLaunch({ body: null, estimate: null, error, busy: false });
    } finally {
      working.current = false;
    }
  };
  const start = async () => {
    const { id } = await post("/campaigns", launch.body, { key: keyOf(launch.body) });
    started(id);
    return { body: null, estimate: null };
  };
  return {
    ...launch,
    prepare: (body) => once(async () => ({ body, estimate: (await estimateOf(body)).estimate })),
    start: () => once(start),
    close: () => setLaunch((before) => ({ ...before, estimate: null })),
    forget: () => launch.error && setLaunch((before) => ({ ...before, error: null })),
  };
}

/**
 * One Idempotency-Key for each thing that is to start: another body is another campaign, a second try is not, whatever
 * became of the first. The API keeps no refusal, so what was refused may be tried under the same key.
 */
function useKeys() {
  const kept = useRef(new Map());
  return (body) => {
    const text = JSON.stringify(body);
    if (!kept.current.has(text)) kept.current.set(text, crypto.randomUUID());
    return kept.current.get(text);
  };
}

export function Starting({ launch, draft }) {
  const { estimate, body } = launch;
  const words = estimate && question(estimate, body);
  return html`<${Dialog} title=${draft.later ? "Schedule this campaign?" : "Start this campaign?"} open=${Boolean(estimate)}
    onClose=${launch.close} className="small">
    ${
      estimate &&
      html`<p class="question">${words}</p>
      <${Figures} estimate=${estimate} />
      <p class="muted">${DOUBTS[body.delivery]} You can pause or cancel it while it runs.</p>
      <div class="row end">
        <button type="button" class="button" onClick=${launch.close}>Not yet</button>
        <button type="button" class="button primary" aria-disabled=${launch.busy} onClick=${launch.start}>
          ${draft.later ? "Schedule it" : "Start now"}</button>
      </div>`
    }
  <//>`;
}

const DOUBTS = {
  at_most_once: "Nobody gets it twice; in doubt, not at all.",
  at_least_once: "Nobody is left out; in doubt, somebody hears twice.",
};

function question(estimate, { starts_at: starts }) {
  const messages = messagesOf(estimate);
  const about = estimate.exact ? "" : "about ";
  const when = starts && new Date(starts) > new Date() ? moment(starts) : "now";
  if (!messages) return "Nobody would get a message.";
  return `${about}${count(messages)} ${messages === 1 ? "message" : "messages"} for ${about}${dollars(estimate.dollars)}, ${when}.`;
}
