// The pages, each fetched when someone goes there.

import { h, html, useEffect, useState } from "./preact.js";
import { route } from "./router.js";
import { Loading, title } from "./states.js";

const PAGES = {
  rank: { load: () => import("./rank.js") },
  rankings: { load: () => import("./sheet.js") },
  compare: { load: () => import("./compare.js") },
  shared: { load: () => import("./sheet.js"), name: "Shared", open: true },
  models: { load: () => import("./models.js") },
  track: { load: () => import("./tracking.js") },
  push: { load: () => import("./push.js") },
  inbox: { load: () => import("./inbox.js") },
};

// Not in index.html, where they would hold up the sign-in form; all at once, so that their order is always the same.
const STYLES = ["uploads", "film", "sheet", "loupe", "models", "tracking", "push", "uplot"];
let styled;

/** Whether a page is for everybody, signed in or not. */
export function isOpen(page) {
  return Boolean(PAGES[page]?.open);
}

/** The page of the address. A page stays what it is while only its parts or its query change. */
export function Page() {
  const { page, parts, query } = route.value;
  const [module, setModule] = useState(null);
  const known = Object.hasOwn(PAGES, page);
  useEffect(() => {
    let here = true;
    if (known) load(page).then((loaded) => here && setModule({ page, ...loaded }));
    return () => {
      here = false;
    };
  }, [page]);
  if (!known) return html`<${Nowhere} />`;
  if (module?.page !== page) return html`<${Loading} />`;
  if (module.error) return html`<${Outdated} />`;
  return h(module.view, { key: page, parts, query });
}

async function load(page) {
  const { load: fetched, name = "default" } = PAGES[page];
  try {
    styled ??= style();
    const [module] = await Promise.all([fetched(), styled]);
    return { view: module[name] };
  } catch (error) {
    console.warn(error);
    return { error };
  }
}

/** All of them or none, so that the next page tries again. */
async function style() {
  const links = STYLES.map(linkTo);
  document.head.append(...links);
  try {
    await Promise.all(links.map(loaded));
  } catch (error) {
    for (const link of links) link.remove();
    styled = undefined;
    throw error;
  }
}

function linkTo(name) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL(`${name}.css`, import.meta.url);
  return link;
}

function loaded(link) {
  return new Promise((resolve, reject) => {
    link.onload = resolve;
    link.onerror = () => reject(new Error(`${link.href} is gone.`));
  });
}

function Nowhere() {
  title("Not found");
  return html`<section class="empty">
    <h1>There is no such page</h1>
    <p>The address may be mistyped. <a href="#/rank">Go to your photos</a>.</p>
  </section>`;
}

/** A part of this very version is gone, or the network is: a fresh start helps with both. */
function Outdated() {
  title("Reload");
  return html`<section class="empty" role="alert">
    <h1>This page could not be fetched</h1>
    <p>Proofsheet was updated while this tab was open, or the connection was lost. Reload to go on.</p>
    <p><button type="button" class="button primary" onClick=${() => location.reload()}>Reload</button></p>
  </section>`;
}
