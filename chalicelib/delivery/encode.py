"""Pixels to bytes: quality, sizes in bytes, and nothing of the original's metadata but its copyright.

jpg    q 80, 4:2:0, from q 90 on 4:4:4; baseline, or progressive with its own Huffman tables for profile hq
webp   q 80, method 4
avif   q 60, speed 8, one thread
png    lossless
gif    256 colors; see `palette`
"""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL.Image import Exif, Image

from chalicelib.delivery.operations import LOSSLESS, QUALITY, Operations
from chalicelib.errors import TooLarge, Unprocessable

if TYPE_CHECKING:
    from chalicelib.delivery.opening import Notice

CONTENT_TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
    "gif": "image/gif",
}
MAX_RESULT_BYTES = 20_000_000
_PLUGINS = {
    "jpg": ("JPEG", "JpegImagePlugin"),
    "png": ("PNG", "PngImagePlugin"),
    "webp": ("WEBP", "WebPImagePlugin"),
    "avif": ("AVIF", "AvifImagePlugin"),
    "gif": ("GIF", "GifImagePlugin"),
}
_ARTIST, _COPYRIGHT = 0x013B, 0x8298
_FULL_CHROMA_FROM = 90


def encode(image: Image, format: str, operations: Operations, notice: "Notice | None" = None) -> bytes:
    """The picture as a file.

    image: sRGB, L LA RGB or RGBA; for jpg without transparency. notice: whose it is, kept when `copyright` asks for it.
    Raises Unprocessable when it does not fit into `max` at any quality, TooLarge over 20 MB.
    """
    options = _options(format, operations, notice)
    wanted = operations.q if isinstance(operations.q, int) else QUALITY.get(format, 0)
    body = write(image, format, wanted, options)
    if operations.max is not None and len(body) > operations.max:
        body = _fitting(image, format, wanted, options, operations.max)
    return checked(body)


def write(image: Image, format: str, quality: int, options: dict[str, Any]) -> bytes:
    """The file that Pillow writes at one quality."""
    from importlib import import_module

    name, plugin = _PLUGINS[format]
    import_module(f"PIL.{plugin}")  # else Pillow would load all its formats to find this one
    image.info.clear()  # it would copy a profile or a comment from there
    if format == "jpg":
        options = options | {"subsampling": 0 if quality >= _FULL_CHROMA_FROM else 2}
    if format not in LOSSLESS:
        options = options | {"quality": quality}
    out = BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def checked(body: bytes) -> bytes:
    if len(body) > MAX_RESULT_BYTES:
        raise TooLarge(f"The result has {len(body) / 1e6:.0f} MB; the limit is {MAX_RESULT_BYTES / 1e6:.0f}.")
    return body


def _options(format: str, operations: Operations, notice: "Notice | None") -> dict[str, Any]:
    by_format: dict[str, dict[str, Any]] = {
        "jpg": {"progressive": True, "optimize": True} if operations.profile == "hq" else {},
        "webp": {"method": 4},
        "avif": {"speed": 8, "max_threads": 1},
    }
    options = by_format.get(format, {})
    if operations.copyright and notice is not None and (notice.artist or notice.copyright) and format != "gif":
        options["exif"] = _exif(notice)
    return options


def _exif(notice: "Notice") -> bytes:
    exif = Exif()
    for tag, text in ((_ARTIST, notice.artist), (_COPYRIGHT, notice.copyright)):
        if text:
            exif[tag] = text
    return exif.tobytes()


def _fitting(image: Image, format: str, quality: int, options: dict[str, Any], limit: int) -> bytes:
    """The highest quality from 1 to below `quality` whose file has at most `limit` bytes."""
    best, low, high = b"", 1, quality - 1
    while low <= high:
        middle = (low + high) // 2
        body = write(image, format, middle, options)
        if len(body) <= limit:
            best, low = body, middle + 1
        else:
            high = middle - 1
    if not best:
        raise Unprocessable(
            f"The result does not fit into {limit} bytes at any quality; ask for a smaller picture or for more bytes."
        )
    return best
