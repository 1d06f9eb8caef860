// "Not enough signal", explained: what was measured, what it means, what would help. Nothing is broken.

import { count } from "./moments.js";
import { html } from "./preact.js";
import { model as ranking } from "./ranking.js";
import { href } from "./router.js";
import { chance, correlation, help } from "./verdict.js";

export function NotEnoughSignal({ model }) {
  return html`
    <section class="panel notice-panel warn stack" aria-labelledby="no-signal">
      <h2 id="no-signal">These posts do not show enough signal yet</h2>
      <p>${measured(model)}</p>
      <p>So this model does not score: one that has learned noise would give scores as sure as any other, and you would
        act on them. Nothing is broken, and <strong>the general model goes on scoring</strong>. Perhaps the picture decides
        little of what these posts earned; captions, timing and luck may.</p>
      <h3>What would help</h3>
      <ul class="prose">${help(model).map((sentence) => html`<li key=${sentence}>${sentence}</li>`)}</ul>
      <p><a class="button" href=${href("rank")} onClick=${() => (ranking.value = "general")}>Rank with the general model</a></p>
    </section>`;
}

/** The numbers in words; where it never came to a test, the API's reason. */
function measured({ n, reason, report }) {
  const { rank_correlation: found, p_value: p } = report;
  if (!Number.isFinite(found) || !Number.isFinite(p)) return reason ?? "There was too little to learn from.";
  return `It learned from ${count(n)} posts and was tested on newer ones. Its order agreed with what happened by
    ${correlation(found)}, where 1 is exactly and 0 not at all. Chance alone would do as well in ${chance(p)} tries
    (p = ${p}); a model is released only below 20 of 1,000.`;
}
