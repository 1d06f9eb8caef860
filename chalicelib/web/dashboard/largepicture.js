// A photo as large as a screen needs it: the preview at once, then a variant of 1600 pixels, as a visitor would get it.

import { post } from "./api.js";
import { Picture } from "./frame.js";
import { nameOf } from "./judgment.js";
import { html, useEffect, useState } from "./preact.js";

const WIDTH = 1600;
const made = new Map();

/** own: whether the person may have addresses of it. style: of the picture. onGone: the preview's address is over. */
export function LargePicture({ entry, own, style, onGone }) {
  const [large, setLarge] = useState(null);
  const { preview } = entry.urls;
  useEffect(() => {
    let here = true;
    setLarge(null);
    if (own && preview)
      loaded(entry.image).then(
        (url) => here && setLarge(url),
        () => {},
      ); // the preview will do
    return () => {
      here = false;
    };
  }, [entry.image, own, preview === null]);
  const gone = () => {
    if (!large) return onGone?.();
    made.delete(entry.image);
    setLarge(null);
  };
  return html`<div class="blowup" style=${style}><${Picture} url=${large ?? preview} alt=${nameOf(entry)} onGone=${gone} /></div>`;
}

/** -> the address, once the browser has the picture. */
function loaded(image) {
  if (!made.has(image)) {
    const variant = fetched(image);
    variant.catch(() => made.delete(image));
    made.set(image, variant);
  }
  return made.get(image);
}

async function fetched(image) {
  const wish = { source: image, operations: `w${WIDTH},h${WIDTH}`, format: "webp" };
  const { url } = await post("/urls", wish, { key: false });
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  return url;
}
