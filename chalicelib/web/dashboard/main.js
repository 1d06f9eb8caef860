// The dashboard starts here: who is signed in as far as this browser knows, the shell, and the rest when it is needed.

import { html, render } from "./preact.js";
import { begin } from "./session.js";
import { Shell } from "./shell.js";

begin();
render(html`<${Shell} />`, document.getElementById("dashboard"));

// A file that misses the drop place would otherwise be opened instead of this page.
for (const name of ["dragover", "drop"]) {
  addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "none"; // a drop place, which hears of it next, takes it
  });
}
