"""Any box of a decoded image, averaged to any size: by Lanczos with 3 lobes, and never through two full copies.

The decoder of JPEG does the first part of the work for nothing: it decodes to 1/2, 1/4 or 1/8. `decoder_scale` says
how far it may go. A margin of 2 (twice the pixels needed, then Lanczos) looks two to three points of SSIMULACRA2
better than one of 1, and costs most where it is least noticed: in large results. So it is kept for small ones.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PIL.Image import Resampling
from PIL.Image import new as new_image

from chalicelib.delivery.geometry import Size
from chalicelib.pixels.color import AVERAGED, resizable

if TYPE_CHECKING:
    from PIL.Image import Image

type Area = tuple[float, float, float, float]
type Resize = Callable[["Image", Size, Area], "Image"]

REDUCING_GAP = 2.0
_LOBES = 3
_OPAQUE = tuple(mode for mode in AVERAGED if mode not in ("LA", "RGBA"))
_WHOLE = 4_000_000  # pixels that may be copied at once
_BAND = 2_000_000


def decoder_scale(extent: Size, size: Size, margin: float | None = None) -> int:
    """8, 4, 2 or 1: the smallest decode of a box of `extent` that still has `margin` times the pixels of `size`."""
    if margin is None:
        margin = 1
    return next(
        (scale for scale in (8, 4, 2) if all(extent[at] >= scale * margin * size[at] for at in (0, 1))),
        1,
    )


def resample(image: "Image", size: Size, area: Area, resize: Resize | None = None) -> "Image":
    """The area (left, top, right, bottom in pixels of `image`) at `size`, in one of the modes of color.AVERAGED.

    Transparent colors count by their opacity. Large images of other layouts are converted in bands of rows, so that
    the conversion takes no second copy; the result is the same to the bit.
    """
    if resize is None and (image.mode in _OPAQUE and "transparency" not in image.info):
        return image.resize(size, Resampling.LANCZOS, area, reducing_gap=REDUCING_GAP)
    if image.width * image.height <= _WHOLE:
        return (resize or lanczos)(resizable(image), size, area)
    factors = [int((area[2 + at] - area[at]) / size[at] / REDUCING_GAP) or 1 for at in (0, 1)]
    if resize is None and max(factors) > 1:
        image = _reduced(image, factors[0], factors[1])
        area = (area[0] / factors[0], area[1] / factors[1], area[2] / factors[0], area[3] / factors[1])
    return _in_bands(image, size, area, resize or lanczos)


def lanczos(image: "Image", size: Size, area: Area) -> "Image":
    return image.resize(size, Resampling.LANCZOS, area)


def _reduced(image: "Image", across: int, down: int) -> "Image":
    """Averages of across x down pixels."""
    rows = max(1, _BAND // image.width // down) * down
    bands = (image.crop((0, top, image.width, min(top + rows, image.height))) for top in range(0, image.height, rows))
    reduced: Image | None = None
    for at, band in enumerate(bands):
        piece = resizable(band).reduce((across, down))
        if reduced is None:
            reduced = new_image(piece.mode, (piece.width, -(-image.height // down)))
        reduced.paste(piece, (0, at * rows // down))
    assert reduced is not None  # noqa: S101 - an image has at least one row
    return reduced


def _in_bands(image: "Image", size: Size, area: Area, resize: Resize) -> "Image":
    """`resize` for some rows of the result at a time, each from the rows that its kernel reaches."""
    scale = (area[3] - area[1]) / size[1]
    reach = _LOBES * max(1.0, scale) + 2
    rows = max(1, int(_BAND / image.width / max(scale, size[0] / image.width)))
    result: Image | None = None
    for first in range(0, size[1], rows):
        count = min(rows, size[1] - first)
        top, bottom = area[1] + first * scale, min(area[1] + (first + count) * scale, area[3])
        above, below = max(0, int(top - reach)), min(image.height, int(bottom + reach) + 1)
        band = resizable(image.crop((0, above, image.width, below)))
        piece = resize(band, (size[0], count), (area[0], top - above, area[2], bottom - above))
        if result is None:
            result = new_image(piece.mode, size)
        result.paste(piece, (0, first))
    assert result is not None  # noqa: S101 - a size has at least one row
    return result
