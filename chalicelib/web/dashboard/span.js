// Which time is looked at, and in what steps: from the address, so that it can be kept and shared. Pure.

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DATE = /^\d{4}-\d\d-\d\d$/;

/** key: [what it is called, its length in days, the steps that suit it]. */
export const PRESETS = {
  "24h": ["24 hours", 1, "hour"],
  "7d": ["7 days", 7, "day"],
  "30d": ["30 days", 30, "day"],
  "90d": ["90 days", 90, "day"],
};
const USUAL = "7d";

/** query: of the address -> {preset: a key or null, by: "hour"|"day", from, to: dates where there is no preset}. */
export function spanOf(query) {
  const [from, to] = [query.get("from"), query.get("to")];
  const dates = DATE.test(from) && DATE.test(to);
  const asked = Object.hasOwn(PRESETS, query.get("span")) ? query.get("span") : USUAL;
  const preset = dates ? null : asked;
  const by = ["hour", "day"].includes(query.get("by"))
    ? query.get("by")
    : preset
      ? PRESETS[preset][2]
      : "day";
  return { preset, by, from: dates ? from : null, to: dates ? to : null };
}

/** What GET /stats is asked: whole steps up to now, as many as the name of the preset says. now: ms. */
export function asked({ preset, by, from, to }, now) {
  if (!preset) return { interval: by, from, to: new Date(Date.parse(to) + DAY).toISOString() };
  const length = PRESETS[preset][1] * DAY - (by === "day" ? DAY : HOUR);
  return { interval: by, from: new Date(now - length).toISOString(), to: new Date(now).toISOString() };
}

/** The same as a part of the address. */
export function addressed({ preset, by, from, to }) {
  return preset ? { span: preset, by } : { from, to, by };
}

/** The dates that a preset covers, to begin with in the fields for others. */
export function dates({ preset, from, to }, now) {
  if (!preset) return { from, to };
  const day = (moment) => new Date(moment).toISOString().slice(0, 10);
  return { from: day(now - (PRESETS[preset][1] - 1) * DAY), to: day(now) };
}
