// One recipient in a form. Saving takes the place of all that was known of the id.

import { put } from "./api.js";
import { Dialog } from "./dialog.js";
import { KINDS, typed } from "./draft.js";
import { CheckField, SelectField, TextField } from "./field.js";
import { say } from "./notices.js";
import { html, useId, useRef, useState } from "./preact.js";

const PLATFORMS = [
  ["GCM", "Google (FCM)"],
  ["APNS", "Apple"],
  ["APNS_SANDBOX", "Apple, in development"],
];
const ALL_KINDS = Object.entries({ ...KINDS, json: "JSON" });

/** recipient: to be changed, null for a new one. */
export function RecipientForm({ recipient, onClose, onSaved }) {
  const [form, setForm] = useState(() => formOf(recipient));
  const [errors, setErrors] = useState({});
  const [busy, setBusy] = useState(false);
  const change = (part) => setForm((before) => ({ ...before, ...part }));
  const save = async (event) => {
    event.preventDefault();
    setBusy(true);
    const found = await saved(form);
    setBusy(false);
    setErrors(found);
    if (Object.keys(found).length) return focusWrong(event.target);
    say(`${form.id.trim()} is saved.`);
    onSaved();
  };
  return html`<${Dialog} title=${recipient ? "Change a recipient" : "Add a recipient"} open onClose=${onClose}>
    <form class="stack" onSubmit=${save} novalidate>
      <${TextField} label="Id" value=${form.id} readonly=${Boolean(recipient)} error=${errors.id} autocapitalize="none" spellcheck=${false}
        hint="The userId of your tracked events: letters, digits and _ . @ : + | = ~ -" onInput=${(id) => change({ id })} />
      <${TextField} label="Phone" type="tel" value=${form.phone} error=${errors.phone} hint="With + and country code, as +49 170 1234567"
        onInput=${(phone) => change({ phone })} />
      <${AttributeRows} rows=${form.attributes} error=${errors.attributes} change=${(attributes) => change({ attributes })} />
      <details class="more" open=${Boolean(recipient) || hasMore(errors)}>
        <summary>Devices, quiet hours, opt-out</summary>
        <${Devices} rows=${form.devices} error=${errors.devices} change=${(devices) => change({ devices })} />
        <${Rest} form=${form} errors=${errors} change=${change} />
      </details>
      ${errors[""] && html`<p class="error" role="alert">${errors[""]}</p>`}
      <div class="row end">
        <button type="button" class="button" onClick=${onClose}>Cancel</button>
        <button type="submit" class="button primary" disabled=${busy}>Save</button>
      </div>
    </form>
  <//>`;
}

const hasMore = (errors) => ["devices", "timezone", "quiet_hours", "opt_out"].some((name) => errors[name]);

function focusWrong(form) {
  requestAnimationFrame(() => form.querySelector('[aria-invalid="true"]')?.focus());
}

function Rest({ form, errors, change }) {
  return html`<${Zone} value=${form.timezone} error=${errors.timezone} change=${change} />
    <div class="pair">
      <${TextField} label="Quiet from" type="time" value=${form.from} error=${errors.quiet_hours} onInput=${(from) => change({ from })} />
      <${TextField} label="Quiet to" type="time" value=${form.to} onInput=${(to) => change({ to })} />
    </div>
    <${CheckField} label="Wants no text messages" checked=${form.noSms} onChange=${(noSms) => change({ noSms })} />
    <${CheckField} label="Wants no notifications" checked=${form.noPush} onChange=${(noPush) => change({ noPush })} />`;
}

function Zone({ value, error, change }) {
  const list = useId();
  const zones = Intl.supportedValuesOf?.("timeZone") ?? [];
  return html`<${TextField} label="Time zone" value=${value} error=${error} list=${list} hint="As Europe/Berlin; quiet hours need one"
      onInput=${(timezone) => change({ timezone })} />
    <datalist id=${list}>${zones.map((zone) => html`<option key=${zone} value=${zone}></option>`)}</datalist>`;
}

/** Rows that can be added and removed; `fresh` makes a new one. */
function Rows({ legend, rows, fresh, most, add, change, error, children }) {
  const key = useRef(rows.length);
  const set = (index, part) => change(rows.map((row, at) => (at === index ? { ...row, ...part } : row)));
  const drop = (event, index) => {
    event.currentTarget.closest("fieldset").lastElementChild.focus(); // this button goes, the one that adds stays
    change(rows.filter((_, at) => at !== index));
  };
  return html`<fieldset class="rows">
    <legend>${legend}</legend>
    ${rows.map(
      (row, index) => html`<div key=${row.key} class="rows-row">
        ${children(row, (part) => set(index, part), index)}
        <button type="button" class="button quiet" aria-label=${`Remove from ${legend.toLowerCase()}: number ${index + 1}`}
          onClick=${(event) => drop(event, index)}>×</button>
      </div>`,
    )}
    ${error && html`<p class="error" role="alert">${error}</p>`}
    ${rows.length < most && html`<button type="button" class="button" onClick=${() => change([...rows, { key: ++key.current, ...fresh }])}>${add}</button>`}
  </fieldset>`;
}

