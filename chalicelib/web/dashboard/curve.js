// The learning curve: how often a model of n posts orders two later ones rightly. Still rising: more posts help.

import { Chart } from "./chart.js";
import { count, percent } from "./moments.js";
import { html } from "./preact.js";

const COIN = 0.5;

/** points: [{n, pair_accuracy}] of a report, by n. */
export function LearningCurve({ points }) {
  const series = [
    {
      label: "Pairs in the right order",
      color: "--film-amber",
      format: percent,
      values: points.map((each) => each.pair_accuracy),
    },
    { label: "A coin", color: "--film-muted", format: percent, values: points.map(() => COIN), quiet: true },
  ];
  return html`<${Chart} title="Learning curve" x=${points.map((each) => each.n)} series=${series} unit="Learned from"
    tell=${(n) => `${count(n)} posts`} height=${180} range=${scale(points)} note=${lesson(points)} />`;
}

function scale(points) {
  const values = points.map((each) => each.pair_accuracy);
  return [Math.max(0, Math.min(COIN, ...values) - 0.08), Math.min(1, Math.max(0.7, ...values) + 0.08)];
}

/** The same, small and without words, for a card that says it in words. */
export function Sparkline({ points }) {
  const [low, high] = scale(points);
  const across = (index) => 4 + (index / Math.max(1, points.length - 1)) * 112;
  const down = (value) => 36 - ((value - low) / (high - low)) * 32;
  const places = points.map((each, index) => [across(index), down(each.pair_accuracy)]);
  return html`
    <svg class="sparkline" viewBox="0 0 120 40" width="120" height="40" aria-hidden="true">
      <line class="sparkline-coin" x1="0" x2="120" y1=${down(COIN)} y2=${down(COIN)} />
      <polyline points=${places.map((place) => place.join(",")).join(" ")} />
      ${places.map(([x, y]) => html`<circle key=${x} cx=${x} cy=${y} r="2.5" />`)}
    </svg>`;
}

/** What the curve says, in words. null with fewer than two points. */
function lesson(points) {
  if (points.length < 2) return null;
  const [before, last] = points.slice(-2);
  const gain = last.pair_accuracy - before.pair_accuracy;
  const steps = `From ${count(before.n)} to ${count(last.n)} posts it went from ${percent(before.pair_accuracy)} to ${percent(last.pair_accuracy)}`;
  if (gain > 0.01) return `${steps}: still rising, more posts are likely to help.`;
  return `${steps}: hardly rising any more; other information may help more than more posts.`;
}
