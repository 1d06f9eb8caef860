// All that is known of an image, fetched when someone looks at it and not before.

import { get } from "./api.js";
import { signal, useEffect, useState } from "./preact.js";

const AT_ONCE = 4;
const FRESH = 50 * 60_000; // ms; signed addresses live for an hour
const LINGER = 250; // ms; who scrolls past a frame does not look at it

const known = new Map();
const waiting = [];
let asking = 0;

/** How many images have been fetched so far, for those who want to look again when there are more. */
export const fetched = signal(0);

/** The image that is there already, or null. */
export function alreadyKnown(id) {
  return known.get(id)?.image ?? null;
}

/** -> the image (contract.Image), or null if it is gone. */
export function details(id) {
  const kept = known.get(id);
  if (kept && Date.now() - kept.at < FRESH) return kept.promise;
  const entry = { at: Date.now(), image: null };
  entry.promise = turn(() => get(`/images/${id}`)).then((image) => arrived(entry, image));
  entry.promise.catch(() => known.delete(id));
  known.set(id, entry);
  return entry.promise;
}

function arrived(entry, image) {
  entry.image = image;
  fetched.value += 1;
  return image;
}

async function turn(ask) {
  if (asking >= AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
  asking += 1;
  try {
    return await ask();
  } finally {
    asking -= 1;
    waiting.shift()?.();
  }
}

/** The image, once it is wanted and here; until then null. */
export function useDetails(id, wanted = true) {
  const [image, setImage] = useState(() => alreadyKnown(id));
  useEffect(() => {
    let here = true;
    setImage(alreadyKnown(id));
    if (wanted && id)
      details(id).then(
        (found) => here && setImage(found),
        () => {},
      );
    return () => {
      here = false;
    };
  }, [id, wanted]);
  return image;
}

/** Whether someone has looked at the element for a moment. */
export function useSeen(ref, interested) {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (!interested || seen) return undefined;
    let timer;
    const observer = new IntersectionObserver(([entry]) => {
      clearTimeout(timer);
      if (entry.isIntersecting) timer = setTimeout(() => setSeen(true), LINGER);
    });
    observer.observe(ref.current);
    return () => {
      clearTimeout(timer);
      observer.disconnect();
    };
  }, [interested, seen]);
  return seen;
}
