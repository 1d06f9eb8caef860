// How far a rate can be trusted: Wilson's score interval, which stays within 0 and 1 and holds for few trials.
// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

const Z = 1.959964; // 95 %, two-sided

/** [low, high] of the rate behind `hits` of `trials`; null without trials. More hits than trials count as all. */
export function wilson(hits, trials) {
  if (trials <= 0) return null;
  const rate = Math.min(1, hits / trials);
  const squared = (Z * Z) / trials;
  const center = (rate + squared / 2) / (1 + squared);
  const reach = (Z * Math.sqrt((rate * (1 - rate)) / trials + squared / (4 * trials))) / (1 + squared);
  return [Math.max(0, center - reach), Math.min(1, center + reach)];
}
