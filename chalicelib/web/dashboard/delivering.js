// The address under which visitors of a site get a photo, at the size that its place has.

import { post } from "./api.js";
import { Copy } from "./copy.js";
import { SelectField, TextField } from "./field.js";
import { html, useEffect, useRef, useState } from "./preact.js";

const SIZES = [
  ["400", "400 wide"],
  ["800", "800 wide"],
  ["1600", "1600 wide"],
  ["square", "Square, 800"],
  ["own", "Another size"],
];
const FORMATS = [
  ["auto", "Each browser's best"],
  ["webp", "WebP"],
  ["avif", "AVIF"],
  ["jpg", "JPEG"],
  ["png", "PNG"],
];
const FITS = [
  ["inside", "Inside the box"],
  ["cover", "Fill the box, cut the rest"],
  ["contain", "Inside the box, with margins"],
];
const STEPS = [400, 800, 1600];

/** image: its id. */
export function Delivering({ image }) {
  const [wish, setWish] = useState({ size: "800", width: "1200", height: "", fit: "inside", format: "auto" });
  const [made, setMade] = useState(null);
  const [error, setError] = useState(null);
  const turn = useRef(0);
  const change = (name) => (value) => setWish({ ...wish, [name]: value });
  useEffect(() => {
    turn.current += 1;
    setMade(null);
    setError(null);
  }, [image, wish]);
  const make = (event) => {
    event.preventDefault();
    // What comes too late is the address of another photo, or of another size.
    const mine = turn.current;
    const meant = (show) => (found) => turn.current === mine && show(found);
    address(image, wish).then(meant(setMade), meant(setError));
  };
  return html`<form class="delivering stack" onSubmit=${make}>
    <div class="sizes">
      <${SelectField} label="Size" options=${SIZES} value=${wish.size} onChange=${change("size")} />
      ${wish.size === "own" && html`<${OwnSize} wish=${wish} change=${change} />`}
      <${SelectField} label="Format" options=${FORMATS} value=${wish.format} onChange=${change("format")} />
      <button type="submit" class="button">Make the address</button>
    </div>
    ${error && html`<p class="error" role="alert">${error.message}</p>`}
    ${made && html`<${Made} ...${made} />`}
  </form>`;
}

function OwnSize({ wish, change }) {
  const number = { type: "number", min: 1, max: 4096, inputmode: "numeric" };
  return html`
    <${TextField} label="Width" ...${number} required value=${wish.width} onInput=${change("width")} />
    <${TextField} label="Height, if any" ...${number} value=${wish.height} onInput=${change("height")} />
    ${wish.height !== "" && html`<${SelectField} label="Fit" options=${FITS} value=${wish.fit} onChange=${change("fit")} />`}
  `;
}

function Made({ url, snippet }) {
  return html`<dl class="made" role="status">
    <dt>Address</dt>
    <dd><a class="mono" href=${url} target="_blank" rel="noreferrer">${url}</a><${Copy} text=${url} label="Copy address" /></dd>
    <dt>For a page</dt>
    <dd><code>${snippet}</code><${Copy} text=${snippet} label="Copy <img>" /></dd>
  </dl>`;
}

/** -> {url, snippet}. A box is asked for again at twice the density; a width alone at all the steps up to it. */
async function address(image, wish) {
  const { box, width } = operations(wish);
  const ask = (more) => post("/urls", { source: image, format: wish.format, ...more }, { key: false });
  if (box) {
    const [one, two] = await Promise.all([ask({ operations: box }), ask({ operations: `${box},dpr:2` })]);
    return { url: one.url, snippet: `<img src="${one.url}" srcset="${one.url} 1x, ${two.url} 2x" alt="">` };
  }
  const widths = [...STEPS.filter((step) => step < width), width];
  const [one, all] = await Promise.all([ask({ operations: `w${width}` }), ask({ widths })]);
  const sizes = `(max-width: ${width}px) 100vw, ${width}px`;
  return { url: one.url, snippet: `<img src="${one.url}" srcset="${all.srcset}" sizes="${sizes}" alt="">` };
}

/** {box: operations with width and height, or null; width: pixels}. */
function operations({ size, width, height, fit }) {
  if (size === "square") return { box: "w800,h800,fit:cover,gravity:smart" };
  if (size !== "own") return { box: null, width: Number(size) };
  return { box: height === "" ? null : `w${width},h${height},fit:${fit}`, width: Number(width) };
}
