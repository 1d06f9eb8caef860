// The texts of a campaign, with placeholders that are put where the cursor is.

import { placeholder, STANDING, uses } from "./draft.js";
import { Field, TextField } from "./field.js";
import { html, useRef } from "./preact.js";

const LONGEST = { sms: 1600, push: 4096 };
const MOST_OFFERED = 12;

export function Texts({ draft, change, errors, known }) {
  return html`<section class="step" aria-labelledby="step-texts">
    <h2 id="step-texts"><span class="edge" aria-hidden="true">3</span> What it says</h2>
    ${
      uses(draft, "sms") &&
      html`<${Template} label="Text message" text=${draft.sms} longest=${LONGEST.sms} known=${known}
      error=${errors["template.sms"]} onInput=${(sms) => change({ sms })} />`
    }
    ${
      uses(draft, "push") &&
      html`<${TextField} label="Title of the notification" value=${draft.title} maxlength="100" dir="auto"
      error=${errors["template.title"]} hint="Optional; the same for everybody." onInput=${(title) => change({ title })} />
      <${Template} label="App notification" text=${draft.push} longest=${LONGEST.push} known=${known}
      error=${errors["template.push"]} onInput=${(push) => change({ push })} />`
    }
    <details class="grammar">
      <summary>What else may stand in a text</summary>
      <p>A part for some only: <code>${"{% if standing.rank <= 3 %}You lead!{% endif %}"}</code></p>
      <p>A word for whoever has none: <code>${'{{ attributes.name | default("there") }}'}</code>. Without one, whoever lacks it
        gets no message.</p>
      <p>Also <code>upper</code>, <code>lower</code>, <code>capitalize</code>, <code>truncate</code>, <code>round</code> and a
        few more filters, <code>recipient.id</code> and <code>campaign.name</code>.</p>
    </details>
  </section>`;
}

function Template({ label, text, longest, known, error, onInput }) {
  const area = useRef(null);
  const insert = (what) => {
    const field = area.current;
    field.focus();
    field.setRangeText(what, field.selectionStart, field.selectionEnd, "end");
    onInput(field.value);
  };
  const offered = [...known.attributes.keys()]
    .slice(0, MOST_OFFERED)
    .map((name) => [name, placeholder(name)]);
  return html`<div class="template">
    <${Field} label=${label} error=${error}>
      ${(
        attributes,
      ) => html`<textarea ...${attributes} ref=${area} rows="4" maxlength=${longest} dir="auto" value=${text}
        onInput=${(event) => onInput(event.currentTarget.value)}></textarea>`}
    <//>
    <div class="inserts" role="group" aria-label=${`Insert into: ${label}`}>
      <span class="muted" aria-hidden="true">Insert</span>
      ${[...offered, ...STANDING].map(
        ([name, what]) =>
          html`<button key=${what} type="button" class="insert" onClick=${() => insert(what)}><bdi>${name}</bdi></button>`,
      )}
    </div>
  </div>`;
}
