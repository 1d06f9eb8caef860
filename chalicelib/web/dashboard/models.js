// Models: what each is good at, in plain words. This is the list; model.js shows one of them, training.js begins one.

import { everything } from "./api.js";
import ModelPage from "./model.js";
import { ModelCard } from "./modelcard.js";
import { usePolled } from "./poll.js";
import { html, useEffect } from "./preact.js";
import { href } from "./router.js";
import { Empty, Failure, Loading, title } from "./states.js";
import Training from "./training.js";
import { isTraining } from "./verdict.js";

export default function Page({ parts }) {
  const [id] = parts;
  if (id === "new") return html`<${Training} />`;
  return id ? html`<${ModelPage} key=${id} id=${id} />` : html`<${List} />`;
}

function List() {
  useEffect(() => title("Models"), []);
  const { value, error, again } = usePolled(read, { ended: (models) => !models.some(isTraining) });
  return html`
    <header class="page-head">
      <h1>Models</h1>
      <p class="lede">A model looks at a picture and says how it will do. The general one knows what strangers find beautiful;
        one of your own learns what your audience acts on.</p>
    </header>
    ${!value && (error ? html`<${Failure} error=${error} again=${again} />` : html`<${Loading} text="Loading the models" />`)}
    ${
      value &&
      html`<${Shipped} models=${value.filter((each) => each.kind !== "customer")} />
      <${Own} models=${value.filter((each) => each.kind === "customer")} />`
    }`;
}

async function read(signal) {
  const models = [];
  for await (const model of everything("/models", { limit: 200 }, { signal })) models.push(model);
  return models;
}

function Shipped({ models }) {
  return html`<section class="stack" aria-labelledby="shipped">
    <h2 id="shipped">Included</h2>
    <${Cards} models=${models} />
  </section>`;
}

function Own({ models }) {
  const train = html`<a class="button primary" href=${href("models", "new")}>Train a model</a>`;
  return html`<section class="stack" aria-labelledby="own">
    <div class="row spread"><h2 id="own">Your own</h2>${models.length > 0 && train}</div>
    ${models.length > 0 ? html`<${Cards} models=${models} />` : html`<${None}>${train}<//>`}
  </section>`;
}

function None({ children }) {
  return html`<${Empty} title="None yet">
    <p>Bring what became of the pictures that you have published: a file with their likes, clicks or sales, or the
      clicks that Proofsheet has tracked. From about 50 posts on it is worth a try.</p>
    ${children}
  <//>`;
}

function Cards({ models }) {
  return html`<ul class="model-cards">${models.map((model) => html`<li key=${model.id}><${ModelCard} model=${model} /></li>`)}</ul>`;
}
