// The images of a collection, read page by page, and kept up to date while the API works on them.

import { del, get } from "./api.js";
import { look, pause, rest } from "./following.js";
import { useEffect, useRef, useState } from "./preact.js";

const A_PAGE = 200;
const FOLLOWED = 200;
const PARALLEL = 6;
const EMPTY = { items: [], next: undefined, error: null };

const keyed = (image) => ({ ...image, key: image.id });
const open = ({ state }) => state === "processing" || state === "awaiting_upload";

/**
 * collection: its name, or null for all images. state: only those, or "".
 * -> { items: images so far, each with a key; ended; error; more(): the next page; again(id): one image afresh,
 *      drop(ids): those that were deleted }
 */
export function useShelf(collection, state) {
  const [shelf, setShelf] = useState(EMPTY);
  const reading = useRef(null);
  const read = (cursor) => {
    if (reading.current && !reading.current.over) return; // one page at a time
    const turn = new AbortController();
    reading.current = turn;
    page({ collection, state, cursor }, turn.signal).then((found) => {
      turn.over = true;
      if (!turn.signal.aborted) setShelf((before) => joined(before, found));
    });
  };
  useEffect(() => {
    setShelf(EMPTY);
    read(undefined);
    return () => {
      reading.current.abort();
      reading.current.over = true;
    };
  }, [collection, state]);
  const replace = (found) =>
    setShelf((before) => ({ ...before, items: before.items.map((one) => found.get(one.id) ?? one) }));
  useFollowing(shelf.items, collection, replace);
  return {
    ...shelf,
    ended: shelf.next === null,
    more: () => shelf.next !== null && read(shelf.next),
    again: async (id) => replace(await fresh([id], collection)),
    drop: (ids) =>
      setShelf((before) => ({ ...before, items: before.items.filter(({ id }) => !ids.has(id)) })),
  };
}

async function page({ collection, state, cursor }, signal) {
  try {
    const { items, next } = await get("/images", { collection, state, cursor, limit: A_PAGE }, { signal });
    return { items: items.map(keyed), next, error: null };
  } catch (error) {
    return { items: [], error };
  }
}

/** A page that failed leaves the place to go on from. */
function joined(before, { items, next, error }) {
  if (error) return { ...before, error };
  const known = new Set(before.items.map(({ id }) => id));
  return { items: [...before.items, ...items.filter(({ id }) => !known.has(id))], next, error: null };
}

async function fresh(ids, collection, signal) {
  const found = await look(ids, collection, { signal });
  return new Map([...found].filter(([, image]) => image.urls).map(([id, image]) => [id, keyed(image)]));
}

/** Looks again at images that are not final, as long as there are any. */
function useFollowing(items, collection, replace) {
  const latest = useRef(items);
  latest.current = items;
  const needed = items.some(open);
  useEffect(() => {
    if (!needed) return undefined;
    const over = new AbortController();
    follow(latest, collection, replace, over.signal);
    return () => over.abort();
  }, [needed, collection]);
}

async function follow(latest, collection, replace, signal) {
  for (let wait = pause(0, true); !signal.aborted; ) {
    await rest(wait);
    const watched = latest.current.filter(open).slice(0, FOLLOWED);
    if (signal.aborted || watched.length === 0) return;
    const ids = watched.map(({ id }) => id);
    const found = await fresh(ids, collection, signal).catch(() => new Map());
    if (signal.aborted) return;
    const changed = watched.some(({ id, state }) => found.has(id) && found.get(id).state !== state);
    if (changed) replace(found);
    wait = pause(wait, changed);
  }
}

/** Delete images, a few at a time. -> { gone: Set of ids, error: the last, or null }. */
export async function deleteAll(ids, progress) {
  const waiting = [...ids];
  const gone = new Set();
  let error = null;
  const worker = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        await del(`/images/${id}`);
        gone.add(id);
      } catch (failure) {
        if (failure.status === 404) gone.add(id);
        else error = failure;
      }
      progress(gone.size);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return { gone, error };
}
