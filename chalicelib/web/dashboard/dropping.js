// Files out of a drop, a paste or an input, folders with all that is in them.

import { typeOf } from "./uploading.js";

// What systems leave in folders, and photographs that deserve to be told why they are not taken.
const LITTER = /^(\.|Thumbs\.db$|desktop\.ini$|__MACOSX$)/i;
const PHOTOGRAPH = /\.hei[cf]$/i;

/**
 * -> { files, folder: the name of the one that was dropped, or null, others: how many files in folders were left out
 * because they are no photographs }. What a person chose by itself is never left out.
 */
export async function dropped(transfer) {
  // The items are empty as soon as this turn of the event loop ends, so all entries are taken first.
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const taken = items.map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  const folders = taken.filter(({ entry }) => entry?.isDirectory).map(({ entry }) => entry);
  const single = taken.filter(({ entry }) => !entry?.isDirectory).map(({ file }) => file);
  const within = (await Promise.all(folders.map(contents))).flat();
  return { ...sorted(within, single.filter(Boolean)), folder: folders[0]?.name ?? null };
}

/** The same of what an input has: one for files, or one with `webkitdirectory`. */
export function chosen(list) {
  const files = [...list];
  const within = files.filter((file) => file.webkitRelativePath);
  const single = files.filter((file) => !file.webkitRelativePath);
  const kept = within.filter((file) => !file.webkitRelativePath.split("/").some((part) => LITTER.test(part)));
  return { ...sorted(kept, single), folder: within[0]?.webkitRelativePath.split("/")[0] ?? null };
}

function sorted(within, single) {
  const photographs = within.filter((file) => typeOf(file) !== null || PHOTOGRAPH.test(file.name));
  return { files: [...single, ...photographs], others: within.length - photographs.length };
}

async function contents(folder) {
  const found = [];
  for (const entry of await entries(folder.createReader())) {
    if (LITTER.test(entry.name)) continue;
    if (entry.isDirectory) found.push(...(await contents(entry)));
    else found.push(await file(entry));
  }
  return found.filter(Boolean);
}

/** The file, or null of a link that leads nowhere. */
function file(entry) {
  return new Promise((resolve) => entry.file(resolve, () => resolve(null)));
}

/** readEntries gives a hundred at most, and nothing once all were given. */
async function entries(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}
