// The same photos by another model, on a sheet of their own.

import { everything, post } from "./api.js";
import { Dialog } from "./dialog.js";
import { SelectField } from "./field.js";
import { html, useEffect, useState } from "./preact.js";
import { arrive } from "./ranking.js";
import { useHere } from "./router.js";
import { Failure, Loading } from "./states.js";

export function Reranking({ open, ranking, onClose }) {
  return html`<${Dialog} title="Rank again" open=${open} onClose=${onClose} className="small">
    <${Choice} ranking=${ranking} onClose=${onClose} />
  <//>`;
}

function Choice({ ranking, onClose }) {
  const [models, setModels] = useState(null);
  const [chosen, setChosen] = useState(null);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const here = useHere();
  useEffect(() => {
    usable(ranking.model).then(setModels, setError);
  }, []);
  if (error) return html`<${Failure} error=${error} />`;
  if (!models) return html`<${Loading} text="Asking for the models" />`;
  if (models.length === 0) return html`<p>There is no other model that scores.</p>`;
  const again = (event) => {
    event.preventDefault();
    setBusy(true);
    rank(ranking, chosen ?? models[0].id).then(leave, setError);
  };
  const leave = (id) => {
    if (here.current) onClose();
    arrive(id, here.current);
  };
  return html`<form class="stack" onSubmit=${again}>
    <p>The same photos on a new sheet; this one stays as it is.</p>
    <${SelectField} label="Model" options=${models.map(({ id, name }) => [id, name])} value=${chosen ?? models[0].id}
      onChange=${setChosen} />
    <div class="row end"><button type="submit" class="button primary" disabled=${busy}>Rank again</button></div>
  </form>`;
}

/** Models that score, but for the one that has: a customer's needs a training that succeeded. */
async function usable(but) {
  const found = [];
  for await (const model of everything("/models", { limit: 200 })) {
    if (model.id !== but && (model.kind !== "customer" || model.version !== null)) found.push(model);
  }
  return found;
}

/** -> the id of the new ranking. Deleted photos, which have no name any more, stay away. */
async function rank({ entries, name }, model) {
  const images = entries.filter((entry) => entry.name !== null).map(({ image }) => image);
  return (await post("/rankings", { images, model, name })).id;
}
