// How many messages wait in the inbox: the badge in the header, which the inbox itself keeps up to date.

import { get } from "./api.js";
import { signal } from "./preact.js";

export const unread = signal(0);

let looking = 0;

/** Looks again; of two looks at once the later counts. */
export async function countUnread() {
  looking += 1;
  const mine = looking;
  try {
    const inbox = await get("/inbox", { limit: 1 });
    if (mine === looking) unread.value = inbox.unread;
  } catch {
    // A badge is not worth a word; the next look comes.
  }
}
