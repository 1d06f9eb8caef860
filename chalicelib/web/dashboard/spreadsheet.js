// A ranking as a spreadsheet: CSV after RFC 4180, in UTF-8 with the mark by which Excel knows it.

const MARK = "\uFEFF";
const HEADER = [
  "rank",
  "name",
  "image",
  "score",
  "low",
  "high",
  "beats_next",
  "domain",
  "reasons",
  "reason_of_failure",
];
// What a spreadsheet would take for a formula, and a name may well begin with.
const FORMULA = /^[=+\-@\t\r]/;

/** The whole file as a text. */
export function csv(entries) {
  return MARK + [HEADER, ...entries.map(row)].map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
}

function row({ rank, name, image, score, interval, beats_next, domain, reasons, reason }) {
  const [low, high] = interval ?? [];
  const why = reasons.map(({ text, effect }) => `${text} (${effect})`).join("; ");
  return [rank, name, image, score, low, high, beats_next, domain, why, reason];
}

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Hands the ranking to the person as a file. */
export function download(ranking) {
  const url = URL.createObjectURL(new Blob([csv(ranking.entries)], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${(ranking.name ?? "ranking").replace(/[\\/:*?"<>|\p{Cc}]+/gu, "-").slice(0, 80)}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
