// The dashboard starts here: who is signed in as far as this browser knows, the shell, and the rest when it is needed.

import { html, render } from "./preact.js";
import { begin } from "./session.js";
import { Shell } from "./shell.js";

begin();
render(html`<${Shell} />`, document.getElementById("dashboard"));
