// One campaign: how far it is, what one may do about it, and what became of whom.

import { post } from "./api.js";
import { Bar, Legend } from "./bar.js";
import { StateTag, useCampaign, when } from "./campaigns.js";
import { ResumeForm, Stopping } from "./halting.js";
import { Messages, worthALook } from "./messages.js";
import { ago, count, dollars } from "./moments.js";
import { warn } from "./notices.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { Failure, Loading, title } from "./states.js";
import { CHANNELS, doing, done, duration, ENDED, inWords, POLICIES, pace, percentDone } from "./tally.js";

export function CampaignPage({ id }) {
  const [shown, setShown] = useState(null);
  const { value: campaign, error, again } = useCampaign(id);
  if (campaign || error) title(campaign?.name ?? "Campaign");
  if (!campaign) {
    return html`<h1>Campaign</h1>${error ? html`<${Failure} error=${error} again=${again} />` : html`<${Loading} />`}`;
  }
  const state = shown ?? worthALook(campaign.progress);
  return html`<header class="push-head">
      <p class="muted">${CHANNELS[campaign.channel]} · ${when(campaign)}</p>
      <h1><bdi dir="auto">${campaign.name}</bdi> <${StateTag} campaign=${campaign} /></h1>
    </header>
    ${error && html`<p class="lagging" role="status">Not reachable right now; these are the last numbers known. Trying again.</p>`}
    <section class="panel progress-panel" aria-label="Progress">
      <${Headline} campaign=${campaign} />
      <${Bar} progress=${campaign.progress} label="Progress of this campaign" />
      <${Legend} progress=${campaign.progress} shown=${state} onShow=${setShown} />
      <${Spoken} campaign=${campaign} />
      <${Actions} campaign=${campaign} again=${again} />
    </section>
    <${Facts} campaign=${campaign} />
    ${state && html`<${Messages} key=${state} campaign=${campaign} state=${state} onShow=${setShown} />`}`;
}

function Headline({ campaign }) {
  const { progress } = campaign;
  const percent = percentDone(progress);
  return html`<div class="headline">
    <p class="headline-number tabular">${percent === null ? count(done(progress)) : `${percent} %`}</p>
    <div>
      <p class="headline-words tabular">${sentence(campaign, percent)}</p>
      <p class="muted">${meanwhile(campaign)}</p>
    </div>
  </div>`;
}

function sentence({ progress, state }, percent) {
  if (percent === null)
    return `done of ${count(progress.total)} so far; ${MOVING.includes(state) ? "counting still" : "not all are counted"}`;
  if (!progress.total) return "Nobody fits its audience; there is nothing to send.";
  return `${count(done(progress))} of ${count(progress.total)} messages are done`;
}

function meanwhile(campaign) {
  const { state, progress, reason, held_up: heldUp } = campaign;
  if (ENDED.includes(state) && progress.planned) return "The last messages in hand are being written down.";
  if (state === "completed") return "Every message has come to its end.";
  if (state === "cancelled") return "It was cancelled. What had not been sent is not sent any more.";
  if (state === "paused")
    return reason ? PAUSED[reason] : "It is paused. Nothing is sent until you resume it.";
  if (heldUp)
    return html`SNS refused messages ${ago(heldUp.at)}; they are tried again. It said:
      <q dir="auto">${heldUp.reason}</q>. If that stays, whoever runs this stage has to mend it.`;
  if (doing(campaign) === "Scheduled") return "It waits for its time. You may close this page.";
  if (progress.eta_seconds !== null) return `${remaining(progress)}. You may close this page, it goes on.`;
  return progress.total_is_final && !progress.rate_per_second
    ? "It waits for its turn, or for recipients' quiet hours to end. You may close this page, it goes on."
    : "You may close this page, it goes on.";
}

const MOVING = ["planning", "sending"];
const PAUSED = {
  max_dollars: "It has paused itself: the next text messages would cost more than the campaign may.",
  budget: "It has paused itself: the account's budget for text messages of this month is used up.",
};

function remaining({ eta_seconds: seconds }) {
  const text = `${duration(seconds)} left`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A quarter is news, a message is not: what a screen reader hears without asking. */
function Spoken({ campaign }) {
  const { progress, state } = campaign;
  const quarter =
    progress.total_is_final && progress.total ? Math.floor((done(progress) / progress.total) * 4) : 0;
  const last = useRef({ key: `${state} ${quarter}`, text: "" });
  const key = `${state} ${quarter}`;
  if (last.current.key !== key) last.current = { key, text: `${doing(campaign)}. ${inWords(progress)}` };
  return html`<p class="visually-hidden" role="status">${last.current.text}</p>`;
}

function Actions({ campaign, again }) {
  const [stopping, setStopping] = useState(false);
  const [busy, act] = useAction(campaign, again);
  const { state } = campaign;
  if (ENDED.includes(state)) return null;
  const cancel = async () => {
    await act("cancel");
    setStopping(false);
  };
  return html`<div class="toolbar">
    ${
      state === "paused"
        ? html`<${ResumeForm} campaign=${campaign} busy=${busy} onResume=${(body) => act("resume", body)} />`
        : html`<button type="button" class="button" disabled=${busy} onClick=${() => act("pause")}>Pause</button>`
    }
    <button type="button" class="button danger" disabled=${busy} onClick=${() => setStopping(true)}>Cancel the campaign …</button>
    <${Stopping} campaign=${campaign} open=${stopping} busy=${busy} onStop=${cancel} onClose=${() => setStopping(false)} />
  </div>`;
}

/** Pausing, resuming and cancelling may be said twice; each answers with the campaign, and the next look has it. */
function useAction(campaign, again) {
  const [busy, setBusy] = useState(false);
  const mounted = useRef(true);
  useEffect(() => () => (mounted.current = false), []);
  const act = async (verb, body) => {
    setBusy(true);
    try {
      await post(`/campaigns/${campaign.id}/${verb}`, body);
    } catch (error) {
      warn(error.message);
    }
    if (!mounted.current) return;
    setBusy(false);
    again();
  };
  return [busy, act];
}

function Facts({ campaign }) {
  const { progress } = campaign;
  const facts = [
    ["Pace", progress.rate_per_second ? pace(progress.rate_per_second) : null],
    ["Set aside for text messages", campaign.channel === "push" ? null : dollars(campaign.dollars)],
    ["At most", campaign.max_dollars === null ? null : dollars(campaign.max_dollars)],
    ["Delivery", POLICIES[campaign.delivery]],
  ];
  const channels = Object.entries(progress.channels);
  return html`<section class="facts" aria-label="Facts">
    <dl class="fact-list">
      ${facts.filter(([, text]) => text).map(([name, text]) => html`<div key=${name}><dt>${name}</dt><dd class="tabular">${text}</dd></div>`)}
    </dl>
    ${channels.length > 1 && html`<ul class="channel-bars">${channels.map(([name, counts]) => html`<${ChannelBar} key=${name} name=${name} counts=${counts} final=${progress.total_is_final} />`)}</ul>`}
  </section>`;
}

function ChannelBar({ name, counts, final }) {
  const progress = { ...counts, total_is_final: final };
  return html`<li>
    <p>${CHANNELS[name]}s <span class="muted tabular">${count(done(counts))} of ${count(counts.total)}</span></p>
    <${Bar} progress=${progress} label=${`${CHANNELS[name]}s`} small />
  </li>`;
}
