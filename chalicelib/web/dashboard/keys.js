// What the keyboard does on a sheet.

import { Dialog } from "./dialog.js";
import { html, useEffect } from "./preact.js";

const KEYS = [
  ["← → ↑ ↓", "to the next frame"],
  ["Home, End", "to the first, to the last"],
  ["Enter", "look at a frame; then ← and → go on"],
  ["Space or C", "mark a frame to compare it"],
  ["Esc", "close what lies over the sheet"],
  ["?", "show these keys"],
];

export function Keys({ open, onClose }) {
  return html`<${Dialog} title="Keys" open=${open} onClose=${onClose} className="small">
    <dl class="keys">
      ${KEYS.map(([key, what]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}
    </dl>
  <//>`;
}

/** Calls `show` at "?", unless someone is writing or a dialog is open. */
export function useQuestionMark(show) {
  useEffect(() => {
    const pressed = (event) => {
      const busy = event.target.closest?.("input, textarea, select, dialog");
      if (event.key === "?" && !busy && !document.querySelector("dialog[open]")) show();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
