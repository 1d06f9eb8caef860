"""A fingerprint of what a picture looks like: near duplicates differ in few bits, whatever their size and format.

The difference hash (Krawetz, "Kind of Like That", 2013): in 8 rows of 9 gray averages, is each darker than the one to
its left? A mirrored or cropped picture has another fingerprint.
"""

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

ROWS = COLUMNS = 8


def fingerprint(image: "Image") -> bytes:
    """8 bytes, from the top left bit by bit. image: RGB or gray; a flat one has only zeros."""
    from PIL.Image import Resampling

    grays = image.convert("L").resize((COLUMNS + 1, ROWS), Resampling.BOX).tobytes()
    bits = 0
    for row in range(ROWS):
        line = grays[row * (COLUMNS + 1) : (row + 1) * (COLUMNS + 1)]
        for left, right in pairwise(line):
            bits = bits << 1 | (right < left)
    return bits.to_bytes(ROWS * COLUMNS // 8)
