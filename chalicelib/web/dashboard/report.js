// The report: what was measured of a model, on posts or pictures that it had not learned from.

import { LearningCurve } from "./curve.js";
import { Hundred } from "./hundred.js";
import { count, percent } from "./moments.js";
import { html } from "./preact.js";
import { accuracy, comparison, correlation, ofHundred } from "./verdict.js";

export function Report({ model }) {
  const { report } = model;
  const said = accuracy(model);
  const curve = report.learning_curve ?? [];
  return html`
    ${
      said &&
      html`<section class="panel model-verdict" aria-label="How good it is">
      <${Hundred} times=${ofHundred(report.pair_accuracy)} label=${said} />
      <div class="stack">
        <p class="model-headline">${said}</p>
        <p>A coin would in 50. ${MEASURED[model.kind]}</p>
        <${Measures} report=${report} />
      </div>
    </section>`
    }
    <div class="model-halves">
      ${
        curve.length > 0 &&
        html`<section class="stack" aria-label="Learning curve">
        <${LearningCurve} points=${curve} />
      </section>`
      }
      <${Compared} model=${model} />
    </div>
    <${Source} model=${model} />`;
}

const MEASURED = {
  general: "Measured on photos that it had not learned from.",
  market: "Measured on photos that it had not learned from.",
  customer: "Measured on posts that are newer than those it had learned from.",
};

function Measures({ report }) {
  const rows = [
    [
      report.rank_correlation,
      "Agreement with the true order",
      correlation(report.rank_correlation),
      "1 is exactly, 0 is chance",
    ],
    [
      report.coverage_80,
      "Results within its 80 % interval",
      percent(report.coverage_80),
      "80 % would be exact",
    ],
    [
      report.p_value,
      "Chance that luck alone does as well",
      percent(report.p_value),
      "it takes less than 2 %",
    ],
    [
      report.explanation_r2,
      "Of its scores, told by the reasons",
      percent(Math.max(0, report.explanation_r2)),
      "at 30 % they are hints",
    ],
  ].filter(([value]) => Number.isFinite(value));
  return html`<dl class="measures">${rows.map(
    ([, name, value, note]) => html`
    <div key=${name}><dt>${name}</dt><dd><strong class="mono">${value}</strong> <span class="hint">${note}</span></dd></div>`,
  )}</dl>`;
}

// Against the general model, and a new version against the one that scores

function Compared({ model }) {
  const found = comparison(model);
  const newest = model.report.newest_posts;
  if (!found && !newest) return null;
  return html`<section class="stack compared" aria-label="Compared">
    ${
      found &&
      html`<h2>Beside the general model</h2>
      <${Bars} rows=${[["This model", found.own], ["General", found.general]]} />
      <p class="hint">Agreement with what happened, on the same posts. ${found.advice}</p>`
    }
    ${
      newest &&
      html`<h2>Beside the version before</h2>
      <${Bars} rows=${[["New", newest.candidate], ["Before", newest.live]]} />
      <p class="hint">On ${count(newest.n)} posts that the version before had not seen.</p>`
    }
  </section>`;
}

/** rows: [[name, -1 to 1], ...]; the bars begin at 0, in the middle. */
function Bars({ rows }) {
  return html`<dl class="balances">${rows.map(
    ([name, value]) => html`
    <div key=${name}>
      <dt>${name}</dt>
      <dd><span class="balance" aria-hidden="true"><i class=${value < 0 ? "below" : ""} style=${{ "--share": Math.abs(value) }}></i></span>
        <strong class="mono">${correlation(value)}</strong></dd>
    </div>`,
  )}</dl>`;
}

function Source({ model }) {
  const { prior, distinct } = model.report;
  return html`<section class="stack">
    <h2>What it learned from</h2>
    <p dir="auto" class="prose">${model.trained_on}${distinct > 0 && ` ${count(model.n)} posts of ${count(distinct)} different pictures.`}</p>
    ${prior?.id && html`<p class="hint">It leans on the model <span class="mono">${prior.id}</span>: a step of that one counts ${prior.weight.toFixed(2)} of a step of its own.</p>`}
  </section>`;
}
