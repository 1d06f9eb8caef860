// Sign image URLs of Proofsheet on your own server or edge worker. Copy this file; it needs WebCrypto alone, which
// Node 20, Deno, Bun and edge workers have.
//
//   const account = { site: "https://img.example.org", account: "a...", keyId: "1", accountKey: "..." };
//   await signUrl(account, "photos/cat.jpg", "w800,h600,fit:cover", "webp");
//   await srcset(account, "photos/cat.jpg", "q:75", "webp", [400, 800, 1600]);
//
// The account key signs for the whole account: never send it to a browser. vectors.json beside this file holds
// examples that every signer must reproduce.

const IMAGE_ID = /^[0-9a-hjkmnp-tv-z]{26}$/;
const PLAIN_KEY = /^[A-Za-z0-9/_.,-]+$/;
const utf8 = new TextEncoder();

// The signed URL of one variant.
//
// site: the address of the site bucket or of what stands before it.
// source: an image id, or a key in the account's source as it is in the bucket, not URL-encoded.
// operations: in canonical order and spelling, as POST /urls returns them, with "" or "_" for none; any other
// spelling is refused when the URL is used. format: jpg, png, webp, avif, gif or auto.
export async function signUrl({ site, account, keyId, accountKey }, source, operations, format) {
  const text = `${operations || "_"}/${account}/${sourcePath(source)}.${format}`;
  const digest = await hmacSha256(accountKey, text);
  return `${site.replace(/\/+$/, "")}/v/${keyId}.${base64url(digest.slice(0, 16))}/${text}`;
}

// The value of an srcset attribute. operations: as in signUrl, without the width, which is put first.
export async function srcset(account, source, operations, format, widths) {
  const rest = operations === "" || operations === "_" ? "" : `,${operations}`;
  const candidates = widths.map(async (width) => {
    return `${await signUrl(account, source, `w${width}${rest}`, format)} ${width}w`;
  });
  return (await Promise.all(candidates)).join(", ");
}

// An image id as it is, a plain key behind "s/", any other key in base64url behind "b/".
export function sourcePath(source) {
  if (IMAGE_ID.test(source)) return source;
  return PLAIN_KEY.test(source) ? `s/${source}` : `b/${base64url(utf8.encode(source))}`;
}

async function hmacSha256(key, text) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", utf8.encode(key), algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, utf8.encode(text)));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
