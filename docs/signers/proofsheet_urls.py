"""Sign image URLs of Proofsheet on your own server. Copy this file; it needs Python alone.

    sign_url(SITE, ACCOUNT, KEY_ID, ACCOUNT_KEY, "photos/cat.jpg", "w800,h600,fit:cover", "webp")
    srcset(SITE, ACCOUNT, KEY_ID, ACCOUNT_KEY, "photos/cat.jpg", "q:75", "webp", widths=[400, 800, 1600])

The account key signs for the whole account: keep it on the server. `vectors.json` beside this file holds examples
that every signer must reproduce.
"""

import base64
import hashlib
import hmac
import re

IMAGE_ID = re.compile("[0-9a-hjkmnp-tv-z]{26}")
PLAIN_KEY = re.compile("[A-Za-z0-9/_.,-]+")


def sign_url(site, account, key_id, account_key, source, operations, format):
    """The signed URL of one variant.

    site: the address of the site bucket or of what stands before it, as in "https://img.example.org".
    source: an image id, or a key in the account's source as it is in the bucket, not URL-encoded.
    operations: in canonical order and spelling, as `POST /urls` returns them, with "" or "_" for none; any other
    spelling is refused when the URL is used. format: jpg, png, webp, avif, gif or auto.
    """
    text = f"{operations or '_'}/{account}/{source_path(source)}.{format}"
    digest = hmac.digest(account_key.encode(), text.encode(), hashlib.sha256)
    return f"{site.rstrip('/')}/v/{key_id}.{_base64url(digest[:16])}/{text}"


def srcset(site, account, key_id, account_key, source, operations, format, widths):
    """The value of an `srcset` attribute. operations: as in `sign_url`, without the width, which is put first."""

    def candidate(width):
        sized = f"w{width}" if operations in ("", "_") else f"w{width},{operations}"
        return f"{sign_url(site, account, key_id, account_key, source, sized, format)} {width}w"

    return ", ".join(map(candidate, widths))


def source_path(source):
    """An image id as it is, a plain key behind "s/", any other key in base64url behind "b/"."""
    if IMAGE_ID.fullmatch(source):
        return source
    return f"s/{source}" if PLAIN_KEY.fullmatch(source) else f"b/{_base64url(source.encode())}"


def _base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
