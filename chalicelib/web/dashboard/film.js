// The frames of a sheet, and the way through them by keyboard.

import { Frame, Undeveloped } from "./frame.js";
import { html, useRef, useState } from "./preact.js";

const DETAILED = { small: false, medium: true, large: true };

/**
 * entries: those shown. all: of the ranking, for what comes next in rank. missing: how many are still to come.
 * marked: ids of images with a ring. onOpen(entry), onMark(entry), onGone(): a picture could not be shown.
 */
export function Film({ entries, all, missing, density, marked, own, onOpen, onMark, onGone }) {
  const list = useRef(null);
  const [at, setAt] = useState(null);
  const current = entries.some(({ image }) => image === at) ? at : entries[0]?.image;
  const focused = (event) => event.target.dataset.image && setAt(event.target.dataset.image);
  const pressed = (event) => {
    const index = entries.findIndex(({ image }) => image === event.target.dataset.image);
    if (index < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (MARK.has(event.key)) onMark(entries[index]);
    else if (!move(list.current, index, event.key)) return;
    event.preventDefault();
  };
  return html`<ol ref=${list} class=${`film ${density}`} role="list" onFocusIn=${focused} onKeyDown=${pressed}
    onKeyUp=${unclick}>
    ${entries.map(
      (entry) => html`<${Frame} key=${entry.image} entry=${entry} below=${next(all, entry)}
      current=${entry.image === current} marked=${marked.includes(entry.image)} own=${own} detailed=${DETAILED[density]}
      onOpen=${onOpen} onMark=${onMark} onGone=${onGone} />`,
    )}
    ${Array.from({ length: missing }, (_, index) => html`<${Undeveloped} key=${`missing-${index}`} number=${all.length + index + 1} />`)}
  </ol>`;
}

const MARK = new Set(["c", " "]);

/** A browser may take the release of the space bar for a click. */
function unclick(event) {
  if (event.key === " " && event.target.dataset.image) event.preventDefault();
}

/** The entry below in rank, if it has a score; ranks are from 1 and without gaps. */
function next(all, { rank }) {
  const below = all[rank];
  return below && below.score !== null ? below : null;
}

/** Moves the focus as the key says; false if it says nothing. */
function move(list, index, key) {
  const looks = [...list.querySelectorAll("[data-image]")];
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(looks), ArrowDown: columns(looks) }[key];
  const to = { Home: 0, End: looks.length - 1 }[key] ?? index + step;
  if (Number.isNaN(to)) return false;
  looks[to]?.focus();
  return true;
}

/** How many frames lie side by side. */
function columns(looks) {
  const top = looks[0].getBoundingClientRect().top;
  const second = looks.findIndex((look) => look.getBoundingClientRect().top > top + 1);
  return second < 0 ? looks.length : second;
}
