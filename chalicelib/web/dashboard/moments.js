// Times, numbers and amounts as a person reads them, in the browser's language.

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const whole = new Intl.NumberFormat();
const shares = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const amounts = new Intl.NumberFormat(undefined, { style: "currency", currency: "USD" });
const small = new Intl.NumberFormat(undefined, {
  style: "currency",
  currency: "USD",
  maximumSignificantDigits: 2,
});
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

const UNITS = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

/** "3 minutes ago", "in 2 days", "now". iso: an ISO 8601 text or a Date. */
export function ago(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", Infinity];
  return relative.format(Math.round(seconds / size), unit);
}

/** "22 Nov 2026, 19:10". */
export function moment(iso) {
  return full.format(new Date(iso));
}

/** 12345 -> "12,345". */
export function count(number) {
  return whole.format(number);
}

/** 0.1234 -> "12.3 %". */
export function percent(share) {
  return shares.format(share);
}

/** 1234.5 -> "$1,234.50"; less than a cent keeps two digits: "$0.0032". */
export function dollars(amount) {
  return (amount !== 0 && Math.abs(amount) < 0.01 ? small : amounts).format(amount);
}
