// What a ranking says of a photo, in words that promise no more than the numbers do.

/** Below this chance, where the intervals overlap, nobody should prefer one photo for its score. */
const EVEN = 0.6;

const UNUSUAL = {
  edge: "Somewhat unlike the photos that this model knows: take the score with care.",
  out: "Unlike the photos that this model knows: the score is little more than a guess.",
};

/** The name of an entry's image; a deleted one has none. */
export function nameOf(entry) {
  return entry.name ?? (entry.score === null ? "Deleted photo" : "Unnamed photo");
}

/** A score or a bound as people read it: whole points. */
export function points(score) {
  return Math.round(score);
}

/** "score 78, between 61 and 90", for whoever does not see the bar. */
export function spoken({ score, interval }) {
  if (score === null) return "no score";
  return `score ${points(score)}, between ${points(interval[0])} and ${points(interval[1])}`;
}

/** Whether two entries are as good as equal; chance: that the upper one is better. */
export function alike(upper, lower, chance) {
  return chance < EVEN && upper.interval[0] <= lower.interval[1];
}

/** 0.71 -> "in 7 of 10 cases". */
export function cases(chance) {
  const tenths = Math.round(chance * 10);
  return tenths >= 10 ? "in more than 9 of 10 cases" : `in ${tenths} of 10 cases`;
}

/** The warning for a photo that the model has seen few like of, or null. */
export function unusual({ domain }) {
  return UNUSUAL[domain] ?? null;
}

/** 12.6 -> "+12.6", -3 -> "−3.0": score points. */
export function effect(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
}
