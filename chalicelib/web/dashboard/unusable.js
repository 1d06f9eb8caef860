// The posts that a training could not use, each with its row and the reason. They never harm the others.

import { count } from "./moments.js";
import { Rest, usePaged } from "./paged.js";
import { html } from "./preact.js";
import { Named } from "./states.js";

export function UnusablePosts({ model }) {
  const list = usePaged(`/models/${model.id}/problems`, { limit: 50 }, [model.problems, model.version]);
  return html`
    <section class="stack" aria-labelledby="unusable">
      <h2 id="unusable">${count(model.problems)} ${model.problems === 1 ? "row" : "rows"} that could not be used</h2>
      <p class="hint">They did no harm to the others. In a file, rows are its lines, the header being line 1.</p>
      ${list.items.length > 0 && html`<${Rows} items=${list.items} />`}
      <${Rest} list=${list} text="Loading the rows" />
    </section>`;
}

function Rows({ items }) {
  return html`<div class="table-wrap" role="region" aria-labelledby="unusable" tabindex="0"><table class="unusable">
    <thead><tr><th scope="col" class="number">Row</th><th scope="col">Image</th><th scope="col">Why</th></tr></thead>
    <tbody>${items.map(
      (each, index) => html`
      <tr key=${index}><td class="number">${each.row}</td><td class="mono"><${Named}>${each.image ?? "–"}<//></td><td dir="auto">${each.reason}</td></tr>`,
    )}
    </tbody>
  </table></div>`;
}
