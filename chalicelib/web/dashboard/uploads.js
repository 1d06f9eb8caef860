// The tray: what was dropped, frame by frame, while they are sent and worked on.

import { background } from "./background.js";
import { confirm } from "./dialog.js";
import { Grid } from "./grid.js";
import { Meter } from "./meter.js";
import { count } from "./moments.js";
import { Chosen } from "./photo.js";
import { html, useComputed, useSignal } from "./preact.js";
import { asked, atOnce, obstacle, rankTray } from "./ranking.js";
import { Frame, height, LEAST } from "./roll.js";
import { href, route } from "./router.js";
import { focusHeading } from "./states.js";
import { clear, frames, numbers, offline, remove, retry, uploads } from "./tray.js";
import { LEAST_RANKED, MOST_RANKED, retriable, unsent } from "./uploading.js";

export function Tray() {
  const narrowed = useSignal(false);
  if (frames.value.length === 0) return null;
  return html`<section class="tray stack" aria-labelledby="tray-heading">
    <${Head} narrowed=${narrowed} />
    <${Film} narrowed=${narrowed} />
  </section>`;
}

function Head({ narrowed }) {
  const { total, refused, done } = numbers.value;
  return html`<header class="tray-head stack">
    <div class="row spread">
      <h2 id="tray-heading">On the light table <${Names} /></h2>
      <div class="row">
        ${
          refused > 0 &&
          html`<button type="button" class="button quiet" aria-pressed=${narrowed.value}
          onClick=${() => {
            narrowed.value = !narrowed.value;
          }}>${narrowed.value ? `Show all ${count(total)}` : `Show what is left out (${count(refused)})`}</button>`
        }
        <button type="button" class="button quiet" onClick=${clearAll}>Clear the table</button>
      </div>
    </div>
    ${total > refused && html`<${Progress} />`}
    ${done && html`<${Next} />`}
    <p class="visually-hidden" role="status"><${Spoken} /></p>
  </header>`;
}

function Names() {
  const names = useComputed(() =>
    JSON.stringify([...new Set(uploads.value.map(({ collection }) => collection))]),
  );
  return JSON.parse(names.value).map(
    (name) => html`<a class="tray-collection" href=${href("rank", name)}><bdi dir="auto">${name}</bdi></a> `,
  );
}

async function clearAll() {
  const open = uploads.value.filter(unsent).length;
  const question = `${counted(open)} will not be sent.`;
  if (open > 0 && !(await confirm(question, "Clear the table"))) return;
  focusHeading();
  clear();
}

const counted = (number) => `${count(number)} ${number === 1 ? "photograph" : "photographs"}`;
const megabytes = (bytes) => (bytes / 1e6).toLocaleString(undefined, { maximumFractionDigits: 1 });

function Progress() {
  const { total, refused, unsent: open, ready, underWay, bytes, sentBytes } = numbers.value;
  const wanted = total - refused;
  const sent = ready + underWay;
  return html`<div class="split">
    <div class="progress-line">
      <p><b>Sent</b> ${count(sent)} of ${count(wanted)}
        <span>${megabytes(sentBytes)} of ${megabytes(bytes)} MB</span></p>
      <${Meter} label="Sent" value=${sentBytes} most=${bytes} tone=${open === 0 ? "good" : ""} />
    </div>
    <div class="progress-line">
      <p><b>Ready</b> ${count(ready)} of ${count(wanted)} <span><${Mood} /></span></p>
      <${Meter} label="Ready" value=${ready} most=${wanted} tone=${ready === wanted ? "good" : ""} />
    </div>
  </div>`;
}

/** What holds things up, in a word. */
function Mood() {
  const { interrupted, unsent: open } = numbers.value;
  if (offline.value && open > 0) return "waiting for the network";
  if (interrupted > 0) return "some are tried again";
  return null;
}

/** Heard seldom: at each quarter, and at the end. */
function Spoken() {
  const text = useComputed(() => {
    const { total, refused, ready, underWay, done } = numbers.value;
    const wanted = total - refused;
    if (done) return `${counted(ready)} ready${refused > 0 ? `, ${count(refused)} left out` : ""}.`;
    if (offline.value) return "Waiting for the network.";
    const quarters = Math.floor((2 * (2 * ready + underWay)) / Math.max(1, wanted));
    return quarters > 0
      ? `${25 * quarters} percent of ${counted(wanted)} done.`
      : `Sending ${counted(wanted)}.`;
  });
  return text.value;
}

