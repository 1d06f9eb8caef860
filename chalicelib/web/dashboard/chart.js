// A chart that can be read without seeing it: a crosshair for mouse, touch and keyboard, the values in words, a table.

import { Plot } from "./plot.js";
import { html, useId, useSignal, useState } from "./preact.js";

/** series: [{label, values, color, format, low?, high?, bars?, quiet?}], each with as many values as x; null is a gap.
 * low, high: an interval around each value. quiet: a line to compare with, not told in words. x: Unix seconds where
 * `time` is "hour" or "day", else plain numbers. tell(x): a place on the x axis in words. apart: each in a strip of its
 * own. note: a sentence below. unit: what x counts, the head of the table's first column. */
export function Chart({
  title,
  x,
  series,
  unit,
  tell = String,
  time = null,
  apart = false,
  height = 120,
  range,
  note,
}) {
  const at = useSignal(null);
  const [asTable, setAsTable] = useState(false);
  const id = useId();
  const told = series.filter((each) => !each.quiet);
  const strips = apart ? series.map((each) => [each]) : [series];
  const index = Math.min(at.value ?? x.length - 1, x.length - 1);
  return html`
    <figure class="chart">
      <figcaption class="chart-title" id=${id}>${title}</figcaption>
      <${Readout} at=${tell(x[index])} series=${told} index=${index} />
      <div class="chart-strips" role="slider" tabindex="0" aria-labelledby=${id} aria-valuemin="1"
        aria-valuemax=${x.length} aria-valuenow=${index + 1} aria-valuetext=${sentence(tell(x[index]), told, index)}
        onKeyDown=${(event) => moved(event, at, index, x.length)}>
        ${strips.map(
          (strip, place) => html`
          <${Plot} key=${strip[0].label} x=${x} series=${strip} time=${time} at=${at} height=${height + (place === strips.length - 1 ? 26 : 0)}
            range=${range} axis=${place === strips.length - 1} />`,
        )}
      </div>
      <div class="chart-foot">
        <p class="hint">${note}</p>
        <button type="button" class="button quiet" aria-expanded=${asTable} onClick=${() => setAsTable(!asTable)}>
          ${asTable ? "Hide the table" : "Show as table"}
        </button>
      </div>
      ${asTable && html`<${Table} title=${title} unit=${unit} x=${x} tell=${tell} series=${told} />`}
    </figure>`;
}

/** The values at the crosshair. Not a live region: the slider tells them when it moves. */
function Readout({ at, series, index }) {
  return html`
    <dl class="chart-readout">
      <div><dt class="visually-hidden">At</dt><dd class="mono">${at}</dd></div>
      ${series.map(
        (each) => html`
        <div key=${each.label}>
          <dt><span class="chart-swatch" style=${{ "--swatch": `var(${each.color})` }}></span>${each.label}</dt>
          <dd class="mono">${value(each, index)}</dd>
        </div>`,
      )}
    </dl>`;
}

function Table({ title, unit, x, tell, series }) {
  return html`
    <div class="table-wrap chart-table" role="region" aria-label=${`${title}, as a table`} tabindex="0">
      <table>
        <thead><tr><th scope="col">${unit}</th>${series.map(({ label }) => html`<th scope="col" class="number">${label}</th>`)}</tr></thead>
        <tbody>
          ${x.map(
            (each, index) => html`
            <tr key=${each}>
              <th scope="row">${tell(each)}</th>
              ${series.map((one) => html`<td class="number">${value(one, index)}</td>`)}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function value({ values, low, high, format }, index) {
  if (values[index] == null) return "–";
  const interval = low ? ` (${format(low[index])} to ${format(high[index])})` : "";
  return format(values[index]) + interval;
}

function sentence(at, series, index) {
  return `${at}: ${series.map((each) => `${each.label} ${value(each, index)}`).join(", ")}`;
}

function moved(event, at, index, count) {
  const leap = Math.max(1, Math.round(count / 10));
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -leap, PageUp: leap };
  const ends = { Home: 0, End: count - 1 };
  const next = ends[event.key] ?? index + steps[event.key];
  if (Number.isNaN(next)) return;
  event.preventDefault();
  at.value = Math.max(0, Math.min(count - 1, next));
}
