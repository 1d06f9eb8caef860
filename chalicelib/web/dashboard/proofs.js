// A ranking that is read again and again.

import { usePolled } from "./poll.js";
import { useEffect, useRef } from "./preact.js";

/** ms between two renewals of an address: a picture that cannot be shown must not ask for ever. */
export const APART = 10 * 60_000;

/**
 * read(signal): a promise of the ranking. Answers {ranking, error, again, renew}.
 *
 * Each answer signs its addresses anew; a picture keeps the one it was shown by, or it would be fetched each time.
 * renew(): when one is over, which is after an hour.
 */
export function useRanking(read, deps) {
  const addresses = useRef(new Map());
  const renewed = useRef(0);
  const steady = (ranking) => ({
    ...ranking,
    entries: ranking.entries.map((entry) => kept(entry, addresses.current)),
  });
  const { value, error, again } = usePolled(async (signal) => steady(await read(signal)), {
    ended: final,
    while: deps,
  });
  const renew = () => {
    if (Date.now() - renewed.current < APART) return;
    renewed.current = Date.now();
    addresses.current.clear();
    again();
  };
  useEffect(() => () => addresses.current.clear(), deps);
  return { ranking: value, error, again, renew };
}

export function final({ state }) {
  return state !== "pending";
}

function kept(entry, addresses) {
  if (entry.urls.preview === null) return entry;
  if (!addresses.has(entry.image)) addresses.set(entry.image, entry.urls);
  return { ...entry, urls: addresses.get(entry.image) };
}
