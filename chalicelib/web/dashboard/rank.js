// Where photographs are dropped, and where what was ranked before is found.

import { Collections, Rankings } from "./before.js";
import { Drop } from "./drop.js";
import { html, useEffect, useState } from "./preact.js";
import { Failure, Loading, title } from "./states.js";
import { Tray } from "./uploads.js";

export default function Rank({ parts, query }) {
  const all = query.has("all");
  if (parts.length > 0 || all)
    return html`<${Lazily} key=${parts[0] ?? ""} collection=${all ? null : parts[0]} />`;
  return html`<${Start} />`;
}

function Start() {
  title("Rank");
  return html`<h1>Rank photographs</h1>
    <${Drop} />
    <${Tray} />
    <div class="split before"><${Rankings} /><${Collections} /></div>`;
}

/** The library, fetched when somebody opens it. */
function Lazily(props) {
  const [module, setModule] = useState(null);
  const [error, setError] = useState(null);
  const load = () => {
    setError(null);
    import("./library.js").then(setModule, () => setError(new Error("The connection was lost.")));
  };
  useEffect(load, []);
  if (module) return html`<${module.Library} ...${props} />`;
  return html`<h1>Photographs</h1>${error ? html`<${Failure} error=${error} again=${load} />` : html`<${Loading} />`}`;
}
