// One model: how good it is and how one knows; for an own one also its training, and what can be done with it.

import { get } from "./api.js";
import { Actions } from "./modelactions.js";
import { StateTag } from "./modelcard.js";
import { ago, count, dollars, moment } from "./moments.js";
import { NotEnoughSignal } from "./nosignal.js";
import { usePolled } from "./poll.js";
import { html, useEffect } from "./preact.js";
import { Report } from "./report.js";
import { href } from "./router.js";
import { Failure, Loading, Named, title } from "./states.js";
import { TrainingProgress } from "./trainingprogress.js";
import { UnusablePosts } from "./unusable.js";
import { isTraining, KINDS } from "./verdict.js";

export default function ModelPage({ id }) {
  const { value, error, again } = usePolled(
    (signal) => get(`/models/${encodeURIComponent(id)}`, {}, { signal }),
    {
      ended: (model) => !isTraining(model),
      while: [id],
    },
  );
  // Not before: the heading that gets the focus must be the one that stays.
  useEffect(() => {
    if (value || error) title(value?.name ?? "Model");
  }, [value?.name, !error]);
  return html`
    <nav aria-label="Where you are"><a href=${href("models")}>All models</a></nav>
    ${
      value
        ? html`<${Shown} model=${value} again=${again} />`
        : html`<h1>Model</h1>${error ? html`<${Failure} error=${error} again=${again} />` : html`<${Loading} text="Loading the model" />`}`
    }`;
}

function Shown({ model, again }) {
  const own = model.kind === "customer";
  return html`
    <header class="page-head model-head">
      <p class="model-kind">${KINDS[model.kind]}</p>
      <h1><${Named}>${model.name}<//></h1>
      <div class="row"><${StateTag} model=${model} /><${Facts} model=${model} /></div>
      ${model.source && html`<p class="hint">Learns from ${LEARNS[model.source.type](model.source)}.</p>`}
    </header>
    <div aria-live="polite">${isTraining(model) && html`<${TrainingProgress} model=${model} />`}</div>
    <${State} model=${model} />
    <${Report} model=${model} />
    ${model.report.cost && html`<${Cost} cost=${model.report.cost} />`}
    ${model.problems > 0 && html`<${UnusablePosts} model=${model} />`}
    ${own && html`<${Actions} model=${model} again=${again} />`}`;
}

function Facts({ model }) {
  const facts = [
    model.n > 0 && `${count(model.n)} ${model.kind === "customer" ? "posts" : "pictures"}`,
    model.version && `version ${model.version}`,
    model.backend === "sagemaker" && "at SageMaker",
  ].filter(Boolean);
  return html`<p class="hint">
    ${facts.join(" · ")}
    ${model.trained_at && html` · <time datetime=${model.trained_at} title=${moment(model.trained_at)}>trained ${ago(model.trained_at)}</time>`}
  </p>`;
}

const LEARNS = {
  posts: () => "posts that were sent to the API",
  file: ({ dataset }) => html`the posts of a file, data set <span class="mono">${dataset}</span>`,
  tracked: ({ days }) => `clicks on the pictures that were shown within ${count(days)} days`,
};

/** Estimates, of which any may be unknown. */
function Cost({ cost }) {
  const found = [
    Number.isFinite(cost.training) && `training this version ${dollars(cost.training)}`,
    Number.isFinite(cost.thousand_scores) && `1,000 scores ${dollars(cost.thousand_scores)}`,
  ].filter(Boolean);
  if (!found.length) return null;
  return html`<p class="hint model-cost">What AWS takes, by our estimate: ${found.join(", ")}. List prices of ${cost.prices}.</p>`;
}

/** What became of the newest training, where that is not simply a model. */
function State({ model }) {
  if (isTraining(model)) return null;
  if (model.state === "not_enough_signal") return html`<${NotEnoughSignal} model=${model} />`;
  if (model.state === "failed") return html`<${Failed} reason=${model.reason} />`;
  if (!model.reason) return null;
  return html`<section class="panel notice-panel">
    <h2>The newest training has not replaced this version</h2>
    <p dir="auto">${model.reason}</p>
  </section>`;
}

function Failed({ reason }) {
  return html`<section class="panel notice-panel bad">
    <h2>The training failed</h2>
    <p dir="auto">${reason ?? "Nobody knows why."}</p>
    <p>Nothing of yours was changed. Mend what is named here and train it again.</p>
  </section>`;
}
