// Which model ranks: the general one unless someone chooses.

import { everything } from "./api.js";
import { SelectField } from "./field.js";
import { html, useEffect, useState } from "./preact.js";
import { model } from "./ranking.js";

const KINDS = { general: "General", market: "Market", customer: "Your own" };

export function ModelChoice() {
  const [models, setModels] = useState([]);
  useEffect(() => {
    const over = new AbortController();
    usable(over.signal).then(setModels, () => {}); // without the list, the general one ranks
    return () => over.abort();
  }, []);
  const named = models.map(({ id, name, kind }) => [
    id,
    kind === "general" ? name : `${KINDS[kind]}: ${name}`,
  ]);
  const options = named.length > 0 ? named : [["general", "General"]];
  return html`<${SelectField} label="Model" options=${options} value=${model.value} onChange=${(id) => {
    model.value = id;
  }} />`;
}

/** Those that score: models of one's own do once a training of theirs has succeeded. */
async function usable(signal) {
  const found = [];
  for await (const one of everything("/models", { limit: 200 }, { signal })) {
    if (one.kind !== "customer" || one.version !== null) found.push(one);
  }
  return found;
}
