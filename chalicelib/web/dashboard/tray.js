// The photographs that are on their way. They lie here and not in a page, so that uploads go on wherever one goes.

import { del, get, post } from "./api.js";
import { look, pause, rest } from "./following.js";
import { batch, computed, effect, signal } from "./preact.js";
import { send } from "./sending.js";
import { session } from "./session.js";
import { due, slotUntil, step, tally, underWay, unsent, upload } from "./uploading.js";

/** [{ key, file, now: signal(upload) }], in the order in which they came. */
export const frames = signal([]);
export const uploads = computed(() => frames.value.map((frame) => frame.now.value));
export const numbers = computed(() => tally(uploads.value));
export const offline = signal(!navigator.onLine);

const sendings = new Map(); // key -> AbortController
const renewals = new Set(); // keys
let lastKey = 0;
let asking = false;
let following = false;
let planned = false;
let alarm;

export function add(files, collection) {
  const added = files.map((file) => {
    lastKey += 1;
    return { key: lastKey, file, now: signal(upload(lastKey, file, collection)) };
  });
  frames.value = [...frames.value, ...added];
  goOn();
}

/** Takes a photograph off the tray. One that is not scored yet is forgotten by the API as well. */
export function remove(key) {
  const { state, image } = frame(key).now.value;
  frames.value = frames.value.filter((other) => other.key !== key);
  sendings.get(key)?.abort();
  if (image && state !== "ready") forget(image);
  goOn();
}

export function retry(key) {
  happen(key, { is: "retry" });
}

/** Takes these off the tray and leaves them to the API, which has them. */
export function takeOff(keys) {
  frames.value = frames.value.filter(({ key }) => !keys.has(key));
}

export function clear() {
  frames.value = [];
  for (const sending of sendings.values()) sending.abort();
}

const frame = (key) => frames.value.find((one) => one.key === key);

/** Nothing hangs on it: what stays behind is swept by the API. */
function forget(image) {
  del(`/images/${image}`).catch(() => {});
}

function happen(key, event) {
  const now = frame(key)?.now; // it may have been removed meanwhile
  if (!now) return;
  const before = now.value;
  now.value = step(before, event);
  if (now.value.state !== before.state || now.value.slot !== before.slot) goOn();
}

/** Do what is due, once for all that happens in this turn of the event loop. */
function goOn() {
  if (planned) return;
  planned = true;
  queueMicrotask(() => {
    planned = false;
    carryOn();
  });
}

function carryOn() {
  const now = Date.now();
  const { resume, expire, ask, send, wakeAt } = due(uploads.value, { now, online: !offline.value, asking });
  for (const { key } of resume) happen(key, { is: "resume" });
  for (const one of expire) renew(one);
  for (const one of send) begin(one);
  if (ask.length > 0) askForSlots(ask);
  if (uploads.value.some(underWay)) follow();
  clearTimeout(alarm);
  if (wakeAt !== null) alarm = setTimeout(goOn, wakeAt - now);
}

async function askForSlots(homeless) {
  asking = true;
  const files = homeless.map(({ name, type, size }) => ({ name, content_type: type, size }));
  const outcome = await post("/images", { files, collection: homeless[0].collection })
    .then(({ items }) => items.map(given))
    .catch((error) => homeless.map((_, index) => denied(error, index)));
  asking = false;
  for (const [index, event] of outcome.entries()) {
    if (event) happenOrForget(homeless[index].key, event);
  }
  goOn();
}

const given = ({ id, upload }) => ({
  is: "slot",
  slot: { ...upload, image: id, until: slotUntil(Date.now()) },
});

/** The refusal of one file is its own; without it the others are asked for again. */
function denied(error, index) {
  const named = /^files\[(\d+)\]/.exec(error.field ?? "")?.[1];
  if (named !== undefined) return Number(named) === index ? { is: "refuse", reason: error.reason } : null;
  const running = error.field === "Idempotency-Key"; // a lost try of ours
  const passing = error.status === 0 || error.status === 429 || error.status >= 500 || running;
  if (!passing) return { is: "refuse", reason: error.message };
  return {
    is: "lost",
    now: Date.now(),
    reason: error.status === 0 ? "Connection lost" : "Proofsheet is busy",
  };
}

/** A slot for a photograph that was removed meanwhile stands for nothing. */
function happenOrForget(key, event) {
  if (frame(key)) happen(key, event);
  else if (event.slot) forget(event.slot.image);
}

async function begin({ key, slot }) {
  const sending = new AbortController();
  sendings.set(key, sending);
  happen(key, { is: "begin" });
  const progress = (bytes) => happen(key, { is: "progress", bytes });
  const event = await send(slot, frame(key).file, progress, sending.signal);
  sendings.delete(key);
  happen(key, { ...event, now: Date.now() });
}

/** The slot's time is over. Perhaps only the answer to an earlier attempt was lost; else another slot is asked for. */
async function renew({ key, image }) {
  if (renewals.has(key)) return;
  renewals.add(key);
  const { state } = await get(`/images/${image}`).catch(() => ({}));
  renewals.delete(key);
  const arrived = state === "processing" || state === "ready";
  if (!arrived) forget(image);
  happen(key, { is: arrived ? "arrived" : "stale" });
}

/** Look at what the API works on until nothing is left, however many looks fail. */
async function follow() {
  if (following) return;
  following = true;
  for (let wait = 0; uploads.value.some(underWay); ) {
    const changed = await lookOnce().catch(() => false);
    wait = pause(wait, changed);
    if (uploads.value.some(underWay)) await rest(wait);
  }
  following = false;
}

/** -> whether anything has changed. */
async function lookOnce() {
  const before = numbers.value.underWay;
  const groups = Map.groupBy(uploads.value.filter(underWay), ({ collection }) => collection);
  for (const [collection, own] of groups) {
    const found = await look(
      own.map(({ image }) => image),
      collection,
    );
    batch(() => {
      for (const { key, image } of own) {
        if (found.has(image)) happen(key, { is: "seen", image: found.get(image) });
      }
    });
  }
  return numbers.value.underWay !== before;
}

addEventListener("online", () => {
  offline.value = false;
  for (const { key } of uploads.value) happen(key, { is: "resume" });
  goOn();
});

addEventListener("offline", () => {
  offline.value = true;
  for (const sending of sendings.values()) sending.abort(); // which would find out by itself much later
});

addEventListener("beforeunload", (event) => {
  if (uploads.value.some(unsent)) event.preventDefault();
});

// Who comes next at this browser has nothing to do with it.
effect(() => {
  if (session.value.state === "out") clear();
});
