// From photographs to a ranking: by which model, and at once when all are scored, if that is wished.

import { post } from "./api.js";
import { say } from "./notices.js";
import { computed, effect, signal } from "./preact.js";
import { go, route } from "./router.js";
import { numbers, takeOff, uploads } from "./tray.js";
import { LEAST_RANKED, MOST_RANKED, rankable } from "./uploading.js";

export const model = signal("general");
export const atOnce = signal(true);
/** { state: "open" | "asking" | "refused", error }. */
export const asked = signal({ state: "open", error: null });

const choice = computed(() => rankable(uploads.value));

/** What stands against a ranking of all that is on the tray: null, "few" or "many". */
export const obstacle = computed(() => {
  if (choice.value.ready < LEAST_RANKED) return "few";
  return choice.value.ready > MOST_RANKED ? "many" : null;
});

/** -> the id of the new ranking. name: null for none. */
export async function rank(images, name) {
  const { id } = await post("/rankings", { images, model: model.value, name });
  return id;
}

/** Rank what is on the tray, and take it off; what is dropped meanwhile stays. */
export async function rankTray() {
  asked.value = { state: "asking", error: null };
  const ranked = uploads.value;
  const names = new Set(ranked.map((upload) => upload.collection));
  try {
    const id = await rank(choice.value.images, names.size === 1 ? [...names][0] : null);
    takeOff(new Set(ranked.map(({ key }) => key)));
    asked.value = { state: "open", error: null };
    const { page, parts } = route.value;
    arrive(id, page === "rank" && parts.length === 0);
  } catch (error) {
    asked.value = { state: "refused", error };
  }
}

/** To the new sheet. here: whether the person still is where they asked for it; nobody is taken away from another page. */
export function arrive(id, here) {
  if (here) go("rankings", id);
  else say("Your photographs are ranked. You find the ranking under Rank.");
}

// Not where something was left out that the ranking would not tell of: a person should see that first.
effect(() => {
  const willing = atOnce.value && asked.value.state === "open" && obstacle.value === null;
  if (willing && numbers.value.done && choice.value.left === 0) rankTray();
});
// What was refused may be asked for again when there are other photographs.
effect(() => {
  if (!numbers.value.done && asked.peek().state === "refused") asked.value = { state: "open", error: null };
});
