"""Pixels to bytes: quality, sizes in bytes, and nothing of the original's metadata but its copyright.

jpg    q 80, 4:2:0, from q 90 on 4:4:4; baseline; for profile hq 4:2:2, progressive, with Huffman tables of its own
webp   q 80, method 4
avif   q 60, speed 8 and over 4 megapixels 10, one thread
png    lossless
gif    256 colors; see `palette`
"""

from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL.Image import Dither, Exif, Image, Quantize, Resampling

from chalicelib.delivery.operations import LOSSLESS, QUALITY, Operations
from chalicelib.delivery.similarity import sample, smallest_quality
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
_LARGE = 4_000_000  # pixels
_ARTIST, _COPYRIGHT = 0x013B, 0x8298
_FULL_CHROMA_FROM = 90
_TRANSPARENT = 255  # a palette's last place
_HALF = 128


def encode(image: Image, format: str, operations: Operations, notice: "Notice | None" = None) -> bytes:
    """The picture as a file.

    image: sRGB; L, LA, RGB or RGBA; for jpg L, RGB or YCbCr. notice: whose it is, kept when `copyright` asks for it.
    Raises Unprocessable when it does not fit into `max`, TooLarge over 20 MB.
    """
    options = _options(image, format, operations, notice)

    def at(quality: int, picture: Image = image) -> bytes:
        return write(picture, format, quality, options)

    wanted = 0 if format in LOSSLESS else QUALITY[format]
    if operations.q == "auto" and wanted:
        wanted = smallest_quality(image, lambda sample, quality: at(quality, sample), wanted)
    elif isinstance(operations.q, int) and wanted:
        wanted = operations.q
    if operations.max is not None and wanted:
        part = sample(image)
        share = part.width * part.height / (image.width * image.height)
        wanted = promising(lambda quality: len(at(quality, part)) / share, wanted, operations.max)
    return checked(fitting(at, wanted, operations.max))


def keeps_full_color(format: str, operations: Operations) -> bool:
    """Whether the file has a color for each pixel, or one for four."""
    if format == "jpg":
        return operations.q == "auto" or (operations.q or 0) >= _FULL_CHROMA_FROM
    return format in LOSSLESS


def promising(estimate: Callable[[int], float], quality: int, limit: int) -> int:
    """The highest quality from 1 to `quality` at which the file should have at most `limit` bytes.

    estimate: the file's bytes at one quality, as a sample of the picture lets expect.
    """
    low, high = 1, quality
    while low < high:
        middle = (low + high + 1) // 2
        if estimate(middle) <= limit:
            low = middle
        else:
            high = middle - 1
    return low


def fitting(write: Callable[[int], bytes], quality: int, limit: int | None) -> bytes:
    """The file at `quality`; while it has more than `limit` bytes, at three quarters and three eighths of that.

    Raises Unprocessable when the third does not fit either.
    """
    tries = [quality, quality * 3 // 4, quality * 3 // 8] if limit is not None and quality else [quality]
    for each in dict.fromkeys(max(1, each) for each in tries):
        body = write(each)
        if limit is None or len(body) <= limit:
            return body
    raise Unprocessable(f"The result does not fit into {limit} bytes; ask for a smaller picture or for more bytes.")


def write(image: Image, format: str, quality: int, options: dict[str, Any]) -> bytes:
    """The file that Pillow writes at one quality."""
    name, plugin = _PLUGINS[format]
    import_module(f"PIL.{plugin}")  # else Pillow would load all its formats to find this one
    image.info.clear()  # it would copy a profile or a comment from there
    if format == "jpg":
        options = {"subsampling": 2} | options | ({"subsampling": 0} if quality >= _FULL_CHROMA_FROM else {})
    if format not in LOSSLESS:
        options = options | {"quality": quality}
    if format == "gif":
        image = palette(image, Dither.FLOYDSTEINBERG if image.width * image.height <= _LARGE else Dither.NONE)
    out = BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def palette(image: Image, dither: Dither = Dither.FLOYDSTEINBERG, looked_at: int = 1_000_000) -> Image:
    """256 colors chosen for this picture; with transparency 255, and what is more than half seen through is clear.

    dither: none for the frames of an animation, where its dots would dance and double the file. looked_at: pixels by
    which the colors are chosen, the dearest part of it by far.
    """
    if "A" not in image.mode:
        return _quantized(image.convert("RGB"), 256, dither, looked_at)
    drawn = _quantized(image.convert("RGB"), _TRANSPARENT, dither, looked_at)
    hidden = image.getchannel("A").point([255 * (value < _HALF) for value in range(256)])
    drawn.paste(_TRANSPARENT, mask=hidden)
    drawn.info["transparency"] = _TRANSPARENT
    return drawn


def _quantized(image: Image, colors: int, dither: Dither, looked_at: int) -> Image:
    scale = (looked_at / (image.width * image.height)) ** 0.5
    if scale >= 1:
        return image.quantize(colors, Quantize.MEDIANCUT, dither=dither)
    grid = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    chosen = image.resize(grid, Resampling.NEAREST).quantize(colors, Quantize.MEDIANCUT)
    return image.quantize(palette=chosen, dither=dither)


def checked(body: bytes) -> bytes:
    if len(body) > MAX_RESULT_BYTES:
        raise TooLarge(f"The result has {len(body) / 1e6:.0f} MB; the limit is {MAX_RESULT_BYTES / 1e6:.0f}.")
    return body


def _options(image: Image, format: str, operations: Operations, notice: "Notice | None") -> dict[str, Any]:
    by_format: dict[str, dict[str, Any]] = {
        "jpg": {"progressive": True, "optimize": True, "subsampling": 1} if operations.profile == "hq" else {},
        "webp": {"method": 4},
        "avif": {"speed": 8 if image.width * image.height <= _LARGE else 10, "max_threads": 1},
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
