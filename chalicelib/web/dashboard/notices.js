// Short words about what has just happened, seen and heard, that take the focus from nobody.

import { html, signal } from "./preact.js";

const SECONDS = { said: 8, warned: 20 };
const shown = signal([]);
/** Ids of the dialogs that are open, the topmost last: all beneath it is inert, and heard by nobody. */
export const dialogs = signal([]);
let count = 0;

/** Something went as it should. */
export function say(text) {
  add("said", text);
}

/** Something did not. */
export function warn(text) {
  add("warned", text);
}

function add(kind, text) {
  const notice = { kind, text: String(text), id: ++count };
  const others = shown.value.filter((other) => other.text !== notice.text);
  shown.value = [...others, notice].slice(-4);
  setTimeout(() => dismiss(notice.id), SECONDS[kind] * 1000);
}

function dismiss(id) {
  shown.value = shown.value.filter((notice) => notice.id !== id);
}

/** The corner where they appear: the shell has one, and each dialog, by its id, for as long as it is the topmost. */
export function Notices({ dialog }) {
  const here = dialogs.value.at(-1) === dialog;
  const of = (kind) => (here ? shown.value.filter((notice) => notice.kind === kind) : []);
  return html`<div class="notices">
    <div role="status" aria-live="polite">${of("said").map(Notice)}</div>
    <div role="alert" aria-live="assertive">${of("warned").map(Notice)}</div>
  </div>`;
}

function Notice({ id, kind, text }) {
  return html`<div key=${id} class=${`notice ${kind}`}>
    <p dir="auto">${text}</p>
    <button type="button" class="button quiet" aria-label="Dismiss" onClick=${() => dismiss(id)}>×</button>
  </div>`;
}
