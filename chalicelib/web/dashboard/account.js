// The menu of the person who is signed in.

import { html, useEffect, useRef, useSignal } from "./preact.js";
import { session, signOut } from "./session.js";
import { choose, THEMES, theme } from "./theme.js";

const NAMES = { system: "As the system", light: "Light table", dark: "Darkroom" };

export function AccountMenu() {
  const menu = useRef(null);
  useEffect(() => closing(menu.current), []);
  const { email, admin } = session.value;
  return html`<details class="menu" ref=${menu}>
    <summary class="button quiet"><${Person} /><span class="visually-hidden">Account: ${email}</span></summary>
    <div class="panel">
      <p class="who"><bdi>${email}</bdi>${admin && html` <span class="tag">admin</span>`}</p>
      <${ThemeSwitch} />
      <button type="button" class="button" onClick=${signOut}>Sign out</button>
    </div>
  </details>`;
}

function ThemeSwitch() {
  const chosen = useSignal(theme());
  const take = (name) => {
    choose(name);
    chosen.value = name;
  };
  return html`<fieldset class="themes">
    <legend>Look</legend>
    ${THEMES.map(
      (name) => html`<label>
      <input type="radio" name="theme" value=${name} checked=${chosen.value === name} onChange=${() => take(name)} />
      ${NAMES[name]}
    </label>`,
    )}
  </fieldset>`;
}

/** A menu closes at a click elsewhere, at Escape, and when one goes to another page. */
function closing(menu) {
  const over = new AbortController();
  const close = () => {
    menu.open = false;
  };
  const escaped = (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    close();
    menu.querySelector("summary").focus();
  };
  const elsewhere = (event) => menu.contains(event.target) || close();
  document.addEventListener("pointerdown", elsewhere, { signal: over.signal });
  menu.addEventListener("keydown", escaped, { signal: over.signal });
  addEventListener("hashchange", close, { signal: over.signal });
  return () => over.abort();
}

function Person() {
  return html`<svg viewBox="0 0 24 24" width="22" height="22" fill="none" stroke="currentColor" stroke-width="1.600" aria-hidden="true">
    <circle cx="12" cy="8.500" r="3.800" /><path d="M4.500 20.500c.8-4 3.800-6 7.500-6s6.700 2 7.500 6" />
  </svg>`;
}
