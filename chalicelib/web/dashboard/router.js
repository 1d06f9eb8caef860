// Where one is: the part of the address after "#", for nothing of it reaches a server.

import { signal, useEffect, useRef } from "./preact.js";

const FIRST = "rank";

/** {page, parts, query}: "#/models/general?tab=card" is page "models", parts ["general"], query tab=card. */
export const route = signal(parse(location.hash));

addEventListener("hashchange", () => {
  route.value = parse(location.hash);
});

/** href("rankings", id) is "#/rankings/<id>"; an object at the end becomes the query. */
export function href(...parts) {
  const query = typeof parts.at(-1) === "object" ? new URLSearchParams(given(parts.pop())) : "";
  const path = parts.map(encodeURIComponent).join("/");
  return `#/${path}${query.size ? `?${query}` : ""}`;
}

/** Goes there, as a click on a link does. */
export function go(...parts) {
  location.hash = href(...parts);
}

/** {current}: true until this component is gone. Whoever has left meanwhile is not fetched back by a late answer. */
export function useHere() {
  const here = useRef(true);
  useEffect(
    () => () => {
      here.current = false;
    },
    [],
  );
  return here;
}

function given(query) {
  return Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
}

function parse(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [page, ...parts] = path.split("/").filter(Boolean).map(decoded);
  return { page: page ?? FIRST, parts, query: new URLSearchParams(query) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // typed by hand, with a lone percent sign
  }
}
