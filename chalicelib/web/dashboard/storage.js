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