/** All is sent and worked on as far as it can be: what now? */
function Next() {
  const { ready, refused } = numbers.value;
  if (
    asked.value.state === "asking" ||
    (atOnce.value && asked.value.state === "open" && !refused && !obstacle.value)
  ) {
    return html`<p role="status">Ranking …</p>`;
  }
  return html`<div class="row tray-next">
    ${asked.value.error && html`<p class="error" role="alert">${asked.value.error.message}</p>`}
    ${obstacle.value === "few" && html`<p>A ranking needs at least ${LEAST_RANKED} photographs. Drop some more.</p>`}
    ${obstacle.value === "many" && html`<${Many} ready=${ready} />`}
    ${
      obstacle.value !== "few" &&
      html`<button type="button" class="button primary" onClick=${rankTray}>
      ${obstacle.value === "many" ? `Rank the newest ${MOST_RANKED}` : `Rank ${counted(ready)}`}</button>`
    }
  </div>`;
}

function Many({ ready }) {
  const [{ collection }] = uploads.value;
  return html`<p>A ranking takes at most ${MOST_RANKED} photographs, and these are ${count(ready)}.
    Rank the newest, or <a href=${href("rank", collection)}>pick in the library</a>.</p>`;
}

function Film({ narrowed }) {
  const left = useComputed(() => frames.value.filter((frame) => frame.now.value.state === "refused"));
  const items = narrowed.value && left.value.length > 0 ? left.value : frames.value;
  return html`<${Grid} class="roll" role="list" aria-label="Photographs on the table" items=${items}
    total=${items.length} least=${LEAST} height=${height} attributes=${() => ({ role: "listitem" })}
    draw=${(frame, index) => html`<${Photograph} frame=${frame} index=${index} />`} />`;
}

function Photograph({ frame, index }) {
  const { name, state, sent, size } = frame.now.value;
  const photo = html`<${Chosen} file=${frame.file} name=${name} />
    ${state === "sending" && html`<${Meter} label=${`${name}: sent`} value=${sent} most=${size} />`}`;
  return html`<${Frame} index=${index} name=${name} state=${state} note=${note(frame.now.value)} photo=${photo}>
    <${Buttons} frame=${frame} />
  <//>`;
}

function note(upload) {
  if (offline.value && unsent(upload)) return "Waiting for the network";
  const notes = {
    waiting: "Waiting",
    sending: `${Math.floor((100 * upload.sent) / upload.size)} %`,
    sent: "Sent",
    processing: "Developing",
    ready: "Ready",
    refused: upload.reason,
    interrupted: `${upload.reason}: trying again`,
  };
  return notes[upload.state];
}

function Buttons({ frame: { key, now } }) {
  const { name, state } = now.value;
  const word = ["waiting", "sending", "interrupted"].includes(state) ? "Cancel" : "Remove";
  const again = (event) => {
    event.currentTarget.nextElementSibling.focus(); // this button goes
    retry(key);
  };
  const off = (event) => {
    focusNeighbor(event.currentTarget.closest(".cell"));
    remove(key);
  };
  return html`<span class="roll-buttons">
    ${
      retriable(now.value) &&
      html`<button type="button" class="roll-button" onClick=${again}>
      Retry<span class="visually-hidden"> ${name}</span></button>`
    }
    <button type="button" class="roll-button" aria-label=${`${word} ${name}`} onClick=${off}>×</button>
  </span>`;
}

/** Before a frame goes that has the focus: the next one gets it, or the one before. */
function focusNeighbor(cell) {
  const neighbor = cell.nextElementSibling ?? cell.previousElementSibling;
  if (neighbor) neighbor.querySelector(".roll-button:last-child").focus();
  else focusHeading();
}

background.value = UploadStrip;

/** For other pages, while photographs are on their way. */
function UploadStrip() {
  const elsewhere = route.value.page !== "rank" || route.value.parts.length > 0;
  const { total, refused } = numbers.value;
  if (!elsewhere || total === refused) return null;
  return html`<aside class="upload-strip" aria-label="Uploads"><${Short} /></aside>`;
}

function Short() {
  const { total, refused, ready, underWay, done, bytes, sentBytes, unsent: open } = numbers.value;
  const wanted = total - refused;
  const sending = `Sending: ${count(ready + underWay)} of ${count(wanted)}`;
  const waiting = offline.value && open > 0 ? "Waiting for the network" : sending;
  const text = done
    ? `${counted(ready)} ready`
    : open > 0
      ? waiting
      : `Ready: ${count(ready)} of ${count(wanted)}`;
  const [value, most] = open > 0 ? [sentBytes, bytes] : [ready, wanted];
  return html`<a href=${href("rank")}>${text}</a>
    ${!done && html`<${Meter} label="Uploads" value=${value} most=${most} />`}`;
}
