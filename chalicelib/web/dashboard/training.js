// A new model: its name, what it learns from, where it is at home.

import { post } from "./api.js";
import { SelectField, TextField } from "./field.js";
import { PostsFile, usePostsFile } from "./postsfile.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { go, href, useHere } from "./router.js";
import { title } from "./states.js";

const DAYS = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
  ["180", "180 days"],
  ["365", "a year"],
];
const HOMES = [
  ["inline", "Proofsheet itself"],
  ["sagemaker", "SageMaker"],
];
const FIELDS = {
  name: "name",
  backend: "backend",
  "source.days": "days",
  "source.dataset": "file",
  size: "file",
};

export default function Training() {
  useEffect(() => title("Train a model"), []);
  return html`
    <nav aria-label="Where you are"><a href=${href("models")}>All models</a></nav>
    <header class="page-head">
      <h1>Train a model of your own</h1>
      <p class="lede">It learns from pictures that you have published and from what became of them, and is tested on posts
        that are newer. If it orders them no better than chance might, it says so and does not score.</p>
    </header>
    <${Form} />`;
}

function Form() {
  const [wanted, setWanted] = useState({ name: "", source: "file", days: "90", backend: "inline" });
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const file = usePostsFile();
  const form = useRef(null);
  const here = useHere();
  const set = (change) => setWanted((before) => ({ ...before, ...change }));
  const submit = async (event) => {
    event.preventDefault();
    setError(null);
    setBusy(true);
    await begin(wanted, file).then((model) => model && here.current && go("models", model.id), setError);
    setBusy(false);
    requestAnimationFrame(() => form.current?.querySelector("[aria-invalid=true]")?.focus());
  };
  const wrong = (field) => (error && FIELDS[error.field] === field ? (error.reason ?? error.message) : null);
  return html`
    <form class="panel stack training" ref=${form} onSubmit=${submit} novalidate>
      <${TextField} label="Name" hint="Such as “our followers” or “shop, summer”" maxlength="200" autocomplete="off" required
        value=${wanted.name} error=${wrong("name")} onInput=${(name) => set({ name })} />
      <${Sources} wanted=${wanted} set=${set} />
      ${
        wanted.source === "file"
          ? html`<${PostsFile} file=${wrong("file") ? { ...file, error: wrong("file") } : file} />`
          : html`<${Tracked} days=${wanted.days} error=${wrong("days")} set=${set} />`
      }
      <${Advanced} backend=${wanted.backend} error=${wrong("backend")} set=${set} />
      ${error && !FIELDS[error.field] && html`<p class="error" role="alert" dir="auto">${error.message}</p>`}
      <div class="row"><button class="button primary" disabled=${busy}>${busy ? "Sending …" : "Train"}</button>
        <a class="button quiet" href=${href("models")}>Cancel</a></div>
    </form>`;
}

/** The model that has begun; null where something is missing that the form tells of. */
async function begin({ name, source, days, backend }, file) {
  if (!name.trim()) throw Object.assign(new Error("Give it a name."), { field: "name" });
  const learns =
    source === "file" ? await uploaded(file) : { type: "tracked", goal: "click", days: Number(days) };
  return learns && post("/models", { name: name.trim(), source: learns, backend });
}

async function uploaded(file) {
  const dataset = await file.send();
  return dataset && { type: "file", dataset };
}

const SOURCES = [
  ["file", "A file of posts", "Likes, clicks or sales from elsewhere, as CSV or JSON lines"],
  ["tracked", "Tracked clicks", "What visitors of your own pages have clicked, as Proofsheet counted it"],
];

function Sources({ wanted, set }) {
  return html`<fieldset class="sources">
    <legend>What it learns from</legend>
    ${SOURCES.map(
      ([key, name, words]) => html`
      <label key=${key} class="source">
        <input type="radio" name="source" value=${key} checked=${wanted.source === key} onChange=${() => set({ source: key })} />
        <span><strong>${name}</strong><span class="hint">${words}</span></span>
      </label>`,
    )}
  </fieldset>`;
}

function Tracked({ days, error, set }) {
  return html`<div class="stack">
    <${SelectField} label="Clicks of the last" options=${DAYS} value=${days} error=${error} onChange=${(chosen) => set({ days: chosen })}
      hint="Every picture that was shown in this time is a post, its clicks freed of the places it was shown at. A day counts once the nightly compaction has gone through it." />
    <p class="hint">It looks once a day by itself, and trains anew when at least 20 pictures and a tenth are new.
      <a href=${href("track")}>What has been tracked</a></p>
  </div>`;
}

function Advanced({ backend, error, set }) {
  return html`<details open=${!!error}>
    <summary>Advanced</summary>
    <${SelectField} label="Where it is trained and served" options=${HOMES} value=${backend} error=${error}
      onChange=${(chosen) => set({ backend: chosen })}
      hint="SageMaker gives the same scores, takes minutes longer and costs more. It is for those who want the model among their other ones." />
  </details>`;
}
