// Recipients from a CSV file: straight to S3, then read there while one may close the page.

import { get, post } from "./api.js";
import { Dialog } from "./dialog.js";
import { Meter } from "./meter.js";
import { count } from "./moments.js";
import { usePolled } from "./poll.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { Problems } from "./problems.js";
import { send } from "./sending.js";

const MAX_BYTES = 300_000_000;
const TEMPLATE =
  "id,phone,timezone,quiet_from,quiet_to,opt_out,apns_tokens,fcm_tokens,attributes.name,attributes.city,attributes.visits:number\n";
const FINAL = ["done", "failed"];

export function Importing({ onClose }) {
  const [id, setId] = useState(null);
  return html`<${Dialog} title="Import recipients" open onClose=${onClose}>
    ${id ? html`<${Reading} id=${id} onClose=${onClose} onAnother=${() => setId(null)} />` : html`<${Choosing} onSent=${setId} />`}
  <//>`;
}

function Choosing({ onSent }) {
  const [sending, setSending] = useState(null); // {name, size, bytes}
  const [error, setError] = useState(null);
  const over = useRef(new AbortController());
  useEffect(() => () => over.current.abort(), []);
  const choose = async (event) => {
    const [file] = event.currentTarget.files;
    if (!file) return;
    setError(objection(file));
    if (objection(file)) return;
    setSending({ name: file.name, size: file.size, bytes: 0 });
    try {
      onSent(
        await sent(file, (bytes) => setSending((before) => ({ ...before, bytes })), over.current.signal),
      );
    } catch (refused) {
      setSending(null);
      setError(refused.message);
    }
  };
  if (sending) {
    return html`<p>Sending <bdi>${sending.name}</bdi> …</p><${Meter} value=${sending.bytes} most=${sending.size} label="Upload" />`;
  }
  return html`<div class="prose">
      <p>A CSV file with a header, up to a million rows or 300 MB. A row changes only what the file has a column for; an empty
        cell removes. In cells with several values a semicolon stands between them.</p>
      <p><${TemplateLink} /></p>
    </div>
    <div class=${error ? "field wrong" : "field"}>
      <label for="import-file">File</label>
      <input id="import-file" type="file" accept=".csv,text/csv" onChange=${choose}
        aria-invalid=${error ? "true" : undefined} aria-describedby=${error ? "import-error" : undefined} />
      ${error && html`<p class="error" id="import-error" role="alert" dir="auto">${error}</p>`}
    </div>`;
}

function objection(file) {
  if (!file.size) return "This file is empty.";
  return file.size > MAX_BYTES ? "A file of recipients takes at most 300 MB." : null;
}

/** The import's id, once S3 has the file. */
async function sent(file, progress, signal) {
  const { id, upload } = await post("/imports", { name: file.name.slice(-200), size: file.size }, { signal });
  const { is, reason } = await send(upload, file, progress, signal);
  if (is !== "sent") throw new Error(`The file was not sent. ${reason}`);
  return id;
}

function TemplateLink() {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([TEMPLATE], { type: "text/csv" }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, []);
  return html`<a href=${url} download="recipients.csv">Download a file with all columns</a>`;
}

function Reading({ id, onClose, onAnother }) {
  const { value, error } = usePolled((signal) => get(`/imports/${id}`, {}, { signal }), {
    ended: ({ state }) => FINAL.includes(state),
    while: [id],
  });
  if (!value) return html`<p role="status">${error ? error.message : "The file has arrived …"}</p>`;
  const ended = FINAL.includes(value.state);
  return html`<p role="status">${inWords(value)}</p>
    <${Meter} value=${ended ? value.size : value.read} most=${value.size} label="Reading the file" tone=${tone(value)} />
    <dl class="figures">
      <div><dt>Rows</dt><dd class="tabular">${count(value.rows)}</dd></div>
      <div><dt>Stored</dt><dd class="tabular">${count(value.stored)}</dd></div>
      <div><dt>Problems</dt><dd class="tabular">${count(value.problems)}</dd></div>
    </dl>
    ${value.problems_url && html`<${Problems} url=${value.problems_url} />`}
    <div class="row end">
      ${ended && html`<button type="button" class="button" onClick=${onAnother}>Import another</button>`}
      <button type="button" class="button primary" onClick=${onClose}>${ended ? "Done" : "Close"}</button>
    </div>`;
}

function inWords({ state, stored, rows, problems, reason }) {
  if (state === "failed") return reason ?? "The file cannot be read.";
  if (state === "done") {
    const all = `${count(stored)} of ${count(rows)} rows are stored.`;
    return problems ? `${all} The others are named below; mend them and import those rows again.` : all;
  }
  return state === "importing"
    ? "The file is being read. You may close this, it goes on."
    : "The file has arrived, and is about to be read.";
}

const tone = ({ state, problems }) => (state === "failed" ? "bad" : problems ? "warn" : "good");
