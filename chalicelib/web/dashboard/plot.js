// One strip of a chart: uPlot on a canvas. What it shows is told in words by chart.js, so that it is hidden from readers.

import { html, useEffect, useRef } from "./preact.js";
import uPlot from "./uplot.js";

const Y_WIDTH = 56;
const FONT = '11px ui-monospace, "SF Mono", Menlo, Consolas, monospace';
const STEPS = { hour: 3600, day: 86400 };

/** series: [{label, values, color, format, low?, high?, bars?, quiet?}]; color: a custom property such as "--amber".
 * time: "hour", "day" or null for plain numbers. at: a signal with the place of the crosshair. */
export function Plot({ x, series, time, at, height, range, axis }) {
  const box = useRef(null);
  const plot = useRef(null);
  const kind = JSON.stringify([
    series.map(({ label, low, bars, color }) => [label, !!low, !!bars, color]),
    time,
    axis,
  ]);
  const data = columns(x, series);

  // `kind` says when it must be another plot; other numbers alone make it none.
  useEffect(() => {
    const drawn = new uPlot(
      options({ box: box.current, series, time, at, height, range, axis }),
      data,
      box.current,
    );
    plot.current = drawn;
    const ended = [followed(drawn, at), resized(drawn, box.current, height), recolored(drawn)];
    return () => {
      for (const end of ended) end();
      drawn.destroy();
      plot.current = null;
    };
  }, [kind, height]);

  // The numbers are compared, not their arrays, which are new at each look.
  useEffect(() => {
    plot.current?.setData(data);
    point(plot.current, at.peek());
  }, [JSON.stringify(data)]);

  return html`<div class="plot" ref=${box} aria-hidden="true"></div>`;
}

function columns(x, series) {
  return [x, ...series.flatMap(({ values, low, high }) => (low ? [values, low, high] : [values]))];
}

// The crosshair

function point(plot, index) {
  const x = plot?.data[0][index];
  if (x === undefined) return;
  plot.setCursor({ left: Math.round(plot.valToPos(x, "x")), top: 0 }, false);
}

/** Keep the crosshair where the signal says, whoever moves it. */
const followed = (plot, at) => at.subscribe((index) => point(plot, index));

function resized(plot, box, height) {
  const watch = new ResizeObserver(() => {
    if (box.clientWidth && box.clientWidth !== plot.width) plot.setSize({ width: box.clientWidth, height });
  });
  watch.observe(box);
  return () => watch.disconnect();
}

/** Colors are read when it is drawn, so another theme only wants another drawing. */
function recolored(plot) {
  const draw = () => plot.redraw(false);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = new MutationObserver(draw);
  theme.observe(document.documentElement, { attributes: true });
  dark.addEventListener("change", draw);
  return () => {
    theme.disconnect();
    dark.removeEventListener("change", draw);
  };
}

// What uPlot is told

function options({ box, series, time, at, height, range, axis }) {
  const ink = colors(box);
  return {
    width: box.clientWidth || 320,
    height,
    padding: [10, 12, axis ? 0 : 4, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    tzDate: (seconds) => zoned(seconds, time),
    scales: {
      x: { time: !!time, range: (_, min, max) => around(min, max, time) },
      y: { range: range ?? fromZero },
    },
    axes: [
      {
        show: axis,
        stroke: ink("--film-muted"),
        font: FONT,
        size: 26,
        gap: 4,
        grid: { show: false },
        ticks: { show: false },
        ...(time ? { values: (_, ticks) => ticks.map(CLOCK[time]) } : { incrs: WHOLE }),
      },
      {
        stroke: ink("--film-muted"),
        font: FONT,
        size: Y_WIDTH,
        gap: 6,
        space: 32,
        ticks: { show: false },
        grid: { stroke: ink("--film-line"), width: 1 },
        values: (_, ticks) => ticks.map((tick) => series[0].format(tick)),
        ...(series[0].bars ? { incrs: WHOLE } : {}),
      },
    ],
    series: [{}, ...series.flatMap((each) => lines(each, ink))],
    bands: bands(series, ink),
    hooks: { setCursor: [(plot) => pointed(plot, at)] },
  };
}

// Ticks of numbers that are counted: 1, 2, 5, 10 ... 5,000,000.
const WHOLE = [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power));

const hour = new Intl.DateTimeFormat(undefined, { hour: "numeric" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const utcDate = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const CLOCK = {
  hour: (second) => {
    const moment = new Date(second * 1000);
    return (moment.getHours() ? hour : date).format(moment);
  },
  day: (second) => utcDate.format(new Date(second * 1000)),
};

/** Days are days in UTC, as they are counted; hours are told by the clock on the wall. */
function zoned(seconds, time) {
  const moment = new Date(seconds * 1000);
  return time === "day" ? uPlot.tzDate(moment, "Etc/UTC") : moment;
}

function around(min, max, time) {
  const room = time ? STEPS[time] / 2 : Math.max(1, (max - min) * 0.04);
  return [min - room, max + room];
}

function fromZero(_, __, max) {
  return [0, max > 0 ? max * 1.08 : 1];
}

function pointed(plot, at) {
  if (plot.cursor.left >= 0 && plot.cursor.idx != null) at.value = plot.cursor.idx;
}

function lines(each, ink) {
  const line = {
    label: each.label,
    stroke: ink(each.color),
    width: each.quiet ? 1 : 2,
    dash: each.quiet ? [4, 4] : undefined,
    points: { show: !each.bars && !each.quiet, size: 5, fill: ink(each.color) },
    spanGaps: false,
  };
  if (each.bars)
    Object.assign(line, { fill: ink(each.color), width: 0, paths: uPlot.paths.bars({ size: [0.72, 36] }) });
  const edge = { stroke: "transparent", width: 0, points: { show: false } };
  return each.low ? [line, edge, edge] : [line];
}

function bands(series, ink) {
  let column = 1;
  return series.flatMap((each) => {
    const first = column;
    column += each.low ? 3 : 1;
    return each.low ? [{ series: [first + 2, first + 1], fill: ink(each.color, 0.22) }] : [];
  });
}

/** colors(element)(property, opacity) is a function that uPlot calls at each drawing: the color as it is now. */
function colors(element) {
  return (property, opacity = 1) =>
    () => {
      const value = getComputedStyle(element).getPropertyValue(property).trim();
      return opacity === 1 ? value : `color-mix(in srgb, ${value} ${opacity * 100}%, transparent)`;
    };
}
