// What has become of a campaign's messages, as numbers and words that keep to what is confirmed. Pure.

import { count } from "./moments.js";

/** The states of messages, in the order in which they are drawn; `planned` is the rest of the bar. */
export const STATES = [
  { name: "sent", word: "Sent", means: "The carrier, Apple or Google took it. Not: it arrived." },
  { name: "skipped", word: "Skipped", means: "Not to be sent: no number, no device, opted out or the like." },
  { name: "failed", word: "Failed", means: "Refused for good; trying again would not help." },
  {
    name: "unknown",
    word: "Unknown",
    means:
      "Perhaps sent, perhaps not: nobody answered in time. Under “at most once” it is left to you to look at.",
  },
  { name: "cancelled", word: "Cancelled", means: "The campaign was cancelled before its turn came." },
  { name: "planned", word: "Waiting", means: "Written down, not sent yet, or being sent right now." },
];

export const CHANNELS = { sms: "Text message", push: "App notification", both: "Both" };
export const POLICIES = { at_most_once: "At most once", at_least_once: "At least once" };
export const ENDED = ["cancelled", "completed"];

/** Messages that have come to their end. */
export const done = (counts) => counts.total - counts.planned;

/**
 * Whole percents of the counts that add up to 100 (largest remainder); all 0 of nothing.
 * Whatever is there keeps the others from a hundred: 999 of 1,000 are 99 %, and the last one is "under 1 %".
 */
export function percents(counts) {
  const total = counts.reduce((sum, each) => sum + each, 0);
  if (!total) return counts.map(() => 0);
  const exact = counts.map((each) => (each / total) * 100);
  const floors = exact.map(Math.floor);
  const left = 100 - floors.reduce((sum, each) => sum + each, 0);
  const byRemainder = exact.map((each, index) => [each - floors[index], index]).sort(([a], [b]) => b - a);
  for (const [, index] of byRemainder.slice(0, left)) floors[index] += 1;
  return floors.map((each, index) => (each === 100 && counts[index] < total ? 99 : each));
}

/** "42 %", or "under 1 %" of what is there and rounds to nothing. */
export function share(number, percent) {
  return number > 0 && percent === 0 ? "under 1 %" : `${percent} %`;
}

/** {name, word, means, number, percent} of each state. */
export function segments(counts) {
  const numbers = STATES.map(({ name }) => counts[name]);
  const whole = percents(numbers);
  return STATES.map((state, index) => ({ ...state, number: numbers[index], percent: whole[index] }));
}

/** Whole percents that are done, rounded down; null while nobody knows how many there will be. */
export function percentDone(progress) {
  if (!progress.total_is_final) return null;
  return progress.total ? Math.floor((done(progress) / progress.total) * 100) : 100;
}

/** One sentence for those who hear the bar. */
export function inWords(progress) {
  const so = `${count(done(progress))} of ${count(progress.total)} messages are done`;
  if (!progress.total_is_final) return `${so}; still counting how many there will be.`;
  if (!progress.total) return "There is nobody to send to.";
  const found = segments(progress).filter(({ number }) => number > 0);
  return `${so}: ${found.map(({ word, number }) => `${count(number)} ${word.toLowerCase()}`).join(", ")}.`;
}

const SPANS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** "about 14 hours", "about a minute", "a moment". */
export function duration(seconds) {
  if (seconds < 2) return "a moment";
  const [unit, size] =
    SPANS.find(([, length], place) => seconds >= length * (place === 2 ? 1 : 1.5)) ?? SPANS[3];
  const number = Math.round(seconds / size);
  if (number === 1) return `about ${unit === "hour" ? "an" : "a"} ${unit}`;
  return `about ${count(number)} ${unit}s`;
}

/** "20 a second", "12 a minute". */
export function pace(perSecond) {
  return perSecond >= 1
    ? `${count(Math.round(perSecond))} a second`
    : `${count(Math.round(perSecond * 60))} a minute`;
}

const REASONS = {
  no_phone: "no phone number",
  no_device: "no device",
  opted_out: "opted out",
  sms_blocked: "the number takes no text messages any more",
  same_number: "another recipient with this number gets it",
  deleted: "deleted meanwhile",
  cancelled: "the campaign was cancelled first",
  "worker lost": "the worker stopped between asking and writing down, so nobody knows",
};

/** Why a message was not sent; what SNS itself says is shown as it is. */
export function because(reason) {
  if (!reason) return "";
  const lacking = /^missing (.+)$/.exec(reason);
  if (lacking) return `lacks ${lacking[1]}, which the text needs`;
  return REASONS[reason] ?? reason.replace(/^template: /, "the text does not work out: ");
}

/** What a campaign is doing, for its tag. */
export function doing(campaign) {
  const { state, starts_at: starts, started_at: started } = campaign;
  if (state === "planning" && starts && !started) return "Scheduled";
  return {
    planning: "Starting",
    sending: "Sending",
    paused: "Paused",
    cancelled: "Cancelled",
    completed: "Completed",
  }[state];
}
