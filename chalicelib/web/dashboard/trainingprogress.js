// A training on its way: which step it is at, in words.

import { Meter } from "./meter.js";
import { count } from "./moments.js";
import { html } from "./preact.js";
import { happening, SAGEMAKER_STEP, STEPS } from "./verdict.js";

export function TrainingProgress({ model }) {
  const steps = model.backend === "sagemaker" ? [...STEPS, SAGEMAKER_STEP] : STEPS;
  const { step, done = 0, total = 0 } = model.progress ?? {};
  const now = steps.findIndex(([name]) => name === (step === "waiting_for_images" ? "gathering" : step));
  return html`
    <section class="panel stack" aria-label="Training">
      <p class="model-said">${happening(model)}</p>
      <${Meter} value=${done} most=${total} label=${happening(model)} />
      ${total > 1 && html`<p class="hint mono">${count(done)} of ${count(total)}</p>`}
      <ol class="steps">
        ${steps.map(
          ([name, words], index) => html`
          <li key=${name} class=${stage(index, now)} aria-current=${index === now ? "step" : undefined}>
            ${words}${index < now && html`<span class="visually-hidden">, done</span>`}
          </li>`,
        )}
      </ol>
      <p class="hint">You may close this page: the training goes on, and the inbox tells how it ended.</p>
    </section>`;
}

function stage(index, now) {
  if (index === now) return "now";
  return index < now ? "done" : "";
}
