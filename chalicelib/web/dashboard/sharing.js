// A link to a sheet, for people who have no account.

import { post } from "./api.js";
import { Copy } from "./copy.js";
import { Dialog } from "./dialog.js";
import { SelectField } from "./field.js";
import { moment } from "./moments.js";
import { html, useEffect, useState } from "./preact.js";
import { href } from "./router.js";

const DAYS = [
  ["1", "a day"],
  ["7", "a week"],
  ["30", "30 days"],
  ["90", "90 days"],
];

export function Sharing({ open, ranking, onClose }) {
  const [days, setDays] = useState("30");
  const [made, setMade] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    setMade(null);
    setError(null);
  }, [open, days]);
  const make = (event) => {
    event.preventDefault();
    post(`/rankings/${ranking.id}/links`, { days: Number(days) }).then(setMade, setError);
  };
  return html`<${Dialog} title="Share this sheet" open=${open} onClose=${onClose} className="sharing">
    <p>Whoever has the link sees this sheet without signing in: the photos in small, their names, scores and reasons, and
      nothing else of your account. It cannot be taken back, except by deleting the sheet.</p>
    <form class="toolbar" onSubmit=${make}>
      <${SelectField} label="Good for" options=${DAYS} value=${days} onChange=${setDays} />
      <button type="submit" class="button primary">Make a link</button>
    </form>
    ${error && html`<p class="error" role="alert">${error.message}</p>`}
    <div role="status">${made && html`<${Link} ...${made} />`}</div>
  <//>`;
}

function Link({ token, expires_at: end }) {
  const address = new URL(href("shared", token), location.href).href;
  return html`<p class="stack">
    <a class="mono" href=${address} target="_blank" rel="noreferrer">${address}</a>
    <span class="row"><${Copy} text=${address} label="Copy the link" className="primary" /><small>Until ${moment(end)}</small></span>
  </p>`;
}
