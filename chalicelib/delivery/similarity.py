"""The smallest quality that looks the same: for `q:auto`."""

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

LOOKS_THE_SAME = 0.98
LOWEST, HIGHEST = 40, 95
_STEPS = 5
_SAMPLE = 1_000_000  # pixels
_WINDOW = 8
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def smallest_quality(image: "Image", write: Callable[["Image", int], bytes], otherwise: int) -> int:
    """The lowest quality from 40 to 95 whose picture has a mean SSIM of at least LOOKS_THE_SAME, found in five steps.

    write: the file at one quality. otherwise: the answer for a picture too small to be compared.
    Of more than a megapixel, strips spread over the picture are compared, a megapixel in all.
    """
    if min(image.size) < _WINDOW:
        return otherwise
    part = sample(image)
    wanted = _luma(part)
    low, high = LOWEST, HIGHEST
    for _ in range(_STEPS):
        middle = (low + high) // 2
        if ssim(wanted, _luma(_read(write(part, middle)))) >= LOOKS_THE_SAME:
            high = middle
        else:
            low = middle + 1
    return high


def ssim(first: "NDArray[Any]", second: "NDArray[Any]") -> float:
    """Mean structural similarity of two (height, width) pictures of 0-255, in windows of 8 x 8 side by side.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity",
    2004, with the flat window of its section III.B in place of the Gaussian.
    """
    import numpy as np

    height, width = (side // _WINDOW * _WINDOW for side in first.shape)
    shape = (height // _WINDOW, _WINDOW, width // _WINDOW, _WINDOW)
    a, b = (np.asarray(each[:height, :width], np.float32).reshape(shape) for each in (first, second))
    mean_a, mean_b = a.mean(axis=(1, 3)), b.mean(axis=(1, 3))
    var_a, var_b = a.var(axis=(1, 3)), b.var(axis=(1, 3))
    together = (a * b).mean(axis=(1, 3)) - mean_a * mean_b
    brightness = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    structure = (2 * together + _C2) / (var_a + var_b + _C2)
    return float((brightness * structure).mean())


def sample(image: "Image", pixels: int = _SAMPLE) -> "Image":
    """The image, or of one of more pixels eight strips spread over it."""
    from PIL.Image import new

    count = 8
    rows = max(2, pixels // image.width // count // 2 * 2)
    if image.width * image.height <= max(pixels, image.width * count * rows):
        return image
    strips = new(image.mode, (image.width, count * rows))
    for at in range(count):
        top = round((image.height - rows) * at / (count - 1))
        strips.paste(image.crop((0, top, image.width, top + rows)), (0, at * rows))
    return strips


def _luma(image: "Image") -> "NDArray[Any]":
    import numpy as np

    return np.asarray(image.convert("L"))


def _read(body: bytes) -> "Image":
    from PIL.Image import open as open_image

    return open_image(BytesIO(body))