function AttributeRows({ rows, error, change }) {
  const fresh = { name: "", kind: "text", value: "" };
  return html`<${Rows} legend="Attributes" rows=${rows} fresh=${fresh} most=${100} add="Add an attribute" error=${error} change=${change}>
    ${(row, set) => html`
      <${TextField} label="Name" value=${row.name} autocapitalize="none" placeholder="name" onInput=${(name) => set({ name })} />
      <${SelectField} label="Kind" options=${ALL_KINDS} value=${row.kind} onChange=${(kind) => set({ kind })} />
      <${TextField} label="Value" value=${row.value} dir="auto" onInput=${(value) => set({ value })} />`}
  <//>`;
}

function Devices({ rows, error, change }) {
  const fresh = { platform: "GCM", token: "" };
  return html`<${Rows} legend="Devices" rows=${rows} fresh=${fresh} most=${5} add="Add a device" error=${error} change=${change}>
    ${(row, set) => html`
      <${SelectField} label="Platform" options=${PLATFORMS} value=${row.platform} onChange=${(platform) => set({ platform })} />
      <${TextField} label="Token" className="mono" value=${row.token} spellcheck=${false} onInput=${(token) => set({ token })} />`}
  <//>`;
}

// Between the form and the API

function formOf(recipient) {
  const attributes = Object.entries(recipient?.attributes ?? {}).map(([name, value], key) => ({
    key,
    name,
    ...written(value),
  }));
  return {
    id: recipient?.id ?? "",
    phone: recipient?.phone ?? "",
    attributes: recipient ? attributes : [{ key: 0, name: "name", kind: "text", value: "" }],
    devices: (recipient?.devices ?? []).map(({ platform, token }, key) => ({ key, platform, token })),
    timezone: recipient?.timezone ?? "",
    from: recipient?.quiet_hours?.from ?? "",
    to: recipient?.quiet_hours?.to ?? "",
    noSms: recipient?.opt_out.includes("sms") ?? false,
    noPush: recipient?.opt_out.includes("push") ?? false,
  };
}

function written(value) {
  if (typeof value === "boolean") return { kind: "boolean", value: value ? "yes" : "no" };
  if (typeof value === "number") return { kind: "number", value: String(value) };
  return typeof value === "string" ? { kind: "text", value } : { kind: "json", value: JSON.stringify(value) };
}

/** What is wrong, by field; nothing where it is stored. */
async function saved(form) {
  const attributes = attributesOf(form.attributes);
  if (attributes.error) return { attributes: attributes.error };
  try {
    const { problems } = await put("/recipients", { items: [itemOf(form, attributes.values)] });
    return Object.fromEntries(problems.map(({ field, reason }) => [fieldOf(field), reason]));
  } catch (error) {
    return { "": error.message };
  }
}

const FIELDS = ["id", "phone", "attributes", "devices", "timezone", "quiet_hours", "opt_out"];
const fieldOf = (path) => FIELDS.find((name) => path?.startsWith(name)) ?? "";

function itemOf(form, attributes) {
  const item = { id: form.id.trim(), attributes };
  if (form.phone.trim()) item.phone = form.phone.trim();
  if (form.timezone.trim()) item.timezone = form.timezone.trim();
  if (form.from || form.to) item.quiet_hours = { from: form.from, to: form.to };
  const devices = form.devices.filter(({ token }) => token.trim());
  if (devices.length)
    item.devices = devices.map(({ platform, token }) => ({ platform, token: token.trim() }));
  const out = [form.noSms && "sms", form.noPush && "push"].filter(Boolean);
  return out.length ? { ...item, opt_out: out } : item;
}

/** {values} or {error}; a row without a value is none. */
function attributesOf(rows) {
  const values = new Map();
  for (const { name, kind, value } of rows) {
    if (!value.trim()) continue;
    if (!name.trim()) return { error: `Name the attribute that is ${value}.` };
    const read = kind === "json" ? json(value) : typed(value.trim(), kind);
    if (read === null) return { error: `${name}: ${value} is no ${kind === "json" ? "JSON" : KINDS[kind]}.` };
    values.set(name.trim(), read);
  }
  return { values: Object.fromEntries(values) };
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
