// An upload from its drop to its score, as a state machine without effects: what is, what has happened -> what is now.
//
// waiting --> sending --> sent --> processing --> ready
//    ^          |           \          \
//    |          v            `----------`-------> refused (with a reason)
//    `---- interrupted
//
// An upload: { key, name, type, size, taken, collection, state, sent, attempts, slots, slot, image, reason, retryAt }
//   taken     when (ms) the file was last written
//   sent      bytes that S3 is known to have taken, or the browser to have sent
//   attempts  how often it was interrupted; slots: how many it has used
//   slot      { image, url, fields, until }: where it may be sent to, until (ms) it is no longer good
//   image     the id at the API, known from the first slot on
//   reason    why it is refused or interrupted
//   retryAt   when (ms) an interrupted one tries again

export const MAX_BYTES = 25_000_000;
export const BATCH = 100;
export const PARALLEL = 6;
export const LEAST_RANKED = 2;
export const MOST_RANKED = 200;

// Slots are good for an hour. They are asked for shortly before they are used, and given up some minutes early.
// Time is measured from the answer on, since this machine's clock need not be right.
const SLOT_MS = 50 * 60_000;
const AHEAD = 2 * PARALLEL;
const MOST_SLOTS = 3;
const LONGEST_WAIT_MS = 30_000;

const TYPES = {
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  jpe: "image/jpeg",
  jfif: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  avif: "image/avif",
  gif: "image/gif",
  tif: "image/tiff",
  tiff: "image/tiff",
};
const ACCEPTED = new Set(Object.values(TYPES));
export const ACCEPT = [...ACCEPTED, ...Object.keys(TYPES).map((extension) => `.${extension}`)].join(",");

