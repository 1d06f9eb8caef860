// Dialogs: the browser's own, so that focus stays inside and Escape closes.

import { dialogs, Notices } from "./notices.js";
import { html, signal, useId, useLayoutEffect, useRef } from "./preact.js";

/** Modal while `open`; the focus goes back to where it was. onClose undefined: it cannot be closed by the person. */
export function Dialog({ title, open, onClose, children, className = "" }) {
  const ref = useRef(null);
  const id = useId();
  // Before the effects of what is inside, which may move the focus on.
  useLayoutEffect(() => (open ? modal(ref.current, id) : undefined), [open]);
  if (!open) return null;
  const cancel = (event) => {
    event.preventDefault();
    onClose?.();
  };
  // A browser closes at the second Escape whatever was said to the first.
  const closed = () => (onClose ? onClose() : ref.current?.showModal());
  return html`<dialog ref=${ref} class=${`dialog ${className}`} aria-labelledby=${id}
    closedby=${onClose ? "closerequest" : "none"} onCancel=${cancel} onClose=${closed}>
    <header class="row">
      <h2 id=${id}>${title}</h2>
      ${onClose && html`<button type="button" class="button quiet close" aria-label="Close" onClick=${onClose}>×</button>`}
    </header>
    ${children}
    <${Notices} dialog=${id} />
  </dialog>`;
}

function modal(dialog, id) {
  const before = document.activeElement;
  dialog.showModal();
  dialogs.value = [...dialogs.value, id];
  return () => {
    dialogs.value = dialogs.value.filter((other) => other !== id);
    if (before?.isConnected) before.focus();
  };
}

const question = signal(null);

/** Asks; answers true where the button that says `action` ("Delete") was pressed. */
export function confirm(text, action = "OK") {
  question.value?.resolve(false);
  return new Promise((resolve) => {
    question.value = { text, action, resolve };
  });
}

/** Where confirm() asks; the shell has one. */
export function Confirmations() {
  const asked = question.value;
  const answer = (yes) => {
    question.value = null;
    asked.resolve(yes);
  };
  return html`<${Dialog} title=${asked?.action} open=${asked !== null} onClose=${() => answer(false)} className="small">
    <p dir="auto">${asked?.text}</p>
    <div class="row end">
      <button type="button" class="button" autofocus onClick=${() => answer(false)}>Cancel</button>
      <button type="button" class="button danger" onClick=${() => answer(true)}>${asked?.action}</button>
    </div>
  <//>`;
}
