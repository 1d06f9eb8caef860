"""From the bytes that somebody uploaded to the small, clean copy that everything else looks at.

    prepare(data)
      size in bytes -> sniff -> structure -> header and its limits -> decode (JPEG: already reduced) -> reduce to 512 px
      -> flatten over white -> ICC to sRGB -> orient -> JPEG without metadata

Nothing is decoded before the limits are checked, and only the decoder of the sniffed format ever sees the file.
Only the first frame counts. Safe to call from several threads.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING

from chalicelib.images import sniff, structure
from chalicelib.images.limits import MAX_BYTES, MAX_PIXELS, MAX_SIDE

if TYPE_CHECKING:
    from PIL.Image import Exif, Image
    from PIL.ImageFile import ImageFile

MAX_EXIF_BYTES = 1_000_000
LONG_SIDE = 512

_READERS = {
    "jpeg": ("JpegImagePlugin", "JpegImageFile"),
    "png": ("PngImagePlugin", "PngImageFile"),
    "webp": ("WebPImagePlugin", "WebPImageFile"),
    "avif": ("AvifImagePlugin", "AvifImageFile"),
    "gif": ("GifImagePlugin", "GifImageFile"),
    "tiff": ("TiffImagePlugin", "TiffImageFile"),
}
_NAMES = {"jpeg": "JPEG", "png": "PNG", "webp": "WebP", "avif": "AVIF", "gif": "GIF", "tiff": "TIFF"}
_ORIENTATION, _EXIF_IFD, _DATE_TIME_ORIGINAL, _OFFSET_TIME_ORIGINAL = 0x0112, 0x8769, 0x9003, 0x9011
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_FIRST_PHOTOGRAPH = 1826
_PILLOW = re.compile(r"PIL\.")


class Unusable(Exception):
    """The file cannot become a working copy; `reason` is a sentence for the person who sent it."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Prepared:
    """format: one of sniff.ACCEPTED. width, height: pixels of the original, upright.

    captured_at: ISO 8601, local time of the camera, with its offset where EXIF has one.
    jpeg: the working copy, sRGB 4:4:4, long side at most 512 px, never enlarged, no metadata.
    """

    format: str
    width: int
    height: int
    captured_at: str | None
    jpeg: bytes


def prepare(data: bytes) -> Prepared:
    """Raises Unusable for every file that is not an image within the limits."""
    _ignore_pillow_warnings()
    kind = _kind(data)
    with _unusable_if_unreadable(data, kind):
        image = _open(data, kind)
        _check_size(*image.size)
        _check_tiles(image)
        small, original = _reduced(image)
    orientation, captured_at = _exif(image)
    upright = _upright(_srgb(_flat(small), image.info.get("icc_profile")), orientation)
    width, height = reversed(original) if orientation >= 5 else original
    return Prepared(kind, width, height, captured_at, _encode(upright))


