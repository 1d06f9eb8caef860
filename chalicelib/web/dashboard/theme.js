// Light table or darkroom: the person's choice, or the system's. Loaded before the first paint.

import { keep, recall } from "./storage.js";

const KEY = "proofsheet.theme";
export const THEMES = ["system", "light", "dark"];

/** "system", "light" or "dark". */
export function theme() {
  const kept = recall(KEY);
  return THEMES.includes(kept) ? kept : "system";
}

export function choose(chosen) {
  keep(KEY, chosen === "system" ? null : chosen);
  apply();
}

function apply() {
  document.documentElement.dataset.theme = theme();
}

apply();
addEventListener("storage", apply);
