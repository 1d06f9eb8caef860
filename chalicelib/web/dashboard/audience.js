// Who gets a campaign: everybody, or those for whom all of a few conditions hold.

import { CONDITIONS, KINDS } from "./draft.js";
import { SelectField, TextField } from "./field.js";
import { html, useId, useRef } from "./preact.js";

let numbers = 0;

export function Audience({ draft, change, errors, known }) {
  const { conditions } = draft;
  const added = useRef(null);
  const set = (index, part) =>
    change({ conditions: conditions.map((each, at) => (at === index ? { ...each, ...part } : each)) });
  const drop = (index) => {
    added.current.querySelector("select").focus(); // the button that had it goes
    change({ conditions: conditions.filter((_, at) => at !== index) });
  };
  const add = (is) => is && change({ conditions: [...conditions, fresh(is, known)] });
  return html`<section class="step" aria-labelledby="step-audience">
    <h2 id="step-audience"><span class="edge" aria-hidden="true">2</span> Who gets it</h2>
    <p>${conditions.length ? "Everybody for whom all of this holds:" : "Everybody."}
      <span class="muted"> Whoever opted out or cannot be reached is left out by itself, and quiet hours are kept.</span></p>
    ${
      conditions.length > 0 &&
      html`<ul class="conditions">
      ${conditions.map(
        (each, index) => html`<li key=${each.key} class="condition">
          <${Condition} condition=${each} known=${known} error=${errors[`condition.${index}`]} set=${(part) => set(index, part)} />
          <button type="button" class="button quiet" aria-label=${`Remove the condition: ${CONDITIONS[each.is]}`} onClick=${() => drop(index)}>×</button>
        </li>`,
      )}
    </ul>`
    }
    ${errors.audience && html`<p class="error" role="alert">${errors.audience}</p>`}
    <div class="row" ref=${added}>
      <${SelectField} label="Add a condition" value="" onChange=${add}
        options=${[["", "Choose …"], ...Object.entries(CONDITIONS)]} />
    </div>
  </section>`;
}

function fresh(is, { attributes }) {
  const [name, kind] = [...attributes][0] ?? ["", "text"];
  numbers += 1;
  return { key: numbers, is, value: "", ...(is === "attribute" ? { name, kind } : {}) };
}

function Condition({ condition, known, error, set }) {
  const { is, value } = condition;
  const onInput = (text) => set({ value: text });
  if (is === "attribute")
    return html`<${Attribute} condition=${condition} known=${known} error=${error} set=${set} />`;
  if (is === "level" || is === "badge")
    return html`<${Named} is=${is} names=${known[`${is}s`]} value=${value} error=${error} onInput=${onInput} />`;
  if (is === "ids") {
    return html`<${TextField} label="Their ids" rows="3" value=${value} error=${error} onInput=${onInput} className="mono"
      hint="One a line, or with commas between them; up to 10,000." />`;
  }
  const label = is === "max_rank" ? "Rank at most" : "Points at least";
  return html`<${TextField} label=${label} inputmode="numeric" value=${value} error=${error} onInput=${onInput}
    hint=${is === "max_rank" ? "10: the first ten, and whoever ties with the tenth." : undefined} />`;
}

function Named({ is, names, value, error, onInput }) {
  const label = is === "level" ? "Level" : "Badge";
  if (!names.length)
    return html`<${TextField} label=${label} value=${value} error=${error} onInput=${onInput} dir="auto" hint="As the game names it." />`;
  const options = [["", "Choose …"], ...names.map((name) => [name, name])];
  return html`<${SelectField} label=${label} options=${options} value=${value} error=${error} onChange=${onInput} />`;
}

/** An attribute that is any of some values; kinds are told apart, for "1" is not 1. */
function Attribute({ condition, known, error, set }) {
  const list = useId();
  const rename = (name) => set({ name, kind: known.attributes.get(name) ?? condition.kind });
  return html`<div class="attribute-condition">
    <${TextField} label="Attribute" value=${condition.name} list=${list} onInput=${rename} autocapitalize="none" />
    <datalist id=${list}>${[...known.attributes.keys()].map((name) => html`<option key=${name} value=${name}></option>`)}</datalist>
    <${SelectField} label="Kind" options=${Object.entries(KINDS)} value=${condition.kind} onChange=${(kind) => set({ kind })} />
    <${TextField} label="Is any of" value=${condition.value} error=${error} dir="auto" onInput=${(value) => set({ value })}
      placeholder=${{ text: "Boston, Berlin", number: "1, 2", boolean: "yes" }[condition.kind]} />
  </div>`;
}
