// A few short texts that outlive the page: localStorage, or this page's memory where a browser forbids that.

const memory = new Map();

/** The text kept under `key`, or null. */
export function recall(key) {
  try {
    return memory.get(key) ?? localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Forgets all whose keys begin so, whoever has kept it. */
export function forget(beginning) {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(beginning)) localStorage.removeItem(key);
  } catch {
    // Where nothing may be kept there is nothing.
  }
}

/** Keeps `text` under `key`; null forgets it. */
export function keep(key, text) {
  memory.delete(key);
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch {
    if (text !== null) memory.set(key, text);
  }
}
