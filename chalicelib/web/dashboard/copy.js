// A button that copies a text.

import { say } from "./notices.js";
import { html, useRef, useState } from "./preact.js";

const SHOWN_MS = 2000;

/** text: what is copied. Where the clipboard is refused, the text is shown, selected, for the person to copy. */
export function Copy({ text, label = "Copy", className = "" }) {
  const [refused, setRefused] = useState(false);
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setRefused(false);
      setCopied(true);
      setTimeout(() => setCopied(false), SHOWN_MS);
      say("Copied.");
    } catch {
      setRefused(true);
    }
  };
  return html`<button type="button" class=${`button ${className}`} onClick=${copy}>${copied ? "Copied" : label}</button>
    ${refused && html`<${Selected} text=${text} />`}`;
}

function Selected({ text }) {
  const shown = useRef(null);
  const take = (field) => {
    if (field && field !== shown.current) field.select();
    shown.current = field;
  };
  return html`<input class="mono" readonly aria-label="Copy this text" value=${text} ref=${take} />`;
}
