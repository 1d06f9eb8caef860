// The API of this installation: JSON in and out, patient with what passes, plain about what does not.

import { root } from "./config.js";
import { signal } from "./preact.js";
import { expire, token } from "./session.js";

const TRIES = 5;
const PATIENCE = 45_000; // ms; API Gateway itself gives up after 29 s
const LONGEST = 60; // s: a refusal that holds for longer is told instead
const PASSING = new Set([429, 502, 503, 504]);

/** How many requests wait to be sent again because the API was busy. */
export const busy = signal(0);

/**
 * status: of the answer, 0 where none came. code: as the API names it. message: for a person, naming the field.
 * field: the path of the refused field, or null. reason: the message without the field. retryAfter: seconds or null.
 */
export class ApiError extends Error {
  constructor({ status, code, message, field = null, retryAfter = null }) {
    super(field ? `${named(field)}: ${message}` : message);
    Object.assign(this, { name: "ApiError", status, code, field, retryAfter, reason: message });
  }
}

/** Options of all: signal (an AbortSignal), anonymous (send no token). */
export function get(path, query, options) {
  return ask("GET", path, { query, ...options });
}

/** key: an Idempotency-Key; made here where there is a body and none is given. false: send none. */
export function post(path, body, options) {
  const key = body === undefined ? undefined : crypto.randomUUID();
  return ask("POST", path, { body, key, ...options });
}

export function put(path, body, options) {
  return ask("PUT", path, { body, ...options });
}

export function del(path, options) {
  return ask("DELETE", path, options);
}

/** The items of all pages of a list, one after the other. */
export async function* everything(path, query, options) {
  let cursor;
  do {
    const page = await get(path, { ...query, cursor }, options);
    yield* page.items;
    cursor = page.next;
  } while (cursor);
}

async function ask(method, path, { query, ...options } = {}) {
  const url = address(path, query);
  const repeatable = method !== "POST" || Boolean(options.key);
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await once(method, url, options);
    if (!(outcome instanceof ApiError)) return outcome;
    // The answer to the first try may have been lost after it was obeyed.
    if (method === "DELETE" && attempt > 1 && outcome.status === 404) return null;
    if (!repeatable || attempt > TRIES || !passes(outcome)) throw outcome;
    await quietly(pause(attempt, outcome, options.signal));
  }
}

/** One request, with a second token where the first is refused: the JSON, null, or an ApiError (not thrown). */
async function once(method, url, options) {
  for (const step of [{}, { fresh: true }, { again: true }]) {
    if (step.again) expire();
    const answer = await send(method, url, options, step);
    if (answer instanceof ApiError) return answer;
    if (answer.status !== 401 || options.anonymous || step.again) return read(answer, options.signal);
  }
}

async function send(method, url, { body, key, anonymous, signal: ended }, { fresh }) {
  ended?.throwIfAborted();
  try {
    const headers = {};
    if (!anonymous) headers.Authorization = `Bearer ${await token({ fresh })}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    const late = AbortSignal.timeout(PATIENCE);
    const signal = ended ? AbortSignal.any([ended, late]) : late;
    return await fetch(url, { method, headers, signal, body: body && JSON.stringify(body) });
  } catch (error) {
    if (error.name === "Expired") throw error;
    return unreachable(ended);
  }
}

function unreachable(ended) {
  ended?.throwIfAborted();
  const message = "Proofsheet cannot be reached. Check your connection and try again.";
  return new ApiError({ status: 0, code: "unreachable", message });
}

/** An answer that breaks off in its midst is none. */
async function read(answer, ended) {
  if (answer.ok) return answer.status === 204 ? null : answer.json().catch(() => unreachable(ended));
  const { error } = await answer.json().catch(() => ({}));
  const retryAfter = Number(answer.headers.get("Retry-After")) || null;
  return new ApiError({ status: answer.status, retryAfter, ...worded(answer.status, error) });
}

function worded(status, error) {
  if (error?.message) return error;
  const message = PASSING.has(status)
    ? "Proofsheet is busy. Try again in a moment."
    : `It answered ${status}.`;
  return { code: "unknown", message };
}

function passes({ status, field, retryAfter }) {
  // A try of ours whose answer was lost is still at work: soon there is its answer.
  if (status === 409) return field === "Idempotency-Key";
  return status === 0 || (PASSING.has(status) && (retryAfter ?? 0) <= LONGEST);
}

/** Until the network is back; then as long as was asked for, else 1, 2, 4, 8, 16 s, each a part of it by chance. */
async function pause(attempt, { status, retryAfter }, ended) {
  if (status === 0 && !navigator.onLine) await event(window, "online", ended);
  const most = 500 * 2 ** attempt;
  const milliseconds = (retryAfter ?? 0) * 1000 + most * (0.5 + Math.random() / 2);
  await delay(milliseconds, ended);
}

async function quietly(waiting) {
  busy.value += 1;
  try {
    await waiting;
  } finally {
    busy.value -= 1;
  }
}

function delay(ms, ended) {
  let timer;
  return unless(ended, (resolve) => {
    timer = setTimeout(resolve, ms);
  }).finally(() => clearTimeout(timer));
}

function event(target, name, ended) {
  return unless(ended, (resolve, signal) => target.addEventListener(name, resolve, { signal }));
}

/** What begin(resolve, signal) comes to, unless it is `ended` before; a signal that lives on keeps no listener of it. */
function unless(ended, begin) {
  const over = new AbortController();
  return new Promise((resolve, reject) => {
    ended?.addEventListener("abort", () => reject(ended.reason), { signal: over.signal });
    begin(resolve, over.signal);
  }).finally(() => over.abort());
}

function address(path, query = {}) {
  const url = new URL(path.replace(/^\//, ""), root);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

/** "files[2].content_type" as a person would say it: "files 3, content type". */
function named(field) {
  const words = field.replace(/\[(\d+)\]/g, (_, index) => ` ${Number(index) + 1}`).replaceAll("_", " ");
  const text = words.split(".").join(", ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}
