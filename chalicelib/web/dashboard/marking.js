// Which frames have a ring of grease pencil: at most two of a sheet, those that are to be compared.

import { signal } from "./preact.js";

const rings = signal({ sheet: null, images: [] });

/** Ids of the marked images, in the order of their marking. */
export function marked(sheet) {
  return rings.value.sheet === sheet ? rings.value.images : [];
}

/** A third ring takes the place of the older one of two. */
export function toggle(sheet, image) {
  const before = marked(sheet);
  const others = before.filter((id) => id !== image);
  const images = others.length < before.length ? others : [...others, image].slice(-2);
  rings.value = { sheet, images };
}

export function clear(sheet) {
  rings.value = { sheet, images: [] };
}
