// What somebody who was signed in sees first, fetched beside the shell and not after it.

import { recall } from "./storage.js";

const isFirst = ["", "#/", "#/rank"].includes(location.hash);
// Who needs it and has not got it is told by the page itself.
if (isFirst && recall("proofsheet.session")) import("./rank.js").catch(() => {});
