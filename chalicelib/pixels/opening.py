"""A file's header and its limits, checked before a pixel is decoded.

    size in bytes -> sniff -> structure -> header and its limits

Only the reader of the sniffed format ever sees the file.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING

from chalicelib.images import sniff, structure
from chalicelib.images.limits import MAX_BYTES, MAX_PIXELS, MAX_SIDE

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

NAMES = {"jpeg": "JPEG", "png": "PNG", "webp": "WebP", "avif": "AVIF", "gif": "GIF", "tiff": "TIFF"}

_READERS = {
    "jpeg": ("JpegImagePlugin", "JpegImageFile"),
    "png": ("PngImagePlugin", "PngImageFile"),
    "webp": ("WebPImagePlugin", "WebPImageFile"),
    "avif": ("AvifImagePlugin", "AvifImageFile"),
    "gif": ("GifImagePlugin", "GifImageFile"),
    "tiff": ("TiffImagePlugin", "TiffImageFile"),
}
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_PILLOW = re.compile(r"PIL\.")


class Unusable(Exception):
    """The file is not an image within the limits; `reason` is a sentence for the person who sent it."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class OverLimit(Unusable):
    """An image, but larger than we take."""


def kind_of(data: bytes) -> str:
    """One of sniff.ACCEPTED. Raises Unusable for anything else, and for a file built to keep a reader busy."""
    if len(data) > MAX_BYTES:
        raise OverLimit(f"The file has {len(data) / 1e6:.1f} MB; the limit is {MAX_BYTES / 1e6:.0f}.")
    kind = sniff.accepted(data)
    if kind is None:
        raise Unusable(sniff.refusal(data))
    if structure.is_too_intricate(data, kind):
        raise Unusable(f"The {NAMES[kind]} file has far more parts than an image needs.")
    return kind


def read_header(data: bytes, kind: str) -> "ImageFile":
    """The image, not yet decoded, its size within the limits.

    By the format's own reader, not `Image.open`: a JPEG with a second picture (MPO) stays a JPEG.
    """
    module, reader = _READERS[kind]
    if canvas := structure.webp_canvas(data) if kind == "webp" else None:
        _check_size(*canvas)
    image: ImageFile = getattr(import_module(f"PIL.{module}"), reader)(BytesIO(data))
    _check_size(*image.size)
    _check_tiles(image)
    return image


def _check_size(width: int, height: int) -> None:
    if max(width, height) > MAX_SIDE:
        raise OverLimit(f"The image is {width} x {height} pixels; the limit for one side is {MAX_SIDE}.")
    check_pixels(width * height, MAX_PIXELS)


def check_pixels(pixels: int, limit: int) -> None:
    if pixels > limit:
        raise OverLimit(f"The image has {pixels / 1e6:.0f} megapixels; the limit is {limit / 1e6:.0f}.")


def _check_tiles(image: "ImageFile") -> None:
    """A small TIFF may announce a tile of gigabytes, and libtiff believes it."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_LENGTH, 0) > MAX_PIXELS:
        raise Unusable("The TIFF file has tiles larger than an image may be.")


@contextmanager
def unusable_if_unreadable(data: bytes, kind: str) -> Iterator[None]:
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
    return f"The file is damaged: it cannot be read as {NAMES[kind]}."


def ignore_pillow_warnings() -> None:
    """Pillow warns about odd metadata, which is none of our caller's business.

    `warnings.catch_warnings` would swap a global list under the feet of other threads. One more filter is safe, and is
    added again only when somebody (a test runner) has restored an older list.
    """
    if not any(each[3] == _PILLOW for each in warnings.filters):
        warnings.filterwarnings("ignore", module=_PILLOW.pattern)
