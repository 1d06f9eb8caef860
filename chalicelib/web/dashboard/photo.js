// A photograph, or its name where there is nothing that a browser can show.

import { html, useEffect, useState } from "./preact.js";

/** file: as it was chosen; shown from memory, before a byte is sent. */
export function Chosen({ file, name }) {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return html`<${Photo} url=${url} name=${name} />`;
}

/** url: null while there is none. onGone: called once when it cannot be shown. The name stands in the frame, too. */
export function Photo({ url, name, onGone }) {
  const [bad, setBad] = useState(null);
  const gone = () => {
    setBad(url);
    onGone?.();
  };
  if (url === null || bad === url) return html`<${Unseen} name=${name} waiting=${url === null} />`;
  return html`<img src=${url} alt="" decoding="async" draggable=${false} onError=${gone} />`;
}

function Unseen({ name, waiting }) {
  if (waiting) return html`<span class="unseen"></span>`;
  const extension = name.includes(".") ? name.split(".").pop().slice(0, 5).toUpperCase() : "?";
  return html`<span class="unseen"><b>${extension}</b><bdi>${name}</bdi></span>`;
}
