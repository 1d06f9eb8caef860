// Who can be reached: looked up, listed, added one by one or from a file.

import { get } from "./api.js";
import { Importing } from "./importing.js";
import { Rest, usePaged } from "./paged.js";
import { html, useState } from "./preact.js";
import { RecipientDialog } from "./recipient.js";
import { RecipientForm } from "./recipientform.js";
import { Empty, title } from "./states.js";

const A_PAGE = 50;
const ID = /^[0-9A-Za-z_.@:+|=~-]{1,100}$/;

export function Recipients() {
  title("Recipients");
  const list = usePaged("/recipients", { limit: A_PAGE });
  const [open, setOpen] = useState(null); // {view: a recipient} | {edit: a recipient or null} | {file: true}
  const close = () => setOpen(null);
  const changed = () => {
    close();
    list.again();
  };
  return html`<header class="row push-head">
      <h1>Recipients</h1>
      <span class="row">
        <button type="button" class="button" onClick=${() => setOpen({ file: true })}>Import a CSV file</button>
        <button type="button" class="button primary" onClick=${() => setOpen({ edit: null })}>Add one</button>
      </span>
    </header>
    <${LookUp} onFound=${(view) => setOpen({ view })} />
    ${list.empty && html`<${Nobody} />`}
    ${list.items.length > 0 && html`<${Table} items=${list.items} onOpen=${(view) => setOpen({ view })} />`}
    <${Rest} list=${list} text="Looking for recipients" />
    <${RecipientDialog} recipient=${open?.view ?? null} onClose=${close} onChanged=${changed} onEdit=${(edit) => setOpen({ edit })} />
    ${open && "edit" in open && html`<${RecipientForm} recipient=${open.edit} onClose=${close} onSaved=${changed} />`}
    ${open?.file && html`<${Importing} onClose=${changed} />`}`;
}

function LookUp({ onFound }) {
  const [id, setId] = useState("");
  const [error, setError] = useState(null);
  const look = async (event) => {
    event.preventDefault();
    setError(null);
    try {
      onFound(await recipientOf(id.trim()));
    } catch (refused) {
      setError(refused.status === 404 ? "There is nobody with this id." : refused.message);
    }
  };
  return html`<form class="look-up" role="search" onSubmit=${look}>
    <div class=${error ? "field wrong" : "field"}>
      <label for="look-up">Look up an id</label>
      <div class="row tight">
        <input id="look-up" type="search" value=${id} autocapitalize="none" spellcheck=${false} onInput=${(event) => setId(event.currentTarget.value)}
          aria-invalid=${error ? "true" : undefined} aria-describedby=${error ? "look-up-error" : undefined} />
        <button type="submit" class="button" disabled=${!id.trim()}>Look up</button>
      </div>
      ${error && html`<p class="error" id="look-up-error" role="alert">${error}</p>`}
    </div>
  </form>`;
}

async function recipientOf(id) {
  if (!ID.test(id)) throw { status: 404 };
  return get(recipientPath(id));
}

export function recipientPath(id) {
  return `/recipients/${encodeURIComponent(id)}`;
}

function Table({ items, onOpen }) {
  return html`<div class="table-wrap" role="region" aria-label="Recipients" tabindex="0"><table class="recipients">
    <thead><tr><th scope="col">Id</th><th scope="col">Phone</th><th scope="col">Devices</th><th scope="col">Attributes</th><th scope="col">Left out of</th></tr></thead>
    <tbody>
      ${items.map(
        (each) => html`<tr key=${each.id}>
          <th scope="row"><button type="button" class="link mono" onClick=${() => onOpen(each)}><bdi>${each.id}</bdi></button></th>
          <td class="mono nowrap">${each.phone ?? "–"}</td>
          <td class="tabular">${each.devices.length || "–"}</td>
          <td><${Attributes} attributes=${each.attributes} /></td>
          <td>${leftOut(each)}</td>
        </tr>`,
      )}
    </tbody>
  </table></div>`;
}

const FEW = 3;

function Attributes({ attributes }) {
  const all = Object.entries(attributes);
  return html`<span class="attributes">
    ${all.slice(0, FEW).map(([name, value]) => html`<span key=${name} class="attribute"><span class="muted">${name}</span> <bdi>${shownValue(value)}</bdi></span>`)}
    ${all.length > FEW && html`<span class="muted">and ${all.length - FEW} more</span>`}
  </span>`;
}

export function shownValue(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function leftOut({ opt_out: out, sms_blocked: blocked, phone }) {
  const reasons = [];
  if (out.includes("sms")) reasons.push("text messages");
  else if (blocked && phone) reasons.push("text messages (blocked)");
  if (out.includes("push")) reasons.push("notifications");
  return reasons.join(", ") || "–";
}

function Nobody() {
  return html`<${Empty} title="Nobody to write to yet">
    <p>A recipient is a customer with a phone number or an app on a phone. Their id is the
      <code class="mono">userId</code> of your tracked events, so that what they do can earn them points.</p>
  <//>`;
}
