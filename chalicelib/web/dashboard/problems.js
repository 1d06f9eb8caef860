// The posts that a training could not use, each with its row and the reason. They never harm the others.

import { get } from "./api.js";
import { count } from "./moments.js";
import { html, useEffect, useState } from "./preact.js";
import { Failure, Loading, Named } from "./states.js";

const PAGE = 50;

export function Problems({ model }) {
  const [items, setItems] = useState([]);
  const [next, setNext] = useState("");
  const [error, setError] = useState(null);
  const more = async (cursor, before) => {
    setError(null);
    try {
      const page = await get(`/models/${model.id}/problems`, { limit: PAGE, cursor });
      setItems([...before, ...page.items]);
      setNext(page.next);
    } catch (failed) {
      setError(failed);
    }
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: another training has other problems.
  useEffect(() => void more("", []), [model.id, model.problems, model.trained_at]);
  return html`
    <section class="stack" aria-labelledby="problems">
      <h2 id="problems">${count(model.problems)} ${model.problems === 1 ? "row" : "rows"} that could not be used</h2>
      <p class="quiet">They did no harm to the others. Rows are lines of the file, the header being line 1.</p>
      ${items.length > 0 && html`<${Rows} items=${items} />`}
      ${error && html`<${Failure} error=${error} again=${() => more(next, items)} />`}
      ${!error && items.length === 0 && html`<${Loading} text="Loading the rows" />`}
      ${!error && next && items.length > 0 && html`<p><button type="button" class="button" onClick=${() => more(next, items)}>Show more</button></p>`}
    </section>`;
}

function Rows({ items }) {
  return html`<div class="table-wrap" role="region" aria-labelledby="problems" tabindex="0"><table>
    <thead><tr><th scope="col" class="number">Row</th><th scope="col">Image</th><th scope="col">Why</th></tr></thead>
    <tbody>${items.map((each, index) => html`
      <tr key=${index}><td class="number">${each.row}</td><td class="mono"><${Named}>${each.image ?? "–"}<//></td><td dir="auto">${each.reason}</td></tr>`)}
    </tbody>
  </table></div>`;
}
