// The rules of the game: what they say, and a place to write them.

import { get, put } from "./api.js";
import { TextField } from "./field.js";
import { count } from "./moments.js";
import { say, warn } from "./notices.js";
import { html, useEffect, useState } from "./preact.js";

const EXAMPLE = {
  points: { click: 1, Purchase: 10 },
  levels: [
    { name: "Bronze", from_points: 0 },
    { name: "Silver", from_points: 100 },
  ],
  badges: [{ name: "Regular", event: "Purchase", count: 10 }],
};

/** onSaved: the rules have changed. */
export function Game({ onSaved }) {
  const [rules, setRules] = useState(null); // empty: there are none yet
  const [editing, setEditing] = useState(false);
  useEffect(() => {
    get("/game").then(setRules, (error) => warn(error.message));
  }, []);
  if (!rules) return null;
  const some = Object.keys(rules).length > 0;
  const saved = (now) => {
    setRules(now);
    setEditing(false);
    say("The rules are saved. They count from the next computation on.");
    onSaved();
  };
  return html`<section class="game" aria-labelledby="game-title">
    <header class="row">
      <h2 id="game-title">The rules</h2>
      ${!editing && html`<button type="button" class="button quiet" onClick=${() => setEditing(true)}>${some ? "Change" : "Write them"}</button>`}
    </header>
    ${
      editing
        ? html`<${Editor} rules=${some ? rules : EXAMPLE} onSaved=${saved} onClose=${() => setEditing(false)} />`
        : some
          ? html`<${Summary} rules=${rules} />`
          : html`<p class="muted">There are none yet. With rules, what your customers do earns them points, levels and badges.</p>`
    }
  </section>`;
}

function Summary({ rules }) {
  const { points = {}, levels = [], badges = [], seasons = [] } = rules;
  const parts = [
    ["Points", Object.entries(points).map(([event, each]) => [event, count(each)])],
    ["Levels", levels.map(({ name, from_points: from }) => [name, `from ${count(from)}`])],
    ["Badges", badges.map((badge) => [badge.name, earned(badge)])],
    ["Seasons", seasons.map(({ name, starts, ends }) => [name, `${starts} to ${ends}`])],
  ];
  return html`<div class="rules">
    ${parts
      .filter(([, rows]) => rows.length)
      .map(
        ([name, rows]) => html`<section key=${name}><h3>${name}</h3><dl class="figures">
        ${rows.map(([what, text]) => html`<div key=${what}><dt><bdi>${what}</bdi></dt><dd class="tabular"><bdi>${text}</bdi></dd></div>`)}
      </dl></section>`,
      )}
  </div>`;
}

function earned({ points, event, count: times }) {
  return points ? `${count(points)} points` : `${count(times)} × ${event}`;
}

function Editor({ rules, onSaved, onClose }) {
  const [text, setText] = useState(() => JSON.stringify(rules, null, 2));
  const [error, setError] = useState(null);
  const save = async (event) => {
    event.preventDefault();
    try {
      onSaved(await put("/game", JSON.parse(text)));
    } catch (refused) {
      setError(refused instanceof SyntaxError ? `This is no JSON: ${refused.message}` : refused.message);
    }
  };
  return html`<form class="stack" onSubmit=${save}>
    <${TextField} label="Rules as JSON" rows="16" className="mono" spellcheck=${false} value=${text} error=${error} onInput=${setText}
      hint="points: what an event is worth. levels: name, from_points. badges: name and points, or event and count. seasons: name, starts, ends." />
    <div class="row">
      <button type="submit" class="button primary">Save</button>
      <button type="button" class="button" onClick=${onClose}>Leave as it was</button>
    </div>
  </form>`;
}
