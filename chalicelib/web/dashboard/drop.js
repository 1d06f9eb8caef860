// The drop place: by mouse, by keyboard, by paste.

import { chosen, dropped } from "./dropping.js";
import { CheckField, TextField } from "./field.js";
import { ModelChoice } from "./modelchoice.js";
import { say, warn } from "./notices.js";
import { html, signal, useEffect, useRef, useState } from "./preact.js";
import { atOnce } from "./ranking.js";
import { add, frames, uploads } from "./tray.js";
import { ACCEPT } from "./uploading.js";

const LONGEST_NAME = 100;
/** What was typed; empty where the name of a folder or the day shall do. */
const collection = signal("");

const today = () => new Date().toLocaleDateString(undefined, { dateStyle: "long" });

/** A name that was typed, that of the folder, that of what is on the table already, or the day. */
function nameFor(folder) {
  const name = collection.value.trim() || folder || uploads.value.at(-1)?.collection || today();
  return [...name].slice(0, LONGEST_NAME).join("");
}

function take({ files, folder, others }) {
  if (files.length > 0) add(files, nameFor(folder));
  else warn("There was no photograph in it.");
  if (others > 0) say(`Left out, for they are no photographs: ${others} ${others === 1 ? "file" : "files"}.`);
}

export function Drop() {
  const over = useDrops();
  const photographs = useRef(null);
  const folder = useRef(null);
  const changed = (event) => {
    take(chosen(event.currentTarget.files));
    event.currentTarget.value = ""; // the same file may be chosen again
  };
  const more = frames.value.length > 0;
  const call = more ? "Drop more" : "Drop photographs or a folder";
  return html`<section class=${`drop ${more ? "small" : ""} ${over ? "over" : ""}`} aria-label="Add photographs">
      <${CropMarks} />
      <p class="drop-call" aria-hidden="true">${over ? "Let go" : call}</p>
      <div class="row drop-ways">
        <button type="button" class="button drop-all" onClick=${() => photographs.current.click()}>Choose photographs</button>
        <button type="button" class="button" onClick=${() => folder.current.click()}>Choose a folder</button>
      </div>
      <p class="small-print drop-kinds">JPEG, PNG, WebP, AVIF, GIF or TIFF, up to 25 MB each. Pasting works, too.</p>
      <input type="file" name="photographs" multiple hidden accept=${ACCEPT} ref=${photographs} onChange=${changed} />
      <input type="file" name="folder" webkitdirectory hidden ref=${folder} onChange=${changed} />
    </section>
    <${Wishes} />`;
}

function Wishes() {
  return html`<div class="wishes">
    <${TextField} label="Collection" value=${collection.value} placeholder=${nameFor(null)} maxlength=${LONGEST_NAME}
      dir="auto" onInput=${(text) => {
        collection.value = text;
      }} />
    <${ModelChoice} />
    <${CheckField} label="Rank when ready" checked=${atOnce.value} onChange=${(wished) => {
      atOnce.value = wished;
    }} />
  </div>`;
}

/** Drops and pastes anywhere on the page; -> whether files are being dragged over it. */
function useDrops() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const end = new AbortController();
    const on = (name, handle) => addEventListener(name, handle, { signal: end.signal });
    on("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault(); // or the browser would open the file in place of the page
      event.dataTransfer.dropEffect = "copy";
      setOver(true);
    });
    on("dragleave", (event) => event.relatedTarget === null && setOver(false));
    on("drop", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(false);
      dropped(event.dataTransfer).then(take, unreadable);
    });
    on("paste", (event) => {
      if (event.target.matches?.("input, textarea")) return; // cells of a table come with their picture
      const files = [...event.clipboardData.files];
      if (files.length > 0) take({ files, folder: null, others: 0 });
    });
    return () => end.abort();
  }, []);
  return over;
}

const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

function unreadable() {
  warn("This folder cannot be read. Choose it with the button, please.");
}

function CropMarks() {
  return html`<span class="crop" aria-hidden="true"></span><span class="crop" aria-hidden="true"></span>
    <span class="crop" aria-hidden="true"></span><span class="crop" aria-hidden="true"></span>`;
}
