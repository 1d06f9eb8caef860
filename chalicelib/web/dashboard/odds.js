// The chance that one photo outranks another. The API says it of neighbors; of others it follows: one model errs
// normally with one spread (chalicelib/scoring/odds.py), so distances in spreads add up along the ranking.

const FARTHEST = 4; // spreads; beyond, a chance rounded to three digits says nothing of the distance

/** entries: ranked, best first. Of the ones at `upper` and `lower`, upper < lower: 0.5 to 1, or null if one failed. */
export function chance(entries, upper, lower) {
  const steps = entries.slice(upper, lower).map(({ beats_next }) => beats_next);
  if (steps.includes(null)) return null;
  if (steps.length === 1) return steps[0];
  return below(steps.reduce((distance, step) => distance + spreads(step), 0));
}

/** The standard normal distribution, after Abramowitz and Stegun 7.1.26: within 1e-7. */
function below(z) {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const series =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const half = (1 - series * Math.exp(-x * x)) / 2;
  return z < 0 ? 0.5 - half : 0.5 + half;
}

/** Its inverse, for 0.5 to 1. */
function spreads(probability) {
  let [low, high] = [0, FARTHEST];
  while (high - low > 1e-6) {
    const middle = (low + high) / 2;
    if (below(middle) < probability) low = middle;
    else high = middle;
  }
  return low;
}
