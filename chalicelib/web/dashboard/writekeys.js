// Write keys: public keys that name the account to the tracking script, and may send events and nothing else.

import { del, get, post } from "./api.js";
import { Copy } from "./copy.js";
import { confirm } from "./dialog.js";
import { TextField } from "./field.js";
import { moment } from "./moments.js";
import { say, warn } from "./notices.js";
import { html, useEffect, useState } from "./preact.js";
import { Failure, Loading, Named } from "./states.js";

/** {keys: undefined until they are read, error, reload}. */
export function useWriteKeys() {
  const [state, setState] = useState({});
  const reload = () =>
    get("/write-keys", { limit: 200 }).then(
      ({ items }) => setState({ keys: items }),
      (error) => setState({ error }),
    );
  useEffect(() => void reload(), []);
  return { ...state, reload };
}

/** keys: of useWriteKeys. chosen: the one in the script tag; choose: gets another one. */
export function WriteKeys({ keys: { keys, error, reload }, chosen, choose }) {
  if (error) return html`<${Failure} error=${error} again=${reload} />`;
  if (!keys) return html`<${Loading} text="Loading the keys" />`;
  const revoke = (each) =>
    revoked(each).then(
      (gone) => gone && reload(),
      (failed) => warn(failed.message),
    );
  return html`<div class="stack">
    ${
      keys.length > 0 &&
      html`<ul class="write-keys">${keys.map(
        (each) => html`
      <${WriteKey} key=${each.key} entry=${each} chosen=${each.key === chosen} choose=${choose} revoke=${revoke} />`,
      )}</ul>`
    }
    <${NewKey} first=${keys.length === 0} made=${(key) => reload().then(() => choose(key))} />
  </div>`;
}

function WriteKey({ entry, chosen, choose, revoke }) {
  const { key, name, allowed_origins: origins } = entry;
  return html`<li>
    <label class="write-key"><input type="radio" name="write-key" checked=${chosen} onChange=${() => choose(key)} />
      <span><strong><${Named}>${name}<//></strong> <span class="mono">${key}</span>
        <span class="small-print">${origins.length ? `From ${origins.join(", ")}` : "From any site"} · since ${moment(entry.created_at)}</span></span></label>
    <span class="row"><${Copy} text=${key} label="Copy key" />
      <button type="button" class="button danger" onClick=${() => revoke(entry)}>Revoke<span class="visually-hidden"> ${name}</span></button></span>
  </li>`;
}

async function revoked({ key, name }) {
  const question = `Pages that carry the key “${name}” are not counted any more, a minute from now. It cannot be brought back.`;
  if (!(await confirm(question, "Revoke"))) return false;
  await del(`/write-keys/${key}`);
  say("The key is revoked.");
  return true;
}

function NewKey({ first, made }) {
  const [wanted, setWanted] = useState({ name: "", origins: "" });
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    const origins = wanted.origins.split(/[\s,]+/).filter(Boolean);
    const body = { name: wanted.name.trim() || "website", allowed_origins: origins };
    try {
      const { key } = await post("/write-keys", body);
      setWanted({ name: "", origins: "" });
      setError(null);
      made(key);
    } catch (failed) {
      setError(failed);
    } finally {
      setBusy(false);
    }
  };
  const wrong = (field) => (error?.field?.startsWith(field) ? error.reason : null);
  return html`<details open=${first}>
    <summary>${first ? "Make a key" : "Another key"}</summary>
    <form class="stack new-key" onSubmit=${submit} novalidate>
      <${TextField} label="Name" hint="Such as “shop”" maxlength="200" autocomplete="off" value=${wanted.name} error=${wrong("name")}
        onInput=${(name) => setWanted({ ...wanted, name })} />
      <${TextField} label="Sites that may send with it" hint="One address a line, such as https://shop.example. None: any site." rows="2"
        spellcheck=${false} value=${wanted.origins} error=${wrong("allowed_origins") && `${wrong("allowed_origins")} An address is like https://shop.example, without a path.`}
        onInput=${(origins) => setWanted({ ...wanted, origins })} />
      ${error && !wrong("name") && !wrong("allowed_origins") && html`<p class="error" role="alert">${error.message}</p>`}
      <div class="row"><button class="button">Make the key</button></div>
    </form>
  </details>`;
}
