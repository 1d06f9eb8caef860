/* Proofsheet: tells which images were seen and clicked, and what came of it.
 *
 * <script src="https://HOST/track.js" data-key="WRITE KEY" defer></script>
 * <img data-ps-image="ID" data-ps-ranking="ID" data-ps-position="1">  seen, clicked
 * <form data-ps-image="ID">                                           submitted
 * <button data-ps-image="ID" data-ps-goal="order">                    conversion
 *
 * An event gets its id and time once and is never changed: sent twice, it is counted once.
 * Do-Not-Track and Global Privacy Control: nothing is sent or stored.
 */
(() => {
  const script = document.currentScript;
  const key = script?.dataset.key;
  if (!key || window.proofsheet) return;

  const ENDPOINT = new URL("v1/e", script.src).href;
  const SEEN_MS = 1000;
  const FLUSH_MS = 3000;
  const LEASE_MS = 30000; // how long other tabs leave a batch alone that one is sending
  const MAX_WAIT_MS = 300000;
  const BATCH_EVENTS = 10;
  const BATCHES = 50; // with 10 events each
  const EVENT_BYTES = 32000;
  const BATCH_BYTES = 59000; // browsers let all requests that outlive a page have 64 KiB together
  const PREFIX = "proofsheet:";
  const MINE = `${PREFIX}${key}:`;
  const IMAGES = "[data-ps-image]:not(form,[data-ps-goal])";

  const attempt = (action) => {
    try {
      return action();
    } catch {}
  };

  // localStorage, or memory where the browser gives none

  const memory = new Map();
  const load = (name) => memory.get(name) ?? attempt(() => localStorage.getItem(name));
  const drop = (name) => {
    memory.delete(name);
    attempt(() => localStorage.removeItem(name));
  };
  const save = (name, value) => {
    try {
      localStorage.setItem(name, value);
      memory.delete(name);
    } catch {
      memory.set(name, value);
    }
    return value;
  };
  const names = (prefix) =>
    [...new Set([...memory.keys(), ...(attempt(() => Object.keys(localStorage)) ?? [])])]
      .filter((name) => name.startsWith(prefix))
      .sort();

  const silent = () =>
    navigator.globalPrivacyControl || (navigator.doNotTrack ?? window.doNotTrack) == 1 || load(PREFIX + "out");

  // Events

  const uuid7 = (now) => {
    const bytes = crypto.getRandomValues(new Uint8Array(10));
    bytes[0] = (bytes[0] & 15) | 112;
    bytes[2] = (bytes[2] & 63) | 128;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return (now.toString(16).padStart(12, "0") + hex).replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  };

  let waiting = [];
  let waitingBytes = 0;
  let flushTimer;

  const record = (event) => {
    if (silent()) return;
    const now = Date.now();
    const text = attempt(() =>
      JSON.stringify({
        ...event,
        messageId: uuid7(now),
        anonymousId: load(PREFIX + "anonymous") ?? save(PREFIX + "anonymous", uuid7(now)),
        userId: load(PREFIX + "user") ?? undefined,
        timestamp: new Date(now).toISOString(),
        context: { page: { url: location.href.slice(0, 2000) } },
      }),
    );
    const bytes = text ? new Blob([text]).size : Infinity;
    if (bytes > EVENT_BYTES) return console.warn("proofsheet: event too large, or not JSON", event);
    if (waitingBytes + bytes > BATCH_BYTES) flush();
    waitingBytes += bytes + 1;
    if (waiting.push(text) == BATCH_EVENTS) flush();
    else flushTimer ??= setTimeout(flush, FLUSH_MS);
  };

  const track = (event, properties = {}) => record({ type: "track", event, properties });

  // Batches: `until when a tab is sending it` and the events, a line each, under the id of the first

  const keep = (events, until = 0) => {
    if (!events.length) return; // another tab has just sent them
    const name = MINE + JSON.parse(events[0]).messageId;
    save(name, [until, ...events].join("\n"));
    return name;
  };
  const eventsOf = (name) => (load(name) ?? "").split("\n").slice(1);
  const due = () => names(MINE).filter((name) => parseInt(load(name)) <= Date.now());
  const body = (events) =>
    `{"writeKey":${JSON.stringify(key)},"sentAt":"${new Date().toISOString()}","batch":[${events}]}`;

  const halve = (name) => {
    const events = eventsOf(name);
    const half = events.length >> 1;
    drop(name);
    return half ? [keep(events.slice(0, half)), keep(events.slice(half))] : [];
  };

  const freeze = () => {
    clearTimeout(flushTimer);
    flushTimer = undefined;
    if (waiting.length) keep(waiting);
    waiting = [];
    waitingBytes = 0;
    names(MINE).slice(0, -BATCHES).forEach(drop);
  };

  const flush = () => {
    freeze();
    deliver();
  };

  // Delivery: one request at a time, the oldest batch first

  let busy = false;
  let failures = 0;
  let pausedUntil = 0;
  let retryTimer;

  const deliver = async () => {
    clearTimeout(retryTimer);
    if (busy || silent()) return;
    const now = Date.now();
    const [name] = pausedUntil > now ? [] : due();
    if (!name) {
      if (names(MINE).length) retryTimer = setTimeout(deliver, Math.max(pausedUntil - now, 0) || LEASE_MS);
      return;
    }
    busy = true;
    if (keep(eventsOf(name), now + LEASE_MS)) settle(name, await send(name));
    busy = false;
    deliver();
  };

  const send = (name) =>
    fetch(ENDPOINT, {
      method: "POST",
      body: body(eventsOf(name)), // text/plain needs no preflight
      credentials: "omit",
      keepalive: true,
      signal: AbortSignal.timeout?.(LEASE_MS),
    }).catch(() => null);

  const settle = (name, answer) => {
    if (!load(name)) return; // opted out meanwhile
    const status = answer?.status ?? 0;
    if (status < 200 || status == 429 || status >= 500) {
      keep(eventsOf(name));
      const asked = Number(answer?.headers.get("Retry-After")) * 1000 || 0;
      const wait = Math.max(asked, Math.min(1000 * 2 ** failures++, MAX_WAIT_MS));
      pausedUntil = Date.now() + wait * (1 + Math.random() / 2);
      return;
    }
    failures = 0;
    if (status == 400 || status == 413) halve(name); // one bad event shall not take the others along
    else drop(name);
  };

  const beacon = (name) => navigator.sendBeacon(ENDPOINT, body(eventsOf(name))) && !drop(name);

  // A beacon tells nothing of its fate, so what is likely to fail stays for the next page instead.
  const leave = () => {
    freeze();
    const likely = navigator.onLine && pausedUntil < Date.now();
    for (const name of silent() ? [] : due()) {
      if (!likely && !memory.has(name)) continue;
      if (!beacon(name) && (eventsOf(name).length < 2 || !halve(name).every(beacon))) return;
    }
  };

  // What visitors do

  const about = (element) => {
    const properties = { image: element.closest("[data-ps-image]")?.dataset.psImage };
    const position = parseInt(element.closest("[data-ps-position]")?.dataset.psPosition);
    properties.ranking = element.closest("[data-ps-ranking]")?.dataset.psRanking;
    if (position >= 0) properties.position = position;
    return properties;
  };

  const seen = new Set();
  const dwelling = new Map();
  const stop = (element) => {
    clearTimeout(dwelling.get(element));
    dwelling.delete(element);
  };

  const saw = (element) => {
    dwelling.delete(element);
    const properties = about(element);
    const once = `${properties.image} ${properties.ranking}`;
    // naturalWidth is 0 as long as there is no picture; "load" starts the wait anew
    if (silent() || seen.has(once) || element.naturalWidth === 0) return;
    seen.add(once);
    track("Image Impression", properties);
  };

  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, intersectionRatio } of entries) {
        stop(target);
        if (intersectionRatio >= 0.5 && !document.hidden) dwelling.set(target, setTimeout(saw, SEEN_MS, target));
      }
    },
    { threshold: 0.5 },
  );

  const watch = (element) => {
    stop(element);
    observer.unobserve(element); // so that it reports anew
    if (element.matches(IMAGES)) observer.observe(element);
  };
  const watchAll = (root = document) => root.querySelectorAll(IMAGES).forEach(watch);

  const clicked = ({ target, isTrusted, button }) => {
    if (!isTrusted || button > 1) return;
    const goal = target.closest("[data-ps-goal]:not(form)");
    const image = target.closest(IMAGES);
    if (goal) track("Conversion", { ...about(goal), goal: goal.dataset.psGoal });
    else if (image) track("Image Clicked", about(image));
  };

  const submitted = ({ target }) => {
    const properties = about(target);
    const goal = target.dataset.psGoal;
    if (properties.image) track("Form Submitted", properties);
    if (goal != null) track("Conversion", { ...properties, goal });
  };

  // A single-page site changes its address without loading; #part of a page is no other view, #/route is

  const view = () => location.href.replace(/#(?![!/]).*/, "");
  let current = view();
  const startView = () => {
    current = view();
    seen.clear();
    watchAll();
  };
  const moved = () => current != view() && startView();

  for (const name of ["pushState", "replaceState"]) {
    const original = history[name];
    history[name] = function (...given) {
      original.apply(this, given);
      moved();
    };
  }

  addEventListener("popstate", moved);
  addEventListener("pageshow", (event) => event.persisted && startView());
  addEventListener("pagehide", leave);
  addEventListener("online", () => {
    pausedUntil = 0;
    deliver();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      [...dwelling.keys()].forEach(stop);
      leave();
    } else watchAll();
  });
  for (const kind of ["click", "auxclick"]) document.addEventListener(kind, clicked, true);
  document.addEventListener("submit", submitted, true);
  document.addEventListener("load", ({ target }) => target.matches?.(IMAGES) && watch(target), true);
  new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes) {
      if (type == "attributes") watch(target);
      for (const node of addedNodes) {
        if (node.matches?.(IMAGES)) watch(node);
        if (node.querySelectorAll) watchAll(node);
      }
    }
  }).observe(document, { subtree: true, childList: true, attributeFilter: ["data-ps-image"] });

  const forget = () => {
    waiting = [];
    freeze();
    names(PREFIX).forEach(drop);
  };

  window.proofsheet = {
    track,
    identify(user) {
      if (silent()) return;
      if (user == null) return drop(PREFIX + "user");
      save(PREFIX + "user", user);
      record({ type: "identify" });
    },
    optOut() {
      forget();
      save(PREFIX + "out", 1);
    },
    optIn() {
      drop(PREFIX + "out");
      startView();
    },
  };

  if (silent()) load(PREFIX + "out") || forget();
  else {
    watchAll();
    deliver();
  }
})();
