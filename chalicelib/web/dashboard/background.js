// What goes on behind the pages: shown wherever one is, by the module that does it.

import { signal } from "./preact.js";

/** The component, once there is one: its module is not fetched before it is needed. */
export const background = signal(null);
