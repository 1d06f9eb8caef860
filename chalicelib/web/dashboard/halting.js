// Resuming a campaign, perhaps with more money, and cancelling it for good.

import { Dialog } from "./dialog.js";
import { TextField } from "./field.js";
import { count, dollars } from "./moments.js";
import { html, useState } from "./preact.js";

/** onResume gets the request's body, or nothing. */
export function ResumeForm({ campaign, busy, onResume }) {
  if (campaign.reason === "max_dollars")
    return html`<${RaiseForm} campaign=${campaign} busy=${busy} onResume=${onResume} />`;
  return html`<button type="button" class="button primary" disabled=${busy} onClick=${() => onResume()}>Resume</button>`;
}

function RaiseForm({ campaign, busy, onResume }) {
  const [text, setText] = useState("");
  const [error, setError] = useState(null);
  const resume = (event) => {
    event.preventDefault();
    const wrong = tooLittle(text, campaign.max_dollars);
    setError(wrong);
    if (!wrong) onResume({ max_dollars: Number(text) });
  };
  return html`<form class="raise" onSubmit=${resume}>
    <${TextField} label="New limit in dollars" type="number" min="0" step="any" inputmode="decimal" value=${text}
      error=${error} onInput=${setText} hint=${`Up to now: ${dollars(campaign.max_dollars)}.`} />
    <button type="submit" class="button primary" disabled=${busy}>Resume</button>
  </form>`;
}

function tooLittle(text, before) {
  const number = Number(text);
  if (!text.trim() || !Number.isFinite(number)) return "Say how much it may cost.";
  return number > before ? null : `With ${dollars(number)} it would pause again at once.`;
}

export function Stopping({ campaign, open, busy, onStop, onClose }) {
  const { progress } = campaign;
  const left = progress.total_is_final ? `${count(progress.planned)} messages` : "All messages";
  return html`<${Dialog} title="Cancel this campaign?" open=${open} onClose=${onClose} className="small">
    <p>${left} that nobody has taken in hand yet will never be sent. A worker that is sending stops within 50 messages or
      two seconds, so a few may still go out. What was sent stays sent. This cannot be undone.</p>
    <div class="row end">
      <button type="button" class="button" autofocus onClick=${onClose}>Keep it</button>
      <button type="button" class="button danger" disabled=${busy} onClick=${onStop}>Cancel for good</button>
    </div>
  <//>`;
}
