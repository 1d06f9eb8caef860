// A model at a glance: what it is good at, what it learned from, how far to believe it.

import { Sparkline } from "./curve.js";
import { Hundred } from "./hundred.js";
import { Meter } from "./meter.js";
import { count } from "./moments.js";
import { html } from "./preact.js";
import { href } from "./router.js";
import { Named } from "./states.js";
import { accuracy, coverage, happening, isTraining, KINDS, ofHundred, STATES } from "./verdict.js";

export function ModelCard({ model }) {
  return html`
    <article class="panel model-card">
      <header>
        <p class="model-kind">${KINDS[model.kind]}</p>
        <h3><a href=${href("models", model.id)}><${Named}>${model.name}<//></a></h3>
        <${StateTag} model=${model} />
      </header>
      <${Said} model=${model} />
      <${Facts} model=${model} />
    </article>`;
}

export function StateTag({ model }) {
  const { word, tone } = STATES[model.state];
  return html`<span class=${`tag ${tone}`}>${word}</span>`;
}

/** What the card is about now: the accuracy; or what happens; or why there is none. */
function Said({ model }) {
  if (isTraining(model)) return html`<${Progress} model=${model} />`;
  const said = accuracy(model);
  if (model.state !== "ready") return html`<p class="model-said">${SHORTLY[model.state]}</p>`;
  return html`
    <div class="model-accuracy">
      <${Hundred} times=${ofHundred(model.report.pair_accuracy)} label=${said} />
      <div>
        <p class="model-said">${said}</p>
        <p class="hint">A coin would in 50.</p>
        ${model.report.learning_curve?.length > 1 && html`<${Sparkline} points=${model.report.learning_curve} />`}
      </div>
    </div>`;
}

const SHORTLY = {
  not_enough_signal:
    "Its posts do not show that it knows more than chance. It does not score; the general model does.",
  failed: "The training ended without a model.",
};

function Progress({ model }) {
  const { done = 0, total = 0 } = model.progress ?? {};
  return html`<div class="stack">
    <p class="model-said">${happening(model)}</p>
    <${Meter} value=${done} most=${total} label="This step" />
  </div>`;
}

function Facts({ model }) {
  return html`
    <dl class="model-facts">
      <div><dt>Learned from</dt><dd dir="auto">${model.trained_on}</dd></div>
      ${model.n > 0 && html`<div><dt>${model.kind === "customer" ? "Posts" : "Pictures"}</dt><dd>${count(model.n)}</dd></div>`}
      ${model.state === "ready" && coverage(model) && html`<div><dt>Its intervals</dt><dd>${coverage(model)}</dd></div>`}
    </dl>`;
}
