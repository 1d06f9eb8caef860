// A file of posts on its way to S3: looked at here first, so that a wrong one is told of before it is sent.

import { post } from "./api.js";
import { send as sendTo } from "./sending.js";

export const MAX_BYTES = 32_000_000;
const NEEDED = ["image", "engagement"];
export const KNOWN = [...NEEDED, "impressions", "posted_at"];
const HEAD = 64 * 1024;
const TRIES = 5;

/** {format, columns} of a file that may be sent. Throws an Error that names the column or what else is wrong. */
export async function looked(file) {
  const format = formatOf(file.name);
  if (!format) throw new Error("The file's name must end in .csv or .jsonl.");
  if (file.size === 0) throw new Error("The file is empty.");
  if (file.size > MAX_BYTES)
    throw new Error(`The file has ${megabytes(file.size)}; it may have at most 32 MB.`);
  const text = await file.slice(0, HEAD).text();
  const columns = format === "csv" ? header(text) : fields(text);
  const missing = NEEDED.filter((name) => !columns.includes(name));
  if (missing.length) throw new Error(`${told(missing)} missing. ${found(columns, format)}`);
  return { format, columns };
}

function formatOf(name) {
  const end = name.toLowerCase().split(".").at(-1);
  return { csv: "csv", tsv: "csv", txt: "csv", jsonl: "jsonl", ndjson: "jsonl" }[end];
}

function told(names) {
  return names.length > 1 ? `The columns ${names.join(" and ")} are` : `The column ${names[0]} is`;
}

function found(columns, format) {
  const where = format === "csv" ? "The first line" : "The first object";
  const names = columns
    .filter(Boolean)
    .slice(0, 8)
    .map((name) => `“${name.slice(0, 40)}”`);
  return names.length ? `${where} names ${names.join(", ")}.` : `${where} names no columns.`;
}

/** The names of a CSV file's columns, parted by commas, semicolons or tabs, whichever makes most of them. */
function header(text) {
  const [first] = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const rows = [",", ";", "\t"].map((mark) => first.split(mark).map(unquoted));
  return rows.sort((one, other) => other.length - one.length)[0];
}

function unquoted(cell) {
  const name = cell
    .trim()
    .replace(/^"(.*)"$/, "$1")
    .trim();
  return KNOWN.includes(name.toLowerCase()) ? name.toLowerCase() : name;
}

function fields(text) {
  const first = text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .find((line) => line.trim());
  try {
    return Object.keys(JSON.parse(first));
  } catch {
    throw new Error("The first line is not a JSON object.");
  }
}

export function megabytes(bytes) {
  return bytes < 100_000 ? `${Math.ceil(bytes / 100) / 10} kB` : `${Math.ceil(bytes / 100_000) / 10} MB`;
}

/** Send it; the data set's id. progress(share) is told what S3 has got. Waits for the network and tries again. */
export async function send(file, format, progress, signal) {
  const body = { name: file.name.slice(0, 200), format, size: file.size };
  const slot = await post("/datasets", body, { signal });
  for (let tries = 1; ; tries += 1) {
    const { is, reason } = await sendTo(slot.upload, file, (bytes) => progress(bytes / file.size), signal);
    if (is === "sent") return slot.id;
    signal.throwIfAborted();
    if (is !== "lost" || tries === TRIES) throw new Error(`The file was not sent. ${reason}`);
    await network(tries);
  }
}

async function network(tries) {
  if (!navigator.onLine) await new Promise((resolve) => addEventListener("online", resolve, { once: true }));
  else
    await new Promise((resolve) => setTimeout(resolve, 1000 * 2 ** (tries - 1) * (0.5 + Math.random() / 2)));
}
