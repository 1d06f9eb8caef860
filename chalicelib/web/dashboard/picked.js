// What to do with the photographs that are picked: rank them, or delete them.

import { confirm } from "./dialog.js";
import { Meter } from "./meter.js";
import { ModelChoice } from "./modelchoice.js";
import { count } from "./moments.js";
import { warn } from "./notices.js";
import { html, useState } from "./preact.js";
import { arrive, rank } from "./ranking.js";
import { useHere } from "./router.js";
import { all, none, without } from "./selection.js";
import { deleteAll } from "./shelf.js";
import { focusHeading } from "./states.js";
import { LEAST_RANKED, MOST_RANKED } from "./uploading.js";

const IDLE = { busy: false, done: null, error: null };
const photographs = (number) => `${count(number)} ${number === 1 ? "photograph" : "photographs"}`;

/** items: all that are seen, newest first; select: takes the next selection. */
export function Picked({ items, shelf, selection, select, collection }) {
  const [work, setWork] = useState(IDLE);
  const here = useHere();
  const picked = items.filter(({ key }) => selection.keys.has(key));
  const number = picked.length;
  const deleting = () => deletePicked(picked, { shelf, selection, select, setWork, here });
  const pickNone = () => {
    focusHeading(); // for all of this goes
    select(none(selection));
  };
  return html`<section class="picked" aria-label="Picked photographs">
    <p role="status"><b>${count(number)}</b> picked</p>
    ${work.done !== null && html`<${Meter} label="Deleted" value=${work.done} most=${number} />`}
    ${work.error && html`<p class="error" role="alert">${work.error.message}</p>`}
    <${Limits} ...${{ picked, selection, select }} />
    <${ModelChoice} />
    <button type="button" class="button primary" disabled=${work.busy || number < LEAST_RANKED || number > MOST_RANKED}
      onClick=${() => rankPicked(picked, { collection, setWork, here })}>Rank these</button>
    <button type="button" class="button danger" disabled=${work.busy} onClick=${deleting}>Delete</button>
    <button type="button" class="button quiet" onClick=${pickNone}>Pick none</button>
  </section>`;
}

/** Why these cannot be ranked, and the way out. */
function Limits({ picked, selection, select }) {
  if (picked.length < LEAST_RANKED) {
    return html`<p class="small-print">Pick at least ${LEAST_RANKED} to rank them.</p>`;
  }
  if (picked.length <= MOST_RANKED) return null;
  const keep = () => select(all(selection, picked.slice(0, MOST_RANKED)));
  return html`<p class="small-print">A ranking takes at most ${MOST_RANKED}.</p>
    <button type="button" class="button" onClick=${keep}>Keep the newest ${MOST_RANKED}</button>`;
}

async function rankPicked(picked, { collection, setWork, here }) {
  setWork({ ...IDLE, busy: true });
  try {
    const id = await rank(
      picked.map(({ key }) => key),
      collection,
    );
    arrive(id, here.current);
  } catch (error) {
    setWork({ ...IDLE, error });
  }
}

async function deletePicked(picked, { shelf, selection, select, setWork, here }) {
  const number = picked.length;
  const question = `${photographs(number)} will be gone for good, with all scores and variants.`;
  if (!(await confirm(question, "Delete"))) return;
  const progress = (done) => setWork({ busy: true, done, error: null });
  progress(0);
  const { gone, error } = await deleteAll(
    picked.map(({ key }) => key),
    progress,
  );
  setWork(IDLE);
  if (here.current) focusHeading();
  shelf.drop(gone);
  select(without(selection, gone));
  if (error) warn(`${photographs(number - gone.size)} could not be deleted: ${error.message}`);
}
