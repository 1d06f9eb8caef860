// What has become of images that the API works on, asked for with few and small requests.

import { get } from "./api.js";

const SINGLE = 6;
const PAGE = 200;
const PAGES = 5;
const QUICK_MS = 1000;
const SLOW_MS = 5000;
const HIDDEN_MS = 15_000;
const GONE = { state: "failed", reason: "It was deleted." };

/**
 * ids: of images of one collection (null: any). -> Map of id to image, of those that were found.
 * A few are asked for by id; of many, those that are worked on are among the newest.
 */
export function look(ids, collection, options) {
  return ids.length <= SINGLE ? oneByOne(ids, options) : newest(ids, collection, options);
}

async function oneByOne(ids, options) {
  return new Map(await Promise.all(ids.map(async (id) => [id, await image(id, options)])));
}

/** The image; one that is gone is like one that failed. */
async function image(id, options) {
  try {
    return await get(`/images/${id}`, undefined, options);
  } catch (error) {
    if (error.status === 404) return { id, ...GONE };
    throw error;
  }
}

async function newest(ids, collection, options) {
  const missing = new Set(ids);
  const found = new Map();
  const limit = Math.min(PAGE, ids.length + SINGLE);
  let cursor;
  for (let page = 0; page < PAGES && missing.size > 0; page += 1) {
    const { items, next } = await get("/images", { collection, limit, cursor }, options);
    for (const item of items.filter(({ id }) => missing.delete(id))) found.set(item.id, item);
    if (!next) break;
    cursor = next;
  }
  return found;
}

/** How long to wait before the next look (ms): quickly while something changes, slowing down while nothing does. */
export function pause(before, changed) {
  if (document.hidden) return HIDDEN_MS;
  return changed ? QUICK_MS : Math.min(SLOW_MS, Math.max(QUICK_MS, before) * 1.5);
}

/** `ms`, or less if the page comes into sight before. */
export function rest(ms) {
  return new Promise((resolve) => {
    const seen = new AbortController();
    const over = () => {
      clearTimeout(timer);
      seen.abort();
      resolve();
    };
    const timer = setTimeout(over, ms);
    document.addEventListener("visibilitychange", () => document.hidden || over(), { signal: seen.signal });
  });
}
