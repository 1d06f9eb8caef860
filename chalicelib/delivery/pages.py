"""Pages of a TIFF and frames of an animation: how many there are, and which one is meant.

Pillow finds a page by reading all before it, and a file may hold millions; so files are walked here first, in steps
that are counted.
"""

from typing import Literal

from chalicelib.delivery.geometry import Size
from chalicelib.errors import BadRequest
from chalicelib.images import structure
from chalicelib.pixels.opening import OverLimit, Unusable

MAX_FRAMES = 100
MAX_FRAME_PIXELS = 50_000_000
_MOST_PAGES = 1000  # `page:` counts to 999
_GIF_EXTENSION, _GIF_IMAGE = 0x21, 0x2C


def count(data: bytes, kind: str) -> int:
    """Frames of a GIF, pages of a TIFF; 1 for formats that have one picture, 0 where only the reader can tell."""
    if kind == "gif":
        return gif_frames(data)
    if kind == "tiff":
        return len(_directories(data))
    return 1 if kind in ("jpeg", "png") else 0


def check(page: int, count: int, size: Size, kind: str) -> None:
    """Raises BadRequest for a page that is not there, OverLimit for one that takes too much to get at."""
    if page >= count:
        pages = "one page" if count == 1 else f"{count} pages"
        raise BadRequest(f"The image has {pages}, counted from 0; there is no page {page}.", field="operations")
    if page and kind != "tiff":
        check_frames(page + 1, size)


def check_frames(count: int, size: Size) -> None:
    """Frames are drawn upon each other, so that the last costs as much as all."""
    if count > MAX_FRAMES:
        raise OverLimit(f"The animation has {count} frames; the limit is {MAX_FRAMES}.")
    if count * size[0] * size[1] > MAX_FRAME_PIXELS:
        raise OverLimit(
            f"The animation's frames have {count * size[0] * size[1] / 1e6:.0f} megapixels in all;"
            f" the limit is {MAX_FRAME_PIXELS / 1e6:.0f}."
        )


def gif_frames(data: bytes) -> int:
    """Images in a GIF; at least 1, since the first may be cut off."""
    flags = data[10] if len(data) > 10 else 0
    at = 13 + _color_table(flags)
    frames = steps = 0
    while at < len(data) and data[at] in (_GIF_EXTENSION, _GIF_IMAGE):
        if data[at] == _GIF_IMAGE:
            frames += 1
            at += 11 + (_color_table(data[at + 9]) if at + 9 < len(data) else 0)
        else:
            at += 2
        while at < len(data) and data[at]:
            at += 1 + data[at]
            steps += 1
            _check_steps(steps)
        at += 1
        steps += 1
    return max(1, frames)


def tiff_page(data: bytes, page: int) -> bytes:
    """The same file with its directories in another order: those before `page` left out."""
    directories = _directories(data)
    if not 0 < page < len(directories):
        return data
    width = 8 if _is_big(data) else 4
    chosen = data[:width] + directories[page].to_bytes(width, _order(data)) + data[2 * width :]
    if structure.is_too_intricate(chosen, "tiff"):
        raise Unusable("The TIFF file has far more parts than an image needs.")
    return chosen


def _directories(data: bytes) -> list[int]:
    """Where each directory lies; as many as `page:` can name. A chain that leads back into itself ends there."""
    big = _is_big(data)
    width, order = (8, _order(data)) if big else (4, _order(data))
    found: dict[int, None] = {}
    at = int.from_bytes(data[width : 2 * width], order)
    while 0 < at < len(data) and at not in found and len(found) < _MOST_PAGES:
        found[at] = None
        head = 8 if big else 2
        after = at + head + int.from_bytes(data[at : at + head], order) * (20 if big else 12)
        at = int.from_bytes(data[after : after + width], order)
    return list(found) or [0]


def _color_table(flags: int) -> int:
    return int(3 * 2 ** ((flags & 7) + 1)) if flags & 0x80 else 0


def _check_steps(steps: int) -> None:
    if steps > structure.MAX_STEPS:
        raise Unusable("The GIF file has far more parts than an image needs.")


def _is_big(data: bytes) -> bool:
    return data[2:4] in (b"+\0", b"\0+")


def _order(data: bytes) -> Literal["little", "big"]:
    return "little" if data[:2] == b"II" else "big"
