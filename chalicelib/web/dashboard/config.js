// What this installation is: GET /config.json, read once.

import { signal } from "./preact.js";

/** The API's root with a slash at the end: this file stands at {root}dashboard/{version}/config.js. */
export const root = new URL("../../", import.meta.url);

/** True while config.json, without which nobody can sign in, could not be read. */
export const unreachable = signal(false);

let reading;

/**
 * {region, user_pool, user_pool_client, user_pool_endpoint: url|null, site_url, stage, version, local}.
 * A failure is not kept: the next call asks again.
 */
export function config() {
  reading ??= read().catch((error) => {
    reading = undefined;
    unreachable.value = true;
    throw error;
  });
  return reading;
}

async function read() {
  const answer = await fetch(new URL("config.json", root), { cache: "no-cache" });
  if (!answer.ok) throw new Error(`config.json answered ${answer.status}`);
  unreachable.value = false;
  return answer.json();
}
