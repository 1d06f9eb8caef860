// Who stands where, as of the latest snapshot, and by which rules.

import { get, post } from "./api.js";
import { Game } from "./game.js";
import { ago, count, moment } from "./moments.js";
import { say } from "./notices.js";
import { usePolled } from "./poll.js";
import { html, useEffect, useState } from "./preact.js";
import { Empty, Failure, Loading, title } from "./states.js";

const A_PAGE = 50;

export function Standings() {
  title("Standings");
  const [around, setAround] = useState("");
  const [turn, setTurn] = useState(0);
  const { found, error, more } = useStandings(around, turn);
  const refresh = () => setTurn(turn + 1);
  return html`<header class="row push-head">
      <h1>Standings</h1>
      <${ComputeNow} onComputed=${refresh} />
    </header>
    ${found && html`<${AsOf} standings=${found} />`}
    ${
      (around || found?.total > 0) &&
      html`<${Around} around=${around} onAround=${setAround}
      error=${around && error?.status === 404 ? "They have no standing." : null} />`
    }
    ${error && !(around && error.status === 404) && html`<${Failure} error=${error} again=${refresh} />`}
    ${!found && !error && html`<${Loading} text="Looking up the standings" />`}
    ${found && !found.items.length && html`<${Nobody} computed=${Boolean(found.snapshot)} />`}
    ${found?.items.length > 0 && html`<${Table} items=${found.items} around=${around} />`}
    ${more && html`<button type="button" class="button" onClick=${more}>Show more</button>`}
    <${Game} onSaved=${refresh} />`;
}

/** One snapshot, with the pages that were asked for. */
function useStandings(around, turn) {
  const [seen, setSeen] = useState({ found: null, error: null });
  useEffect(() => {
    const over = new AbortController();
    get("/standings", { limit: A_PAGE, around }, { signal: over.signal }).then(
      (found) => setSeen({ found, error: null }),
      (error) => over.signal.aborted || setSeen((before) => ({ ...before, error })),
    );
    return () => over.abort();
  }, [around, turn]);
  const { found } = seen;
  const more = async () => {
    try {
      const next = await get("/standings", { limit: A_PAGE, cursor: found.next });
      setSeen({ found: { ...next, items: [...found.items, ...next.items] }, error: null });
    } catch (error) {
      setSeen({ found, error });
    }
  };
  return { ...seen, more: found?.next ? more : null };
}

function AsOf({ standings }) {
  const { computed_at: computed, counted_until: until, season, total } = standings;
  if (!computed) return null;
  return html`<p class="muted">${count(total)} ${total === 1 ? "recipient" : "recipients"}${season && html`, season <bdi>${season}</bdi>`}.
    Computed <time datetime=${computed} title=${moment(computed)}>${ago(computed)}</time>${until ? `, with all events up to the end of ${until} (UTC)` : ""}.</p>`;
}

function ComputeNow({ onComputed }) {
  const [snapshot, setSnapshot] = useState(null);
  const [error, setError] = useState(null);
  const [asking, setAsking] = useState(false);
  const compute = async () => {
    setError(null);
    setAsking(true);
    try {
      setSnapshot((await post("/standings")).snapshot);
    } catch (refused) {
      setError(refused.message);
    }
    setAsking(false);
  };
  const computed = () => {
    setSnapshot(null);
    say("The standings are computed.");
    onComputed();
  };
  return html`<div class="compute">
    <button type="button" class="button" disabled=${asking || snapshot !== null} onClick=${compute}>${snapshot ? "Computing …" : "Compute now"}</button>
    ${error && html`<p class="error" role="alert">${error}</p>`}
    ${snapshot && html`<${Watching} snapshot=${snapshot} onComputed=${computed} />`}
  </div>`;
}

/** Until this snapshot, or a newer one, is the latest; their ids are in the order of time. */
function Watching({ snapshot, onComputed }) {
  const arrived = (seen) => seen.snapshot !== null && seen.snapshot >= snapshot;
  const { value } = usePolled((signal) => get("/standings", { limit: 1 }, { signal }), { ended: arrived });
  useEffect(() => {
    if (value && arrived(value)) onComputed();
  }, [value]);
  return html`<p class="visually-hidden" role="status">The standings are being computed.</p>`;
}

function Around({ around, error, onAround }) {
  const [id, setId] = useState("");
  const look = (event) => {
    event.preventDefault();
    onAround(id.trim());
  };
  return html`<form class="look-up" role="search" onSubmit=${look}>
    <div class=${error ? "field wrong" : "field"}>
      <label for="around">Around a recipient</label>
      <div class="row tight">
        <input id="around" type="search" value=${id} autocapitalize="none" spellcheck=${false} onInput=${(event) => setId(event.currentTarget.value)}
          aria-invalid=${error ? "true" : undefined} aria-describedby=${error ? "around-error" : undefined} />
        <button type="submit" class="button">${id.trim() || !around ? "Show" : "Show the first"}</button>
      </div>
      ${error && html`<p class="error" id="around-error" role="alert">${error}</p>`}
    </div>
  </form>`;
}

function Table({ items, around }) {
  return html`<div class="table-wrap" role="region" aria-label="Standings" tabindex="0"><table class="standings">
    <thead><tr>
      <th scope="col" class="number">Rank</th><th scope="col">Moved</th><th scope="col">Recipient</th>
      <th scope="col" class="number">Points</th><th scope="col">Level</th><th scope="col">Badges</th>
    </tr></thead>
    <tbody>
      ${items.map(
        (each) => html`<tr key=${each.recipient} class=${each.recipient === around ? "here" : ""}>
          <td class="number rank">${count(each.rank)}</td>
          <td class="nowrap"><${Moved} places=${each.movement} /></td>
          <th scope="row" class="mono"><bdi>${each.recipient}</bdi></th>
          <td class="number tabular">${count(each.points)}</td>
          <td>${each.level ? html`<bdi>${each.level}</bdi>` : "–"}</td>
          <td>${each.badges.map((badge) => html`<span key=${badge} class="tag"><bdi>${badge}</bdi></span> `)}</td>
        </tr>`,
      )}
    </tbody>
  </table></div>`;
}

/** An arrow for the eye, words for the ear. */
function Moved({ places }) {
  if (places === null) return html`<span class="tag">new</span>`;
  if (places === 0)
    return html`<span class="moved"><span aria-hidden="true">–</span><span class="visually-hidden">as before</span></span>`;
  const up = places > 0;
  return html`<span class=${`moved ${up ? "up" : "down"}`}>
    <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true"><path d=${up ? "M6 1v10M2 5l4-4 4 4" : "M6 11V1M2 7l4 4 4-4"} /></svg>
    <span class="visually-hidden">${up ? "up" : "down"}</span> ${count(Math.abs(places))}
  </span>`;
}

function Nobody({ computed }) {
  return html`<${Empty} title=${computed ? "Nobody has a standing yet" : "Not computed yet"}>
    <p>${
      computed
        ? "Standings are of recipients who did something that the rules name, once their events were counted."
        : "Points come from tracked events by the rules below. They are computed every night at 4:30 UTC, or now if you ask."
    }</p>
  <//>`;
}
