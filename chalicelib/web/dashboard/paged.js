// A list that is fetched page by page, as far as the person asks for, and what stands under it.

import { get } from "./api.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { Failure, Loading } from "./states.js";

const FIRST = { items: [], next: undefined, error: null, loading: true };

/**
 * {items, empty, loading, error, more, again}: more fetches the next page, null where there is none that one knows of;
 * again() begins anew, and so does another path, another query and each change of deps. empty: nothing is in it for sure.
 */
export function usePaged(path, query = {}, deps = []) {
  const [list, setList] = useState(FIRST);
  const reading = useRef(null);
  const read = async (cursor) => {
    reading.current?.abort(); // one page at a time
    reading.current = new AbortController();
    const { signal } = reading.current;
    setList((before) => ({ ...(cursor ? before : FIRST), loading: true, error: null }));
    const change = await page(path, { ...query, cursor }, signal);
    if (!signal.aborted) setList(change);
  };
  useEffect(() => {
    read();
    return () => reading.current.abort();
  }, [path, JSON.stringify(query), ...deps]);
  const { items, next, error, loading } = list;
  const empty = !loading && !error && !next && items.length === 0;
  return { items, empty, loading, error, more: next ? () => read(next) : null, again: () => read() };
}

/** -> what the next page changes of a list. */
function page(path, query, signal) {
  return get(path, query, { signal }).then(
    ({ items, next }) =>
      (before) => ({ items: [...before.items, ...items], next, error: null, loading: false }),
    (error) => (before) => ({ ...before, error, loading: false }),
  );
}

/** What stands under a list of usePaged: that it is being read, that it failed, and the way to more. */
export function Rest({ list: { loading, error, more, again }, text, label = "Show more" }) {
  if (error) return html`<${Failure} error=${error} again=${more ?? again} />`;
  return html`${loading && html`<${Loading} text=${text} />`}
    ${more && html`<p><button type="button" class="button" onClick=${more}>${label}</button></p>`}`;
}
