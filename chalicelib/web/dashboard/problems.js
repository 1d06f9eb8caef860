// Rows of a file that were not stored: the first of them here, all of them to download.

import { html, useEffect, useState } from "./preact.js";

const SHOWN = 20;

export function Problems({ url }) {
  const [problems, setProblems] = useState([]);
  useEffect(() => {
    const over = new AbortController();
    firstLines(url, SHOWN, over.signal).then(
      (lines) => setProblems(lines.flatMap(parsed)),
      () => {}, // the link below stays
    );
    return () => over.abort();
  }, [url]);
  return html`<section class="problems">
    ${
      problems.length > 0 &&
      html`<div class="table-wrap" role="region" aria-label="Problems" tabindex="0"><table>
      <thead><tr><th scope="col">Line</th><th scope="col">Id</th><th scope="col">Column</th><th scope="col">Why</th></tr></thead>
      <tbody>${problems.map(
        ({ line, id, field, reason }) => html`<tr key=${line}>
          <th scope="row" class="tabular">${line}</th><td class="mono"><bdi>${id ?? ""}</bdi></td><td class="mono">${field ?? ""}</td><td dir="auto">${reason}</td>
        </tr>`,
      )}</tbody>
    </table></div>`
    }
    <p><a href=${url} target="_blank" rel="noreferrer" download="problems.jsonl">Download all problems</a></p>
  </section>`;
}

/** [the problem] of a line, nothing of one that is broken. */
function parsed(line) {
  try {
    const problem = JSON.parse(line);
    return problem === null ? [] : [problem];
  } catch {
    return [];
  }
}

/** A report may have a million lines, of which only the first are fetched. */
async function firstLines(url, most, signal) {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new Error(String(answer.status));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    text += value ?? "";
    const lines = text.split("\n");
    if (done || lines.length > most) {
      await reader.cancel();
      return (done ? lines : lines.slice(0, -1)).filter(Boolean).slice(0, most);
    }
  }
}
