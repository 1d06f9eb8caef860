// Two photos side by side: which is better, how sure that is, and what tells them apart.

import { get } from "./api.js";
import { useDetails } from "./details.js";
import { Reasons } from "./frame.js";
import { alike, cases, nameOf, points, spoken, unusual } from "./judgment.js";
import { LargePicture } from "./largepicture.js";
import { Dots } from "./measured.js";
import { differences } from "./measures.js";
import { chance } from "./odds.js";
import { html, useState } from "./preact.js";
import { useRanking } from "./proofs.js";
import { href } from "./router.js";
import { Scale } from "./scale.js";
import { Failure, Loading, title } from "./states.js";

export default function Compare({ parts: [id, one, other] }) {
  const { ranking, error, again, renew } = useRanking(
    (signal) => get(`/rankings/${id}`, {}, { signal }),
    [id],
  );
  if (ranking || error) title("Side by side");
  if (!ranking) return error ? html`<${Failure} error=${error} again=${again} />` : html`<${Loading} />`;
  const pair = ranking.entries.filter(({ image, score }) => [one, other].includes(image) && score !== null);
  return html`<article class="compare">
    <header class="stack">
      <p><a href=${href("rankings", id)}>← <bdi dir="auto">${ranking.name ?? "Contact sheet"}</bdi></a></p>
      <h1>Side by side</h1>
    </header>
    ${pair.length === 2 ? html`<${Two} pair=${pair} entries=${ranking.entries} onGone=${renew} />` : html`<${Parted} id=${id} />`}
  </article>`;
}

function Parted({ id }) {
  return html`<p>One of the two has no score, or is not on the sheet. <a href=${href("rankings", id)}>Choose two others</a>.</p>`;
}

function Two({ pair, entries, onGone }) {
  const [upper, lower] = pair;
  return html`
    <p class="verdict">${verdict(upper, lower, chance(entries, entries.indexOf(upper), entries.indexOf(lower)))}</p>
    <${Magnified} pair=${pair} onGone=${onGone} />
    <section class="onescale">
      <h2 class="visually-hidden">Scores on one scale</h2>
      <${Scale} entries=${pair} />
      <p class="ends" aria-hidden="true"><span>0</span><span>50</span><span>100</span></p>
    </section>
    <div class="split two">${pair.map((entry, index) => html`<${Side} key=${entry.image} entry=${entry} letter=${LETTERS[index]} />`)}</div>
    <${Differences} pair=${pair} />
  `;
}

const LETTERS = ["A", "B"];

function verdict(upper, lower, chance) {
  const [a, b] = [upper, lower].map((entry) => html`<bdi dir="auto">${nameOf(entry)}</bdi>`);
  if (alike(upper, lower, chance))
    return html`${a} and ${b} are as good as equal. <small>${chance.toFixed(2)}</small>`;
  return html`${a} beats ${b} ${cases(chance)}. <small>${chance.toFixed(2)}</small>`;
}

function Side({ entry, letter }) {
  const warning = unusual(entry);
  return html`<section class="side stack">
    <h2><span class="initial">${letter}</span> ${entry.rank}. <bdi dir="auto">${nameOf(entry)}</bdi></h2>
    <p class="score"><b>${points(entry.score)}</b> <span>${spoken(entry).split(", ")[1]}</span></p>
    ${warning && html`<p class="warning">${warning}</p>`}
    <${Reasons} reasons=${entry.reasons} />
  </section>`;
}

const FACTORS = [1, 2, 4];

/** Both under one glass: what is looked at in one is looked at in the other. */
function Magnified({ pair, onGone }) {
  const [glass, setGlass] = useState({ factor: 1, x: 50, y: 50 });
  const style = { "--factor": glass.factor, "--x": `${glass.x}%`, "--y": `${glass.y}%` };
  const follow = (event) => glass.factor > 1 && setGlass({ ...glass, ...place(event) });
  const pressed = (event) => {
    const [x, y] = ARROWS[event.key] ?? [0, 0];
    if (glass.factor === 1 || (x === 0 && y === 0)) return;
    event.preventDefault();
    setGlass({ ...glass, x: within(glass.x + x), y: within(glass.y + y) });
  };
  return html`<section class="magnified">
    <h2 class="visually-hidden">The pictures</h2>
    <div class="strip-of-two" tabindex="0" role="group" aria-label="Both pictures; arrow keys move the magnified part"
      onPointerMove=${follow} onKeyDown=${pressed}>
      ${pair.map(
        (entry, index) => html`<figure key=${entry.image} class="shot">
        <figcaption class="edgeprint"><span class="no">${LETTERS[index]}</span><span class="half" aria-hidden="true">${entry.rank}A</span></figcaption>
        <${LargePicture} entry=${entry} own style=${style} onGone=${onGone} />
      </figure>`,
      )}
    </div>
    <fieldset class="densities">
      <legend class="visually-hidden">Magnify</legend>
      ${FACTORS.map(
        (factor) => html`<label key=${factor}>
        <input type="radio" name="factor" checked=${glass.factor === factor} onChange=${() => setGlass({ ...glass, factor })} />
        <span>${factor}×</span>
      </label>`,
      )}
    </fieldset>
  </section>`;
}

const ARROWS = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] };

function place(event) {
  const picture = event.target.closest(".blowup");
  if (!picture) return {};
  const { left, top, width, height } = picture.getBoundingClientRect();
  return {
    x: within(((event.clientX - left) / width) * 100),
    y: within(((event.clientY - top) / height) * 100),
  };
}

function within(share) {
  return Math.min(Math.max(share, 0), 100);
}

function Differences({ pair }) {
  const [one, other] = [useDetails(pair[0].image), useDetails(pair[1].image)];
  if (!one || !other) return null;
  return html`<section class="stack">
    <h2>What tells them apart</h2>
    <p class="initials" aria-hidden="true"><span class="dots"><i class="of-1"></i>A</span><span class="dots"><i class="of-2"></i>B</span></p>
    <dl class="gauges">
      ${differences(one, other).map(
        ({ title: name, low, high, shares }) => html`<div key=${name}>
        <dt>${name}</dt><dd><${Dots} low=${low} high=${high} shares=${shares} /></dd>
      </div>`,
      )}
    </dl>
    <p class="small-print">Measured in the pictures. It goes along with the scores, and need not be their cause.</p>
  </section>`;
}
