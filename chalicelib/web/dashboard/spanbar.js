// The choice of a time: a few that are asked for often, any others by their dates, by hour or by day.

import { SelectField, TextField } from "./field.js";
import { html, useState } from "./preact.js";
import { dates, PRESETS } from "./span.js";

/** span: of span.js; change: gets another one. */
export function SpanBar({ span, change }) {
  const [open, setOpen] = useState(!span.preset);
  return html`
    <div class="stack">
      <div class="toolbar">
        <fieldset class="presets"><legend class="visually-hidden">Time</legend>
          ${Object.entries(PRESETS).map(
            ([key, [name, , by]]) => html`
            <button type="button" key=${key} aria-pressed=${span.preset === key} onClick=${() => change({ preset: key, by })}>${name}</button>`,
          )}
          <button type="button" aria-expanded=${open} onClick=${() => setOpen(!open)}>Dates …</button>
        </fieldset>
        <${SelectField} label="Steps" value=${span.by} onChange=${(by) => change({ ...span, by })}
          options=${[["hour", "Hours"], ["day", "Days"]]} />
      </div>
      ${open && html`<${Dates} span=${span} change=${change} />`}
    </div>`;
}

function Dates({ span, change }) {
  const [wanted, setWanted] = useState(dates(span, Date.now()));
  const submit = (event) => {
    event.preventDefault();
    change({ preset: null, by: span.by, ...wanted });
  };
  return html`<form class="toolbar" onSubmit=${submit}>
    <${TextField} label="From" type="date" required value=${wanted.from} onInput=${(from) => setWanted({ ...wanted, from })} />
    <${TextField} label="To" hint="" type="date" required value=${wanted.to} onInput=${(to) => setWanted({ ...wanted, to })} />
    <button class="button">Show</button>
  </form>`;
}
