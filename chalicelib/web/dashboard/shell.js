// What stands around every page: the way in, the header, the corner for notices.

import { AccountMenu } from "./account.js";
import { busy } from "./api.js";
import { background } from "./background.js";
import { Mark } from "./brand.js";
import { unreachable } from "./config.js";
import { Confirmations } from "./dialog.js";
import { Notices } from "./notices.js";
import { isOpen, Page } from "./pages.js";
import { html, useEffect, useErrorBoundary, useSignal } from "./preact.js";
import { route } from "./router.js";
import { amplify, session } from "./session.js";
import { SignIn, SignInAgain } from "./signin.js";
import { title } from "./states.js";
import { countUnread, unread } from "./unread.js";

const PLACES = [
  ["rank", "Rank", ["rank", "rankings", "compare"]],
  ["models", "Models", ["models"]],
  ["track", "Track", ["track"]],
  ["push", "Push", ["push"]],
  ["inbox", "Inbox", ["inbox"]],
];
const INBOX_MS = 60_000;

export function Shell() {
  const { state } = session.value;
  const Background = background.value;
  useEffect(usable, []);
  if (state === "out" && !isOpen(route.value.page)) {
    return html`<${unreachable.value ? Unreachable : SignIn} /><${Notices} />`;
  }
  return html`
    <a class="skip" href="#content" onClick=${skip}>Skip to the content</a>
    <${Header} />
    <${Connection} />
    <main id="content" tabindex="-1"><${Guarded} key=${route.value.page}><${Page} /><//></main>
    ${Background && html`<${Background} />`}
    <${Notices} />
    <${Confirmations} />
    ${state === "expired" && html`<${SignInAgain} />`}
  `;
}

function usable() {
  performance.mark("interactive");
  // After the first paint: neither the form nor the first page has to wait for it.
  const load = () => amplify().catch(() => {});
  if (globalThis.requestIdleCallback) requestIdleCallback(load, { timeout: 300 });
  else setTimeout(load, 100); // Safari
}

/** Instead of a form that could not work. A fresh start also helps where a newer version has taken this one's place. */
function Unreachable() {
  title("Not reachable");
  return html`<main><section class="empty">
    <${Mark} size="88" />
    <h1>Proofsheet cannot be reached</h1>
    <p>Either the connection is down, or the service is. Nothing of yours is lost.</p>
    <button type="button" class="button primary" onClick=${() => location.reload()}>Try again</button>
  </section></main>`;
}

function skip(event) {
  event.preventDefault(); // the part after "#" is ours for pages
  document.getElementById("content").focus();
}

function Header() {
  const here = route.value.page;
  const signedIn = session.value.state !== "out";
  return html`<header class="header">
    <a class="brand" href="#/rank"><${Mark} size="38" /> <span>Proofsheet</span></a>
    ${
      signedIn &&
      html`<nav aria-label="Main">
      ${PLACES.map(
        ([
          page,
          name,
          pages,
        ]) => html`<a href=${`#/${page}`} aria-current=${pages.includes(here) ? "page" : undefined}>
        ${name}${page === "inbox" && html`<${Unread} />`}
      </a>`,
      )}
    </nav>
    <${AccountMenu} />`
    }
    ${!signedIn && html`<a class="button quiet" href="#/rank">Sign in</a>`}
  </header>`;
}

/** How many messages wait in the inbox; asked for seldom, and only while somebody looks. */
function Unread() {
  useEffect(() => {
    // Behind the question for the password it would only queue up.
    const look = () => document.hidden || session.peek().state !== "in" || countUnread();
    look();
    const timer = setInterval(look, INBOX_MS);
    return () => clearInterval(timer);
  }, [route.value.page === "inbox"]);
  if (!unread.value) return null;
  return html` <span class="badge">${unread.value}<span class="visually-hidden"> unread</span></span>`;
}

function Connection() {
  const offline = useSignal(!navigator.onLine);
  useEffect(() => {
    const look = () => {
      offline.value = !navigator.onLine;
    };
    for (const name of ["online", "offline"]) addEventListener(name, look);
    return () => ["online", "offline"].map((name) => removeEventListener(name, look));
  }, []);
  const text = offline.value
    ? "You are offline. What you started goes on when the connection is back."
    : busy.value > 0 && "Proofsheet is busy. Trying again …";
  return html`<div class="connection" role="status">${text && html`<p>${text}</p>`}</div>`;
}

/** A page that fails says so, and leaves the rest alone. */
function Guarded({ children }) {
  const [error, again] = useErrorBoundary((thrown) => console.warn(thrown));
  if (!error) return children;
  return html`<section class="failure" role="alert">
    <h1>This page has failed</h1>
    <p>Your photos and settings are safe. What the page says: <code>${String(error.message ?? error)}</code></p>
    <div class="row">
      <button type="button" class="button primary" onClick=${again}>Try again</button>
      <button type="button" class="button" onClick=${() => location.reload()}>Reload</button>
    </div>
  </section>`;
}
