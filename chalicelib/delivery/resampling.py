"""Any box of a decoded image, averaged to any size: by Lanczos with 3 lobes, and never through two full copies.

The decoder of JPEG does the first part of the work for nothing: it decodes to 1/2, 1/4 or 1/8. `decoder_scale` says
how far it may go. A margin (more pixels than needed, then Lanczos) looks better by two points of SSIMULACRA2 and costs
most where it is least noticed, in large results; so it is kept for small ones.

The planes of a JPEG are resized apart, which takes half the time of three channels at once, and its two of color with
a shorter kernel to half the size, which is all that the encoders of JPEG, WebP and AVIF keep of them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PIL.Image import Resampling, merge
from PIL.Image import new as new_image

from chalicelib.delivery.geometry import Size
from chalicelib.pixels.color import AVERAGED, resizable

if TYPE_CHECKING:
    from PIL.Image import Image

type Area = tuple[float, float, float, float]
type Resize = Callable[["Image", Size, Area], "Image"]

SMALL, MARGIN_OF_SMALL = 480, 1.5  # long side of results that are decoded with a margin
REDUCING_GAP = 2.0
_LOBES = 3
_OPAQUE = tuple(mode for mode in AVERAGED if mode not in ("LA", "RGBA"))
_WHOLE = 4_000_000  # pixels that may be copied at once
_BAND = 2_000_000


def decoder_scale(extent: Size, size: Size, margin: float | None = None) -> int:
    """8, 4, 2 or 1: the smallest decode of a box of `extent` that still has `margin` times the pixels of `size`."""
    if margin is None:
        margin = MARGIN_OF_SMALL if max(size) <= SMALL else 1
    return next(
        (scale for scale in (8, 4, 2) if all(extent[at] >= scale * margin * size[at] for at in (0, 1))),
        1,
    )


def resample(
    image: "Image", size: Size, area: Area, resize: Resize | None = None, *, full_color: bool = True
) -> "Image":
    """The area (left, top, right, bottom in pixels of `image`) at `size`, in one of the modes of color.AVERAGED.

    resize: instead of Lanczos. full_color: YCbCr keeps its color in every pixel, not in every second of each row.
    Transparent colors count by their opacity. Large images of other layouts are converted in bands of rows, so that
    the conversion takes no second copy; the result is the same but for rounding.
    """
    if resize is None and image.mode == "YCbCr":
        return _planes(image, size, area, full_color=full_color)
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


def _planes(image: "Image", size: Size, area: Area, *, full_color: bool) -> "Image":
    """YCbCr, one plane after the other."""
    color = lanczos if full_color else _halved
    return merge("YCbCr", [each(image.getchannel(at), size, area) for at, each in enumerate((lanczos, color, color))])


def _halved(plane: "Image", size: Size, area: Area) -> "Image":
    """At half the size, each value twice in a row and twice in a column: an encoder averages back to just that."""
    half = -(-size[0] // 2), -(-size[1] // 2)
    steps = [(area[2 + at] - area[at]) / size[at] for at in (0, 1)]
    reduced = plane.reduce(2) if min(steps) >= 1 else plane
    scale = 2 if reduced is not plane else 1
    left, top = area[0] / scale, area[1] / scale
    right = min(left + 2 * half[0] * steps[0] / scale, reduced.width)
    bottom = min(top + 2 * half[1] * steps[1] / scale, reduced.height)
    small = reduced.resize(half, Resampling.BICUBIC, (left, top, right, bottom))
    doubled = small.resize((2 * half[0], 2 * half[1]), Resampling.NEAREST)
    return doubled if doubled.size == size else doubled.crop((0, 0, *size))


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
