// A list of which one page after the other is fetched, as far as the person asks for.

import { get } from "./api.js";
import { useEffect, useRef, useState } from "./preact.js";

const FIRST = { items: [], next: null, error: null, loading: true };

/** {items, next, error, loading, more, again}: more() fetches the next page, again() begins anew. deps: when to. */
export function usePaged(path, query, deps) {
  const [list, setList] = useState(FIRST);
  const turn = useRef(0);
  const fetched = async (cursor) => {
    const mine = ++turn.current;
    setList((before) => ({ ...(cursor ? before : FIRST), loading: true, error: null }));
    const change = await get(path, { ...query, cursor }).then(
      ({ items, next }) =>
        (before) => ({ items: [...before.items, ...items], next, error: null, loading: false }),
      (error) => (before) => ({ ...before, error, loading: false }),
    );
    if (turn.current === mine) setList(change);
  };
  useEffect(() => void fetched(), deps);
  return { ...list, more: () => fetched(list.next), again: () => fetched() };
}
