// What was counted of an image, a ranking, a collection or everything: totals, and how they came about in time.

import { get } from "./api.js";
import { Chart } from "./chart.js";
import { count, percent } from "./moments.js";
import { usePolled } from "./poll.js";
import { html, useMemo } from "./preact.js";
import { href } from "./router.js";
import { asked } from "./span.js";
import { Empty, Failure, Loading } from "./states.js";
import { wilson } from "./wilson.js";

/** scope: {} or one of {image}, {ranking}, {collection}. span: of span.js. */
export function Counted({ scope, span }) {
  const deps = [JSON.stringify([scope, span])];
  const read = (signal) => get("/stats", { ...scope, ...asked(span, Date.now()) }, { signal });
  const { value, error, again } = usePolled(read, { while: deps });
  if (!value && error) return html`<${Failure} error=${error} again=${again} />`;
  if (!value) return html`<${Loading} text="Counting" />`;
  return html`
    <${Totals} stats=${value} />
    ${Object.values(value.totals).some(Boolean) ? html`<${OverTime} stats=${value} by=${span.by} />` : html`<${Nothing} />`}`;
}

function Totals({ stats: { totals, ctr } }) {
  const interval = wilson(totals.clicks, totals.impressions);
  return html`
    <dl class="totals">
      <div><dt>Impressions</dt><dd>${count(totals.impressions)}</dd></div>
      <div><dt>Clicks</dt><dd>${count(totals.clicks)}</dd></div>
      <div><dt>Click rate</dt><dd>${ctr === null ? "–" : percent(ctr)}</dd>
        ${interval && html`<dd class="totals-note">${percent(interval[0])} to ${percent(interval[1])}, with 95 % confidence</dd>`}</div>
      <div class="totals-small"><dt>Forms sent</dt><dd>${count(totals.submits)}</dd></div>
      <div class="totals-small"><dt>Conversions</dt><dd>${count(totals.conversions)}</dd></div>
    </dl>`;
}

function OverTime({ stats, by }) {
  const x = useMemo(() => stats.series.map(({ at }) => Date.parse(at) / 1000), [stats.series]);
  return html`<${Chart} key=${by} title="Over time" x=${x} series=${lines(stats.series)} unit=${by === "hour" ? "Hour" : "Day (UTC)"}
    tell=${TELL[by]} time=${by} apart height=${112} note=${exact(stats.exact_until, by)} />`;
}

function lines(series) {
  const intervals = series.map(({ clicks, impressions }) => wilson(clicks, impressions));
  return [
    {
      label: "Impressions",
      color: "--film-amber",
      format: count,
      bars: true,
      values: series.map((each) => each.impressions),
    },
    {
      label: "Clicks",
      color: "--film-ink",
      format: count,
      bars: true,
      values: series.map((each) => each.clicks),
    },
    {
      label: "Click rate",
      color: "--film-pencil",
      format: percent,
      values: series.map(({ clicks, impressions }) =>
        impressions ? Math.min(1, clicks / impressions) : null,
      ),
      low: intervals.map((each) => each?.[0] ?? null),
      high: intervals.map((each) => each?.[1] ?? null),
    },
  ];
}

const hours = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});
const days = new Intl.DateTimeFormat(undefined, {
  weekday: "short",
  day: "numeric",
  month: "short",
  timeZone: "UTC",
});
const TELL = {
  hour: (second) => hours.format(new Date(second * 1000)),
  day: (second) => days.format(new Date(second * 1000)),
};

function Nothing() {
  return html`
    <${Empty} title="Nothing was counted in this time">
      <p>Counts come seconds after the events: try a longer time. Where none has ever come, a line in your pages is all it takes.</p>
      <p><a class="button primary" href=${href("track", "setup")}>Put it on your site</a></p>
    <//>`;
}

/** How far the counts are final, in words. */
function exact(until, by) {
  if (by === "hour")
    return "Live counts, each event once. What came more than 48 hours late is in the days alone.";
  if (!until) return "Live counts, each event once. The nightly compaction has not confirmed a day yet.";
  return `Days before ${utcDay.format(new Date(until))} are final: the nightly compaction has counted them from the archive.
    Later ones are live counts, each event once.`;
}

const utcDay = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
