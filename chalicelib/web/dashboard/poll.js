// Looking again at what changes: often while it moves, seldom while it rests, never where nobody looks.

import { useEffect, useRef, useState } from "./preact.js";

const QUICK = 1000;
const SLOW = 5000;

/**
 * read(signal): a promise of the value. ended(value): true at a final state, after which nobody asks any more.
 * while: the values on which `read` depends; asks afresh when one changes.
 * Answers {value, error, again}: error is that of the last look or null; again() looks at once.
 */
export function usePolled(read, { ended = () => false, while: deps = [] } = {}) {
  const [seen, setSeen] = useState({ value: undefined, error: null });
  const watch = useRef(null);
  const latest = useRef({});
  latest.current = { read, ended };
  useEffect(() => {
    setSeen({ value: undefined, error: null });
    watch.current = watching(latest, setSeen);
    return watch.current.stop;
  }, deps);
  return { ...seen, again: () => watch.current?.look() };
}

function watching(latest, show) {
  const over = new AbortController();
  let timer;
  let wait = QUICK;
  let before;
  let looking = 0;
  let ended = false; // until someone asks again

  async function look() {
    clearTimeout(timer);
    const turn = ++looking;
    ended = false;
    const seen = await outcome(latest.current.read, over.signal);
    if (over.signal.aborted || turn !== looking) return;
    show((last) => ({ value: seen.error ? last.value : seen.value, error: seen.error }));
    ended = seen.error ? refused(seen.error) : latest.current.ended(seen.value);
    if (ended) return;
    wait = changed(seen.value) ? QUICK : Math.min(wait * 1.5, SLOW);
    rest();
  }

  function changed(value) {
    const text = JSON.stringify(value);
    const differs = text !== before;
    before = text;
    return differs;
  }

  function rest() {
    if (!document.hidden) timer = setTimeout(look, wait);
  }

  function seenAgain() {
    if (document.hidden) clearTimeout(timer);
    else if (!ended) look();
  }

  function stop() {
    over.abort();
    clearTimeout(timer);
  }

  document.addEventListener("visibilitychange", seenAgain, { signal: over.signal });
  look();
  return { look, stop };
}

async function outcome(read, signal) {
  try {
    return { value: await read(signal), error: null };
  } catch (error) {
    return { error };
  }
}

/** What the API will say again, however often it is asked. */
function refused({ status }) {
  return status >= 400 && status < 500 && status !== 429;
}
