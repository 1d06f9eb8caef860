// What is picked in a list, by clicks and keys. Pure: a selection and what is done to it -> the next selection.

/** keys: a Set. anchor: index at which a range begins. active: index that has the focus. */
export const NOTHING = { keys: new Set(), anchor: 0, active: 0 };

/** items: in the order in which they are seen, each with a key. range: from the anchor to `index`, else `index` alone. */
export function pick(selection, items, index, { range = false } = {}) {
  if (range) return { ...selection, keys: between(selection, items, index), active: index };
  const keys = new Set(selection.keys);
  if (!keys.delete(items[index].key)) keys.add(items[index].key);
  return { keys, anchor: index, active: index };
}

/** To another item; with `range`, all from the anchor to there are picked as well. */
export function move(selection, items, index, { range = false } = {}) {
  return range ? pick(selection, items, index, { range }) : { ...selection, anchor: index, active: index };
}

export const all = (selection, items) => ({ ...selection, keys: new Set(items.map(({ key }) => key)) });
export const none = (selection) => ({ ...selection, keys: new Set() });

/** What is no longer there cannot be picked. */
export function without(selection, gone) {
  return { ...NOTHING, keys: new Set([...selection.keys].filter((key) => !gone.has(key))) };
}

function between({ keys, anchor }, items, index) {
  const [from, to] = anchor < index ? [anchor, index] : [index, anchor];
  return new Set([...keys, ...items.slice(from, to + 1).map(({ key }) => key)]);
}
