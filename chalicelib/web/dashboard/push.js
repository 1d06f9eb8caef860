// Push: campaigns, who they go to, and the game. For admins.

import { CampaignPage } from "./campaign.js";
import { Campaigns } from "./campaigns.js";
import { Composer } from "./composer.js";
import { html } from "./preact.js";
import { Recipients } from "./recipients.js";
import { href } from "./router.js";
import { session } from "./session.js";
import { Standings } from "./standings.js";
import { Empty, title } from "./states.js";

const SECTIONS = [
  ["campaigns", "Campaigns"],
  ["recipients", "Recipients"],
  ["standings", "Standings"],
];

export default function Push({ parts }) {
  const [section = "campaigns", id] = parts;
  if (!session.value.admin) return html`<${ForAdmins} />`;
  return html`<div class="push">
    <${Sections} here=${section === "new" ? "campaigns" : section} />
    <${Section} section=${section} id=${id} />
  </div>`;
}

function Section({ section, id }) {
  if (section === "new") return html`<${Composer} />`;
  if (section === "recipients") return html`<${Recipients} />`;
  if (section === "standings") return html`<${Standings} />`;
  if (section === "campaigns" && id) return html`<${CampaignPage} key=${id} id=${id} />`;
  return html`<${Campaigns} />`;
}

function Sections({ here }) {
  return html`<nav class="tabs" aria-label="Push">
    ${SECTIONS.map(
      ([name, text]) => html`<a key=${name} href=${name === "campaigns" ? href("push") : href("push", name)}
        aria-current=${name === here ? "page" : undefined}>${text}</a>`,
    )}
  </nav>`;
}

function ForAdmins() {
  title("Push");
  return html`<div class="push">
    <h1>Push</h1>
    <${Empty} title="Campaigns are for admins">
      <p>Whoever sends here reaches people on their phones, so it takes the role admin. Whoever runs this Proofsheet
        gives it: in the Cognito user pool, they add you to the group <code class="mono">admin</code>. Sign in again
        afterwards.</p>
      <p>What campaigns, rankings and models have to tell is in your <a href=${href("inbox")}>inbox</a>.</p>
    <//>
  </div>`;
}
