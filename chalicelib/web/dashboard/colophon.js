// What stands under a sheet's name: how many photos, by which model, and when.

import { get } from "./api.js";
import { ago, count } from "./moments.js";
import { html, useEffect, useState } from "./preact.js";

const STATES = {
  pending: "being scored",
  complete: "all scored",
  partial: "some could not be ranked",
};
const OWN = /^[0-9a-z]{26}$/;

/** own: whether the names of the account's models may be asked for. */
export function Colophon({ ranking: { progress, model, created_at: created, state }, own }) {
  const name = useModelName(model, own);
  return html`<p class="colophon">
    ${count(progress.total)} photos, ${STATES[state]} · <bdi dir="auto">${name}</bdi> · ${ago(created)}
  </p>`;
}

function useModelName(model, own) {
  const shipped = !OWN.test(model);
  const [name, setName] = useState(shipped ? `model ${model}` : "a model of their own");
  useEffect(() => {
    let here = true;
    if (own && !shipped)
      get(`/models/${model}`).then(
        (found) => here && setName(`model ${found.name}`),
        () => {},
      );
    return () => {
      here = false;
    };
  }, [model, own]);
  return name;
}
