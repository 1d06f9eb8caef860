// What can be done with an own model: rank with it, train it again, take the newest version back, delete it.

import { del, post } from "./api.js";
import { confirm, Dialog } from "./dialog.js";
import { say, warn } from "./notices.js";
import { PostsFile, usePostsFile } from "./postsfile.js";
import { html, useState } from "./preact.js";
import { model as ranking } from "./ranking.js";
import { go, href, useHere } from "./router.js";
import { isTracked, isTraining } from "./verdict.js";

export function Actions({ model, again }) {
  const [asks, setAsks] = useState(false);
  const here = useHere();
  const act = (action) => action(model, here).then(again, (error) => warn(error.message));
  const train = () => (isTracked(model) ? act(lookAgain) : setAsks(true));
  const waits = isTraining(model);
  return html`
    <section class="toolbar model-actions" aria-label="What to do with it">
      ${model.version && html`<a class="button primary" href=${href("rank")} onClick=${() => (ranking.value = model.id)}>Rank with it</a>`}
      <button type="button" class="button" disabled=${waits} onClick=${train}>Train again</button>
      ${model.version > 1 && html`<button type="button" class="button" disabled=${waits} onClick=${() => act(rollBack)}>Take version ${model.version} back</button>`}
      <button type="button" class="button danger" onClick=${() => act(remove)}>Delete</button>
    </section>
    <${TrainAgain} model=${model} open=${asks} close=${() => setAsks(false)} again=${again} />`;
}

async function lookAgain({ id }) {
  await post(`/models/${id}/train`, {});
  say("Training begins with the clicks that have come meanwhile.");
}

async function rollBack({ id, name, version }) {
  const question = `The version before ${version} of “${name}” scores again. The next training may bring this one back.`;
  if (!(await confirm(question, "Take back"))) return;
  await post(`/models/${id}/rollback`);
  say("The version before scores again.");
}

async function remove({ id, name }, here) {
  const question = `“${name}” goes with all its versions and scores. Rankings that were made with it stay. This cannot be undone.`;
  if (!(await confirm(question, "Delete"))) return;
  await del(`/models/${id}`);
  say("The model is deleted.");
  if (here.current) go("models");
}

/** More posts for a model that learns from posts; those from before stay. */
function TrainAgain({ open, ...rest }) {
  return html`<${Dialog} title="Train again" open=${open} onClose=${rest.close}><${MorePosts} ...${rest} /><//>`;
}

function MorePosts({ model, close, again }) {
  const file = usePostsFile();
  const [error, setError] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    setError(null);
    try {
      const dataset = await file.send();
      if (!dataset) return;
      await post(`/models/${model.id}/train`, { source: { type: "file", dataset } });
      close();
      again();
    } catch (failed) {
      setError(failed);
    }
  };
  return html`<form class="stack" onSubmit=${submit} novalidate>
    <p>Newer posts come to those that it has; a post of the same picture and moment corrects the old one. The new
      version scores only if it is at least as good as this one on the newest posts.</p>
    <${PostsFile} file=${file} />
    ${error && html`<p class="error" role="alert" dir="auto">${error.message}</p>`}
    <div class="row end"><button type="button" class="button" onClick=${close}>Cancel</button>
      <button class="button primary" disabled=${file.sending}>Train</button></div>
  </form>`;
}
