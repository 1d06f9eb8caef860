// A new campaign: to whom, what, when, and what it would do, before anybody gets it.

import { get } from "./api.js";
import { Audience } from "./audience.js";
import { EMPTY, fieldOf, objections, request } from "./draft.js";
import { CheckField, TextField } from "./field.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { Preview, useDryRun } from "./preview.js";
import { go, useHere } from "./router.js";
import { Starting, useLaunch } from "./starting.js";
import { Failure, title } from "./states.js";
import { Texts } from "./texts.js";

export function Composer() {
  title("New campaign");
  const [draft, setDraft] = useState(EMPTY);
  const [asked, setAsked] = useState(false);
  const known = useKnown();
  const dry = useDryRun(draft);
  const here = useHere();
  const launch = useLaunch((id) => here.current && go("push", "campaigns", id));
  const form = useRef(null);
  const change = (part) => {
    setDraft((before) => ({ ...before, ...part }));
    launch.forget();
  };
  const errors = {
    ...refusedField(dry.error),
    ...refusedField(launch.error),
    ...(asked ? objections(draft) : {}),
  };
  useEffect(() => focusWrong(form.current), [launch.error]);
  const begin = (event) => {
    event.preventDefault();
    setAsked(true);
    if (Object.keys(objections(draft)).length) requestAnimationFrame(() => focusWrong(form.current));
    else launch.prepare(request(draft));
  };
  return html`<header class="push-head"><h1>New campaign</h1></header>
    <form class="composer" ref=${form} onSubmit=${begin} novalidate>
      <div class="composer-form">
        <${Basics} draft=${draft} change=${change} errors=${errors} />
        <${Audience} draft=${draft} change=${change} errors=${errors} known=${known} />
        <${Texts} draft=${draft} change=${change} errors=${errors} known=${known} />
        <${Terms} draft=${draft} change=${change} errors=${errors} />
        ${launch.error && !fieldOf(launch.error.field) && html`<${Failure} error=${launch.error} />`}
        <button type="submit" class="button primary" disabled=${launch.busy}>
          ${launch.busy && !launch.estimate ? "Looking …" : draft.later ? "Schedule …" : "Start …"}</button>
      </div>
      <${Preview} dry=${dry} draft=${draft} />
    </form>
    <${Starting} launch=${launch} draft=${draft} />`;
}

/** What may be inserted and compared: attributes that recipients have, by kind, and the names of the game. */
function useKnown() {
  const [known, setKnown] = useState({ attributes: new Map(), levels: [], badges: [] });
  useEffect(() => {
    let here = true;
    Promise.allSettled([get("/recipients", { limit: 50 }), get("/game")]).then(([people, game]) => {
      const attributes = people.value ? attributesOf(people.value.items) : new Map();
      const names = (list) => (game.value?.[list] ?? []).map(({ name }) => name);
      if (here) setKnown({ attributes, levels: names("levels"), badges: names("badges") });
    });
    return () => {
      here = false;
    };
  }, []);
  return known;
}

/** A Map of name to kind. */
function attributesOf(recipients) {
  const found = new Map();
  for (const [name, value] of recipients.flatMap(({ attributes }) => Object.entries(attributes))) {
    if (!found.has(name)) found.set(name, kindOf(value));
  }
  return found;
}

const kindOf = (value) => ({ number: "number", boolean: "boolean" })[typeof value] ?? "text";

function refusedField(error) {
  const field = fieldOf(error?.field);
  return field ? { [field]: error.reason } : {};
}

function focusWrong(form) {
  form?.querySelector('[aria-invalid="true"]')?.focus();
}

function Basics({ draft, change, errors }) {
  return html`<section class="step" aria-labelledby="step-name">
    <h2 id="step-name"><span class="edge" aria-hidden="true">1</span> What it is</h2>
    <${TextField} label="Name" value=${draft.name} error=${errors.name} maxlength="200" dir="auto"
      hint="For you and your colleagues. A text may use it as campaign.name." onInput=${(name) => change({ name })} />
    <fieldset>
      <legend>Sent as</legend>
      <div class="choices">
        ${[
          ["sms", "Text message"],
          ["push", "App notification"],
          ["both", "Both"],
        ].map(
          ([
            value,
            text,
          ]) => html`<label key=${value} class="choice"><input type="radio" name="channel" value=${value}
            checked=${draft.channel === value} onChange=${() => change({ channel: value })} /> ${text}</label>`,
        )}
      </div>
    </fieldset>
  </section>`;
}

function Terms({ draft, change, errors }) {
  return html`<section class="step" aria-labelledby="step-terms">
    <h2 id="step-terms"><span class="edge" aria-hidden="true">4</span> When, and at what price</h2>
    <${CheckField} label="Start later" checked=${draft.later} onChange=${(later) => change({ later })} />
    ${
      draft.later &&
      html`<${TextField} label="Starts at" type="datetime-local" value=${draft.startsAt} error=${errors.starts_at}
      hint=${`Your clock: ${Intl.DateTimeFormat().resolvedOptions().timeZone}. A time that has passed means now.`}
      onInput=${(startsAt) => change({ startsAt })} />`
    }
    ${
      draft.channel !== "push" &&
      html`<${TextField} label="At most, in dollars" type="number" min="0" step="any" inputmode="decimal"
      value=${draft.maxDollars} error=${errors.max_dollars} onInput=${(maxDollars) => change({ maxDollars })}
      hint="Optional. Before its text messages would cost more, the campaign pauses and asks you." />`
    }
    <${Policy} draft=${draft} change=${change} />
  </section>`;
}

/** What nobody can know, somebody has to choose. */
function Policy({ draft, change }) {
  const policies = [
    [
      "at_most_once",
      "Rather not at all",
      "Nobody gets it twice. What is uncertain stays “unknown”, for you to look at.",
    ],
    [
      "at_least_once",
      "Rather twice",
      "What is uncertain is sent again. Nobody is left out; somebody may hear twice.",
    ],
  ];
  return html`<fieldset class="policy">
    <legend>When nobody knows whether a message went out</legend>
    ${policies.map(
      ([
        value,
        name,
        means,
      ]) => html`<label key=${value} class="choice tall"><input type="radio" name="delivery" value=${value}
        checked=${draft.delivery === value} onChange=${() => change({ delivery: value })} />
        <span><strong>${name}</strong><br /><span class="muted">${means}</span></span></label>`,
    )}
  </fieldset>`;
}
