// All that is known of one recipient, and their deletion.

import { del } from "./api.js";
import { confirm, Dialog } from "./dialog.js";
import { say, warn } from "./notices.js";
import { html } from "./preact.js";
import { recipientPath, shownValue } from "./recipients.js";

const PLATFORMS = { APNS: "Apple", APNS_SANDBOX: "Apple, in development", GCM: "Google" };
const CHANNELS = { sms: "text messages", push: "notifications" };

export function RecipientDialog({ recipient, onClose, onChanged, onEdit }) {
  if (!recipient) return null;
  const remove = async () => {
    onClose(); // one dialog at a time
    if (!(await confirm(`${recipient.id}, with devices and inbox, is deleted for good.`, "Delete"))) return;
    try {
      await del(recipientPath(recipient.id));
      say("Deleted.");
      onChanged();
    } catch (error) {
      warn(error.message);
    }
  };
  return html`<${Dialog} title=${html`<bdi class="mono">${recipient.id}</bdi>`} open onClose=${onClose}>
    <dl class="details">
      <${Fact} name="Phone">${recipient.phone ?? "none"}<//>
      ${recipient.sms_blocked && html`<${Fact} name="No text messages"><span dir="auto">${recipient.sms_blocked}</span> Another number clears this.<//>`}
      <${Fact} name="Devices"><${Devices} devices=${recipient.devices} /><//>
      <${Fact} name="Opted out of">${recipient.opt_out.map((each) => CHANNELS[each]).join(" and ") || "nothing"}<//>
      <${Fact} name="Time zone">${recipient.timezone ?? "unknown"}<//>
      <${Fact} name="Quiet hours">${quietHours(recipient)}<//>
      ${Object.entries(recipient.attributes).map(
        ([name, value]) =>
          html`<${Fact} key=${name} name=${html`<span class="muted">attributes.</span><bdi>${name}</bdi>`}><bdi dir="auto">${shownValue(value)}</bdi><//>`,
      )}
    </dl>
    <div class="row end">
      <button type="button" class="button danger" onClick=${remove}>Delete …</button>
      <button type="button" class="button" onClick=${() => onEdit(recipient)}>Change</button>
    </div>
  <//>`;
}

function Fact({ name, children }) {
  return html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
}

function Devices({ devices }) {
  if (!devices.length) return "none";
  return html`<ul class="plain">
    ${devices.map(
      ({
        platform,
        token,
        disabled,
      }) => html`<li key=${platform + token}>${PLATFORMS[platform] ?? platform}${" "}
        <span class="mono token" title=${token}>${token.slice(0, 12)}…</span>
        ${disabled && html` <span class="tag warn">takes no more: ${disabled}</span>`}</li>`,
    )}
  </ul>`;
}

function quietHours({ quiet_hours: hours, timezone }) {
  if (!hours) return "none";
  return `${hours.from} to ${hours.to}${timezone ? "" : "; without a time zone they have no effect"}`;
}
