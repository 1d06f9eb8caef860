// The choice of a file of posts: what its columns are, an example, a template, and its way to S3 with a bar.

import { KNOWN, looked, megabytes, send } from "./datasets.js";
import { Field } from "./field.js";
import { Meter } from "./meter.js";
import { warn } from "./notices.js";
import { downloadTemplate } from "./poststemplate.js";
import { html, useEffect, useRef, useState } from "./preact.js";

/**
 * The state of a chosen file. send(): its data set's id, null where there is no good file; the same file goes once, and
 * is given up when the form goes.
 */
export function usePostsFile() {
  const [chosen, setChosen] = useState(null);
  const [error, setError] = useState(null);
  const [share, setShare] = useState(null);
  const sent = useRef({});
  const over = useRef(null);
  useEffect(() => {
    over.current = new AbortController();
    return () => over.current.abort();
  }, []);
  const choose = async (file) => {
    setChosen(null);
    setError(null);
    if (!file) return;
    await looked(file).then(
      (found) => setChosen({ file, ...found }),
      (wrong) => setError(wrong.message),
    );
  };
  const sendOnce = async () => {
    if (!chosen) return void setError(error ?? "Choose a file.") ?? null;
    if (sent.current.file === chosen.file) return sent.current.dataset;
    setShare(0);
    try {
      const dataset = await send(chosen.file, chosen.format, setShare, over.current.signal);
      sent.current = { file: chosen.file, dataset };
      return dataset;
    } finally {
      setShare(null);
    }
  };
  return { chosen, error, share, sending: share !== null, choose, send: sendOnce };
}

/** file: of usePostsFile. */
export function PostsFile({ file }) {
  return html`
    <div class="stack">
      <${Field} label="File of posts" hint="CSV or JSON lines, at most 32 MB and 50,000 posts." error=${file.error}>
        <input type="file" accept=".csv,.tsv,.txt,.jsonl,.ndjson,text/csv" onChange=${(event) => file.choose(event.currentTarget.files[0])} />
      <//>
      ${file.chosen && html`<${Chosen} chosen=${file.chosen} />`}
      ${file.sending && html`<${Meter} value=${file.share} most=${1} label="Sending the file" />`}
      <${Columns} />
    </div>`;
}

function Chosen({ chosen: { file, columns } }) {
  const others = columns.filter((name) => name && !KNOWN.includes(name));
  return html`<p class="hint" role="status">
    <bdi dir="auto">${file.name}</bdi>, ${megabytes(file.size)}: ${columns.filter((name) => KNOWN.includes(name)).join(", ")}.
    ${others.length > 0 && html` Also read, as what else may explain a post: <bdi dir="auto">${others.join(", ")}</bdi>.`}
  </p>`;
}

const EXAMPLE = `image,engagement,impressions,posted_at,campaign
01m821c4jz9v7cgrzz5t31zv9p,31,2892,2025-03-01T15:00Z,none
01m821c4jzjkf8z4tpwr9xnntc,356,3047,2025-03-02T09:00Z,spring`;

const MEANINGS = [
  ["image", "needed", "The id of a picture in Proofsheet"],
  ["engagement", "needed", "Likes, clicks, sales: more is better"],
  ["impressions", "better with", "How often it was shown"],
  ["posted_at", "better with", "When it was published, such as 2025-03-01T15:00Z"],
  ["any other", "if you like", "What else may explain it, such as campaign"],
];

function Columns() {
  const download = () => downloadTemplate().catch((error) => warn(error.message));
  return html`<details class="columns">
    <summary>Which columns it takes</summary>
    <div class="table-wrap" role="region" aria-label="Columns" tabindex="0"><table>
      <thead><tr><th scope="col">Column</th><th scope="col"></th><th scope="col">What stands in it</th></tr></thead>
      <tbody>${MEANINGS.map(
        ([name, need, words]) => html`
        <tr key=${name}><th scope="row" class="mono">${name}</th><td class="hint">${need}</td><td>${words}</td></tr>`,
      )}</tbody>
    </table></div>
    <pre class="mono" tabindex="0" aria-label="An example">${EXAMPLE}</pre>
    <p><button type="button" class="button" onClick=${download}>Download a template</button>
      <span class="hint"> with the ids of your newest pictures</span></p>
  </details>`;
}
