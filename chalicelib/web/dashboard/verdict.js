// What is known of a model, in words. Pure: numbers in, sentences out.

/** 0.7666 -> 77: how many of 100, never more certain than it is. null where nobody knows. */
export function ofHundred(share) {
  return Number.isFinite(share) ? Math.round(share * 100) : null;
}

/** "Picks the better of two photos in 77 of 100 cases." null without a measured accuracy. */
export function accuracy({ kind, report }) {
  const times = ofHundred(report.pair_accuracy);
  if (times === null) return null;
  const two = kind === "customer" ? "two of your posts" : "two photos";
  return `Picks the better of ${two} in ${times} of 100 cases.`;
}

/** null where it was not measured. */
export function coverage({ report }) {
  const times = ofHundred(report.coverage_80);
  return times === null ? null : `${times} of 100 results lay within the interval that is meant to hold 80.`;
}

export const STATES = {
  queued: { word: "Waiting", tone: "" },
  training: { word: "Training", tone: "" },
  ready: { word: "Ready", tone: "good" },
  not_enough_signal: { word: "Not enough signal", tone: "warn" },
  failed: { word: "Failed", tone: "bad" },
};

export const KINDS = { general: "For everybody", market: "For a market", customer: "Your own" };

export function isTraining({ state }) {
  return state === "queued" || state === "training";
}

/** Tracked models take no files, the others no clicks; what a model learns from is told in its card alone. */
export function isTracked({ trained_on: source }) {
  return source.startsWith("Clicks ");
}

/** The steps of a training in their order. `waiting_for_images` is a part of gathering, `sagemaker` of some alone. */
export const STEPS = [
  ["gathering", "Read the posts and what is known of their pictures"],
  ["choose", "Try out how to learn from them, forward in time"],
  ["fit", "Learn from all of them"],
  ["calibrate", "Find out how sure it may be"],
  ["judge", "Test it on posts that are newer than those it learned from"],
];

export const SAGEMAKER_STEP = ["sagemaker", "Train and serve it at SageMaker, which takes some minutes"];

/** What happens now, in words. */
export function happening({ state, progress }) {
  if (state === "queued" || !progress) return "Waiting for its turn.";
  if (progress.step === "waiting_for_images") return "Waiting for pictures that are still being processed.";
  return `${[...STEPS, SAGEMAKER_STEP].find(([step]) => step === progress.step)?.[1] ?? progress.step}.`;
}

/** How the own model and the general one did on the same posts, and which to rank with. null where not compared. */
export function comparison({ state, report }) {
  const { own, general } = report.compared_with_general ?? {};
  if (!Number.isFinite(own) || !Number.isFinite(general)) return null;
  const better = general > own ? "general" : "own";
  return { own, general, better, advice: state === "ready" ? ADVICE[better] : null };
}

const ADVICE = {
  own: "Yours knows your audience better: rank with it.",
  general: "The general model does better on these posts: rank with it for now.",
};

/** What would help a model that has not enough signal: sentences, the most useful first. */
export function help(model) {
  if (isTracked(model)) return TRACKED_HELP;
  const { n, report } = model;
  const distinct = report.distinct ?? n;
  const posts =
    distinct < LEAST_IMAGES
      ? `At least ${LEAST_IMAGES} posts of different pictures; these show ${distinct}. A hundred are a good beginning.`
      : `More posts: these show ${distinct} different pictures. A hundred are a good beginning, some hundreds are good.`;
  return [posts, IMPRESSIONS, METADATA];
}

const TRACKED_HELP = [
  "More pictures that are shown on your pages, a hundred for a beginning, and more visits to each of them.",
  "Time: a day counts once the nightly compaction has gone through it, and the model looks again every day by itself.",
  "The place at which a picture was shown (data-ps-position), so that what the place earned is not credited to the picture.",
];
const LEAST_IMAGES = 20; // chalicelib/training/gate.py
const IMPRESSIONS =
  "Impressions for each post: 50 likes of 1,000 views and 50 of 100 are different news, and only a rate tells them apart.";
const METADATA =
  "What else may explain a post, as a column of its own, such as campaign or shoot: what it explains is not mistaken for the picture.";

/** 0.682 -> "68 of 100"; small ones as "fewer than 1 in 1,000". */
export function chance(p) {
  if (p < 0.001) return "fewer than 1 in 1,000";
  return p < 0.095 ? `${Math.max(1, Math.round(p * 1000))} of 1,000` : `${Math.round(p * 100)} of 100`;
}

/** -0.0834 -> "−0.08". */
export function correlation(value) {
  return Number.isFinite(value) ? value.toFixed(2).replace("-", "−") : "–";
}
