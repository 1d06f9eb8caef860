// A CSV file to fill in: the account's newest pictures, a line each.

import { get } from "./api.js";

const COLUMNS = ["image", "engagement", "impressions", "posted_at", "campaign"];
const NEWEST = 200;

export async function downloadTemplate() {
  const { items } = await get("/images", { state: "ready", limit: NEWEST });
  const address = URL.createObjectURL(new Blob([template(items)], { type: "text/csv" }));
  Object.assign(document.createElement("a"), { href: address, download: "posts.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** The last column has no name, so that nothing reads it: it tells the person which picture it is. */
function template(images) {
  const rows = images.map(({ id, name }) => [id, "", "", "", "", note(name)]);
  return [[...COLUMNS, ""], ...rows].map((cells) => `${cells.join(",")}\r\n`).join("");
}

/** Quoted, and never a formula to a spreadsheet. */
function note(name) {
  const harmless = /^[=+\-@\t\r]/.test(name) ? `'${name}` : name;
  return `"${harmless.replaceAll('"', '""')}"`;
}
