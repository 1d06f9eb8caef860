// Which frames of a sheet are looked at.

import { alreadyKnown, details, fetched } from "./details.js";
import { CheckField, SelectField, TextField } from "./field.js";
import { nameOf } from "./judgment.js";
import { html, useEffect } from "./preact.js";

export const ALL = { text: "", least: "", ready: false, domain: "all" };

const DOMAINS = [
  ["all", "Any"],
  ["in", "Like those the model knows"],
  ["unlike", "Unlike those the model knows"],
];

/** The entries that pass; the order stays that of rank. */
export function passing(entries, { text, least, ready, domain }) {
  fetched.value; // labels that have arrived since let more pass
  const sought = text.trim().toLocaleLowerCase();
  const rated = ready || least !== "" || domain !== "all";
  return entries.filter((entry) => {
    if (rated && entry.score === null) return false;
    if (entry.score < Number(least)) return false;
    if (domain !== "all" && (entry.domain === "in") !== (domain === "in")) return false;
    return sought === "" || words(entry).toLocaleLowerCase().includes(sought);
  });
}

function words(entry) {
  const labels = alreadyKnown(entry.image)?.labels ?? [];
  return [nameOf(entry), ...labels.map(({ name }) => name)].join("\n");
}

/** own: whether the photos are the person's, so that labels can be asked for. */
export function Filter({ entries, filter, onFilter, own }) {
  const change = (name) => (value) => onFilter({ ...filter, [name]: value });
  const searching = filter.text.trim() !== "";
  useEffect(() => {
    if (own && searching) for (const { image } of entries) details(image).catch(() => {});
  }, [own, searching]);
  return html`<div class="toolbar filter" role="search" aria-label="Photos of this sheet">
    <${TextField} label=${own ? "Name or label" : "Name"} type="search" value=${filter.text} onInput=${change("text")} />
    <${TextField} label="Score from" type="number" min="0" max="100" inputmode="numeric" value=${filter.least}
      onInput=${change("least")} />
    <${SelectField} label="Kind of photo" options=${DOMAINS} value=${filter.domain} onChange=${change("domain")} />
    <${CheckField} label="Only those with a score" checked=${filter.ready} onChange=${change("ready")} />
  </div>`;
}
