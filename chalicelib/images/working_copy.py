"""From the bytes that somebody uploaded to the small, clean copy that everything else looks at.

    prepare(data)
      size in bytes -> sniff -> structure -> header and its limits -> decode (JPEG: already reduced) -> reduce to 512 px
      -> flatten over white -> ICC to sRGB -> orient -> JPEG without metadata

Nothing is decoded before the limits are checked, and only the decoder of the sniffed format ever sees the file.
Only the first frame counts. Safe to call from several threads.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING

from chalicelib.images.fingerprint import fingerprint
from chalicelib.images.limits import MAX_PIXELS
from chalicelib.pixels.color import flat, resizable, to_srgb
from chalicelib.pixels.opening import (
    Unusable,
    ignore_pillow_warnings,
    kind_of,
    read_header,
    unusable_if_unreadable,
)
from chalicelib.pixels.upright import orientation_in, read_exif, upright

if TYPE_CHECKING:
    from PIL.Image import Exif, Image
    from PIL.ImageFile import ImageFile

__all__ = ["LONG_SIDE", "MAX_PIXELS", "Prepared", "Unusable", "prepare"]

LONG_SIDE = 512

_EXIF_IFD, _DATE_TIME_ORIGINAL, _OFFSET_TIME_ORIGINAL = 0x8769, 0x9003, 0x9011
_FIRST_PHOTOGRAPH = 1826


@dataclass(frozen=True)
class Prepared:
    """format: one of sniff.ACCEPTED. width, height: pixels of the original, upright.

    captured_at: ISO 8601, local time of the camera, with its offset where EXIF has one.
    jpeg: the working copy, sRGB 4:4:4, long side at most 512 px, never enlarged, no metadata. phash: its fingerprint,
    8 bytes.
    """

    format: str
    width: int
    height: int
    captured_at: str | None
    jpeg: bytes
    phash: bytes


def prepare(data: bytes) -> Prepared:
    """Raises Unusable for every file that is not an image within the limits."""
    ignore_pillow_warnings()
    kind = kind_of(data)
    with unusable_if_unreadable(data, kind):
        image = read_header(data, kind)
        small, original = _reduced(image)
    nothing: tuple[int, str | None] = (1, None)
    orientation, captured_at = read_exif(image, _exif_fields, nothing)
    turned = upright(to_srgb(flat(small), image.info.get("icc_profile")), orientation)
    width, height = reversed(original) if orientation >= 5 else original
    return Prepared(kind, width, height, captured_at, _encode(turned), fingerprint(turned))


def _reduced(image: "ImageFile") -> tuple["Image", tuple[int, int]]:
    """The decoded pixels with the long side at most LONG_SIDE, and the size before."""
    from PIL.Image import Resampling

    original = image.size
    scale = min(1.0, LONG_SIDE / max(original))
    target = (max(1, round(original[0] * scale)), max(1, round(original[1] * scale)))
    # libjpeg skips what it need not decode, but leaves half as much again for a clean Lanczos.
    image.draft(None, (target[0] * 3 // 2, target[1] * 3 // 2))
    image.load()
    return resizable(image).resize(target, Resampling.LANCZOS, reducing_gap=2.0), original


def _exif_fields(exif: "Exif") -> tuple[int, str | None]:
    return orientation_in(exif), _captured_at(exif)


def _captured_at(exif: "Exif") -> str | None:
    photo = exif.get_ifd(_EXIF_IFD)
    moment = re.match(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)", str(photo.get(_DATE_TIME_ORIGINAL)))
    offset = re.match(r"[+-]\d\d:\d\d", str(photo.get(_OFFSET_TIME_ORIGINAL)))
    if not moment or int(moment[1]) < _FIRST_PHOTOGRAPH:
        return None
    text = "{}-{}-{}T{}".format(*moment.groups())
    return _valid(text + offset[0] if offset else text) or _valid(text)


def _valid(moment: str) -> str | None:
    try:
        return datetime.fromisoformat(moment).isoformat()
    except ValueError:
        return None


def _encode(image: "Image") -> bytes:
    image.info.clear()  # Pillow would copy a comment from there
    out = BytesIO()
    image.save(out, "JPEG", quality=90, subsampling=0)
    return out.getvalue()
