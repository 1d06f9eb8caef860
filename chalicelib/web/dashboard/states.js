// The states that every page has: not yet, nothing, and not now; and where one is.

import { effect, html } from "./preact.js";
import { route } from "./router.js";

/** text: what is being waited for; heard by a screen reader, seen after a moment. */
export function Loading({ text = "Loading" }) {
  return html`<p class="loading" role="status"><span class="strip" aria-hidden="true"><i></i><i></i><i></i></span>${text} …</p>`;
}

/** Nothing here yet: says so, and what to do. */
export function Empty({ title: heading, children }) {
  return html`<section class="empty"><${Blank} /><h2>${heading}</h2>${children}</section>`;
}

/** It did not work, and why; again: a function that tries once more. */
export function Failure({ error, again }) {
  return html`<section class="failure" role="alert">
    <h2>That did not work</h2>
    <p dir="auto">${error?.message ?? String(error)}</p>
    ${again && html`<button type="button" class="button" onClick=${() => again()}>Try again</button>`}
  </section>`;
}

/** A name that a person gave, in whatever direction it is written. */
export function Named({ children }) {
  return html`<bdi dir="auto">${children}</bdi>`;
}

function Blank() {
  return html`<svg class="blank" viewBox="0 0 96 40" width="96" height="40" aria-hidden="true">
    <rect x="1" y="1" width="94" height="38" rx="2" />
    ${[6, 36, 66].map((x) => html`<rect class="frame" x=${x} y="9" width="24" height="22" />`)}
  </svg>`;
}

let arriving = false;
let place = whereabouts();

// Another query, of a filter for instance, is no other place.
effect(() => {
  const now = whereabouts();
  arriving ||= now !== place;
  place = now;
});

function whereabouts() {
  const { page, parts } = route.value;
  return [page, ...parts].join("/");
}

/** Names the page in the window's title; after a navigation, the focus goes to its h1, which is then read out. */
export function title(text) {
  document.title = `${text} · Proofsheet`;
  if (!arriving) return;
  arriving = false;
  requestAnimationFrame(() => {
    focusHeading();
    scrollTo(0, 0);
  });
}

/** For when what has the focus goes: without it, who uses the keyboard would begin at the top of the page again. */
export function focusHeading() {
  const heading = document.querySelector("main h1") ?? document.querySelector("main");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
}