def _kind(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise Unusable(f"The file has {len(data) / 1e6:.1f} MB; the limit is {MAX_BYTES / 1e6:.0f}.")
    kind = sniff.accepted(data)
    if kind is None:
        raise Unusable(sniff.refusal(data))
    if structure.is_too_intricate(data, kind):
        raise Unusable(f"The {_NAMES[kind]} file has far more parts than an image needs.")
    return kind


def _open(data: bytes, kind: str) -> "ImageFile":
    """The header only. The format's own reader, not `Image.open`: a JPEG with a second picture (MPO) stays a JPEG."""
    module, reader = _READERS[kind]
    if canvas := structure.webp_canvas(data) if kind == "webp" else None:
        _check_size(*canvas)
    image: ImageFile = getattr(import_module(f"PIL.{module}"), reader)(BytesIO(data))
    return image


def _check_size(width: int, height: int) -> None:
    if max(width, height) > MAX_SIDE:
        raise Unusable(f"The image is {width} x {height} pixels; the limit for one side is {MAX_SIDE}.")
    if width * height > MAX_PIXELS:
        raise Unusable(f"The image has {width * height / 1e6:.0f} megapixels; the limit is {MAX_PIXELS / 1e6:.0f}.")


def _check_tiles(image: "ImageFile") -> None:
    """A small TIFF may announce a tile of gigabytes, and libtiff believes it."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_LENGTH, 0) > MAX_PIXELS:
        raise Unusable("The TIFF file has tiles larger than an image may be.")


@contextmanager
def _unusable_if_unreadable(data: bytes, kind: str) -> Iterator[None]:
    """Pillow answers a bad file with nearly any exception; out of memory is our failing, not the file's."""
    try:
        yield
    except (Unusable, MemoryError):
        raise
    except Exception as error:
        raise Unusable(_reason(error, data, kind)) from error


def _reason(error: Exception, data: bytes, kind: str) -> str:
    message = str(error).lower()
    if "truncated" in message or isinstance(error, EOFError) or structure.is_cut_short(data, kind):
        return "The file ends before the image is complete."
    if "too large" in message or "too much memory" in message or "decompression bomb" in message:
        return "The file unpacks to far more data than an image needs."
    return f"The file is damaged: it cannot be read as {_NAMES[kind]}."


def _ignore_pillow_warnings() -> None:
    """Pillow warns about odd metadata, which is none of our caller's business.

    `warnings.catch_warnings` would swap a global list under the feet of other threads. One more filter is safe, and is
    added again only when somebody (a test runner) has restored an older list.
    """
    if not any(each[3] == _PILLOW for each in warnings.filters):
        warnings.filterwarnings("ignore", module=_PILLOW.pattern)


def _reduced(image: "ImageFile") -> tuple["Image", tuple[int, int]]:
    """The decoded pixels with the long side at most LONG_SIDE, and the size before."""
    from PIL.Image import Resampling

    original = image.size
    scale = min(1.0, LONG_SIDE / max(original))
    target = (max(1, round(original[0] * scale)), max(1, round(original[1] * scale)))
    # libjpeg skips what it need not decode, but leaves half as much again for a clean Lanczos.
    image.draft(None, (target[0] * 3 // 2, target[1] * 3 // 2))
    image.load()
    return _resizable(image).resize(target, Resampling.LANCZOS, reducing_gap=2.0), original


def _resizable(image: "Image") -> "Image":
    """Pixels of a mode that can be averaged: L, LA, RGB, RGBA, CMYK or LAB."""
    if image.mode in ("I", "F"):
        raise Unusable("The image has 32-bit samples; the limit is 16 bits.")
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 257).convert("L")
    if image.mode in ("L", "RGB", "P", "1") and image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        return image
    return image.convert({"1": "L", "PA": "RGBA", "RGBa": "RGBA", "La": "LA"}.get(image.mode, "RGB"))


def _flat(image: "Image") -> "Image":
    """Without transparency: over white, as a page would show it."""
    if image.mode not in ("LA", "RGBA"):
        return image
    from PIL.Image import new

    page = new(image.mode[:-1], image.size, "white")
    page.paste(image.convert(page.mode), mask=image.getchannel("A"))
    return page


def _srgb(image: "Image", profile: bytes | None) -> "Image":
    """RGB in sRGB; a profile that is broken or made for another kind of image is ignored."""
    from PIL import ImageCms

    try:
        if image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif profile:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
        else:
            return image.convert("RGB")
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        return ImageCms.profileToProfile(image, source, srgb, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image.convert("RGB")


def _exif(image: "Image") -> tuple[int, str | None]:
    """Orientation (1-8) and moment of capture; broken EXIF counts as none."""
    if len(image.info.get("exif") or b"") > MAX_EXIF_BYTES:
        return 1, None
    try:
        exif = image.getexif()
        orientation = exif.get(_ORIENTATION)
        captured_at = _captured_at(exif)
    except Exception:  # EXIF is read lazily, by code that meets hostile bytes in many ways
        return 1, None
    return (orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1), captured_at


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


def _upright(image: "Image", orientation: int) -> "Image":
    from PIL.Image import Transpose

    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)


def _encode(image: "Image") -> bytes:
    image.info.clear()  # Pillow would copy a comment from there
    out = BytesIO()
    image.save(out, "JPEG", quality=90, subsampling=0)
    return out.getvalue()