const extension = (name) => (name.includes(".") ? name.split(".").pop().toLowerCase() : "");
const megabytes = (bytes) => `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;

/** The content type to announce, or null: browsers know no type of many TIFF and AVIF files, so the name may tell it. */
export function typeOf({ name, type }) {
  return ACCEPTED.has(type) ? type : (TYPES[extension(name)] ?? null);
}

/** Why this file need not be sent at all, or null. */
export function objection(file) {
  if (typeOf(file) === null) {
    return /^hei[cf]$/.test(extension(file.name))
      ? "HEIC is not accepted. Export it as JPEG, please."
      : "Not a photograph that we can read: JPEG, PNG, WebP, AVIF, GIF or TIFF.";
  }
  if (file.size === 0) return "This file is empty.";
  if (file.size > MAX_BYTES) return `${megabytes(file.size)} is too large: at most 25 MB.`;
  return null;
}

/** A chosen file as an upload. A name is cut to what the API takes. */
export function upload(key, file, collection) {
  const reason = objection(file);
  return {
    key,
    name: [...file.name].slice(-200).join(""),
    type: typeOf(file),
    size: file.size,
    taken: file.lastModified,
    collection,
    state: reason === null ? "waiting" : "refused",
    sent: 0,
    attempts: 0,
    slots: 1,
    slot: null,
    image: null,
    reason,
    retryAt: 0,
  };
}

const refused = (upload, reason) => ({ ...upload, state: "refused", slot: null, reason });

/** The slot stays; each time it waits twice as long, unless it is told how long (`after`, ms). */
function interrupted(upload, { now, reason, after }) {
  const attempts = upload.attempts + 1;
  const wait = after ?? Math.min(LONGEST_WAIT_MS, 1000 * 2 ** (attempts - 1));
  return { ...upload, state: "interrupted", sent: 0, attempts, reason, retryAt: now + wait };
}

const seen = {
  awaiting_upload: (upload) => upload,
  processing: (upload) => (upload.state === "processing" ? upload : { ...upload, state: "processing" }),
  ready: (upload) => ({ ...upload, state: "ready" }),
  failed: (upload, image) => refused(upload, image.reason ?? "It cannot be used."),
};

/** What may happen to an upload, by the states in which it may; anything else comes too late and changes nothing. */
const EVENTS = {
  slot: { in: ["waiting"], to: (upload, { slot }) => ({ ...upload, slot, image: slot.image }) },
  begin: { in: ["waiting"], to: (upload) => ({ ...upload, state: "sending", sent: 0, reason: null }) },
  progress: {
    in: ["sending"],
    to: (upload, { bytes }) => ({ ...upload, sent: Math.min(bytes, upload.size) }),
  },
  sent: { in: ["sending"], to: (upload) => ({ ...upload, state: "sent", sent: upload.size, slot: null }) },
  // An earlier attempt has arrived after all: only its answer was lost.
  arrived: { in: ["waiting"], to: (upload) => ({ ...upload, state: "sent", sent: upload.size, slot: null }) },
  lost: { in: ["waiting", "sending"], to: interrupted },
  stale: { in: ["waiting"], to: (upload) => ({ ...upload, slot: null, image: null }) },
  // So says S3, which may mean something else: another slot will not help for ever.
  expired: {
    in: ["sending"],
    to: (upload, { reason }) =>
      upload.slots < MOST_SLOTS
        ? { ...upload, state: "waiting", sent: 0, slot: null, slots: upload.slots + 1 }
        : refused(upload, reason),
  },
  refuse: { in: ["waiting", "sending"], to: (upload, { reason }) => refused(upload, reason) },
  resume: { in: ["interrupted"], to: (upload) => ({ ...upload, state: "waiting", reason: null }) },
  retry: {
    in: ["refused"],
    to: (upload) => ({
      ...upload,
      state: "waiting",
      sent: 0,
      attempts: 0,
      slot: null,
      image: null,
      reason: null,
    }),
  },
  seen: { in: ["sent", "processing"], to: (upload, { image }) => seen[image.state](upload, image) },
};

/** event: { is: one of EVENTS, ... } -> the upload after it; the same object where it changes nothing. */
export function step(upload, event) {
  const { in: states, to } = EVENTS[event.is];
  return states.includes(upload.state) ? to(upload, event) : upload;
}

/** Whether a refused upload can be tried again: not if the file itself is what we cannot take. */
export const retriable = (upload) => upload.state === "refused" && objection(upload) === null;

const stale = (upload, now) => upload.state === "waiting" && upload.slot !== null && upload.slot.until < now;
export const slotUntil = (now) => now + SLOT_MS;

/**
 * What is to be done at this moment.
 * -> { resume, expire, ask, send: uploads; wakeAt: ms or null }; `ask` is at most one request, of one collection.
 */
export function due(uploads, { now, online, asking }) {
  const expire = uploads.filter((upload) => stale(upload, now));
  const interruptions = uploads.filter((upload) => upload.state === "interrupted");
  const waiting = uploads.filter((upload) => upload.state === "waiting" && !expire.includes(upload));
  const free = PARALLEL - uploads.filter((upload) => upload.state === "sending").length;
  const wakeAt = Math.min(...interruptions.map((upload) => upload.retryAt));
  return {
    expire,
    resume: online ? interruptions.filter((upload) => upload.retryAt <= now) : [],
    ask: online && !asking ? nextBatch(waiting) : [],
    send: online ? waiting.filter((upload) => upload.slot !== null).slice(0, Math.max(0, free)) : [],
    wakeAt: online && Number.isFinite(wakeAt) && wakeAt > now ? wakeAt : null,
  };
}

function nextBatch(waiting) {
  const homeless = waiting.filter((upload) => upload.slot === null);
  if (homeless.length === 0 || waiting.length - homeless.length >= AHEAD) return [];
  return homeless.filter((upload) => upload.collection === homeless[0].collection).slice(0, BATCH);
}

/** Whether leaving the page now would lose something. */
export const unsent = (upload) => ["waiting", "sending", "interrupted"].includes(upload.state);
/** Whether the API still works on it. */
export const underWay = (upload) => ["sent", "processing"].includes(upload.state);

/** All uploads in numbers: { total, refused, sent, ready, interrupted, bytes, sentBytes, done }. */
export function tally(uploads) {
  const count = (test) => uploads.filter(test).length;
  const wanted = uploads.filter((upload) => upload.state !== "refused" || upload.sent > 0);
  return {
    total: uploads.length,
    refused: count((upload) => upload.state === "refused"),
    interrupted: count((upload) => upload.state === "interrupted"),
    unsent: count(unsent),
    underWay: count(underWay),
    ready: count((upload) => upload.state === "ready"),
    bytes: wanted.reduce((sum, upload) => sum + upload.size, 0),
    sentBytes: wanted.reduce((sum, upload) => sum + upload.sent, 0),
    done: !uploads.some((upload) => unsent(upload) || underWay(upload)),
  };
}

/** Whether the API has it and says why it cannot be used; a ranking then says so, too. */
const unusable = (upload) =>
  upload.state === "refused" && upload.sent === upload.size && upload.image !== null;

/**
 * { ready: how many, images: ids for one ranking, left: how many photographs it will not name }.
 * Of too many, the newest; where there is room, those that cannot be used come with them.
 */
export function rankable(uploads) {
  const ready = uploads.filter((upload) => upload.state === "ready");
  const newest = ready.toSorted((a, b) => b.taken - a.taken).slice(0, MOST_RANKED);
  const named = [...newest, ...uploads.filter(unusable)].slice(0, MOST_RANKED);
  return {
    ready: ready.length,
    images: named.map(({ image }) => image),
    left: uploads.length - named.length,
  };
}
