// Form fields: a label, a hint, an error, all tied to the input for those who cannot see that they belong together.

import { h, html, useId, useState } from "./preact.js";

/** children: an input, or a function (attributes) => input, where one has to place them by hand. */
export function Field({ label, hint, error, children }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const attributes = { id, "aria-describedby": described, "aria-invalid": error ? "true" : undefined };
  const input = Array.isArray(children) ? children[0] : children;
  return html`<div class=${error ? "field wrong" : "field"}>
    <label for=${id}>${label}</label>
    ${typeof input === "function" ? input(attributes) : h(input.type, { ...input.props, ...attributes })}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
  </div>`;
}

/** onInput gets the text. rows makes it a textarea; all else goes to the input (type, autocomplete, required ...). */
export function TextField({ label, hint, error, onInput, rows, ...rest }) {
  const props = { ...rest, onInput: (event) => onInput?.(event.currentTarget.value) };
  const input = rows ? h("textarea", { rows, ...props }) : h("input", { type: "text", ...props });
  return html`<${Field} label=${label} hint=${hint} error=${error}>${input}<//>`;
}

/** A password that one may look at while typing. */
export function PasswordField({ label, hint, error, onInput, ...rest }) {
  const [seen, setSeen] = useState(false);
  const type = seen ? "text" : "password";
  return html`<${Field} label=${label} hint=${hint} error=${error}>
    ${(attributes) => html`<span class="password">
      <input ...${rest} ...${attributes} type=${type} spellcheck=${false} autocapitalize="none"
        onInput=${(event) => onInput(event.currentTarget.value)} />
      <button type="button" class="button quiet" aria-pressed=${seen} aria-controls=${attributes.id}
        onClick=${() => setSeen(!seen)}>Show<span class="visually-hidden"> ${label}</span></button>
    </span>`}
  <//>`;
}

/** options: [[value, text], ...]. onChange gets the value. */
export function SelectField({ label, hint, error, options, value, onChange, ...rest }) {
  const choices = options.map(
    ([key, text]) => html`<option value=${key} selected=${key === value}>${text}</option>`,
  );
  const props = { ...rest, value, onChange: (event) => onChange?.(event.currentTarget.value) };
  return html`<${Field} label=${label} hint=${hint} error=${error}>${h("select", props, choices)}<//>`;
}

/** onChange gets true or false. */
export function CheckField({ label, hint, error, onChange, ...rest }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  return html`<div class=${error ? "field check wrong" : "field check"}>
    <input ...${rest} type="checkbox" id=${id} aria-describedby=${described} aria-invalid=${error ? "true" : undefined}
      onChange=${(event) => onChange?.(event.currentTarget.checked)} />
    <label for=${id}>${label}</label>
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
  </div>`;
}
