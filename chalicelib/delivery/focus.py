"""What `fit:cover` should keep when nobody says where to look: the faces, or what draws the eye."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chalicelib.delivery.geometry import Point

if TYPE_CHECKING:
    from PIL.Image import Image

type FaceBox = tuple[float, float, float, float]

THUMBNAIL = (64, 64)  # what saliency is defined on
_NEARER_THE_MIDDLE = 1e-6  # between two windows that hold the same


def smart(thumbnail: "Image", window: Point) -> Point:
    """The middle of the window of this size that holds the most saliency; of equal ones the nearest to the middle.

    thumbnail: 64 x 64, RGB, upright. window: width and height. All in fractions of the picture.
    """
    import numpy as np

    from chalicelib.features.saliency import SIZE, saliency

    salient = saliency(np.asarray(thumbnail, np.float64) / 255)
    sums = np.pad(salient.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    wide, tall = (min(SIZE, max(1, round(side * SIZE))) for side in window)
    held = sums[tall:, wide:] - sums[:-tall, wide:] - sums[tall:, :-wide] + sums[:-tall, :-wide]
    rows, columns = np.indices(held.shape)
    off_center = np.hypot(rows - (SIZE - tall) / 2, columns - (SIZE - wide) / 2)
    top, left = np.unravel_index(int((held - _NEARER_THE_MIDDLE * off_center).argmax()), held.shape)
    return (float(left) + wide / 2) / SIZE, (float(top) + tall / 2) / SIZE


def faces(boxes: Sequence[FaceBox], window: Point) -> Point | None:
    """The middle of all faces when one window holds them, else of the largest; None without faces.

    boxes: x, y, width, height; in fractions of the picture, as everything here.
    """
    if not boxes:
        return None
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    if right - left <= window[0] and bottom - top <= window[1]:
        return (left + right) / 2, (top + bottom) / 2
    x, y, width, height = max(boxes, key=lambda box: box[2] * box[3])
    return x + width / 2, y + height / 2


def within(boxes: Sequence[FaceBox], region: FaceBox) -> list[FaceBox]:
    """The boxes whose middle lies in the region, in fractions of the region."""
    left, top, width, height = region
    moved = [((x - left) / width, (y - top) / height, w / width, h / height) for x, y, w, h in boxes]
    return [(x, y, w, h) for x, y, w, h in moved if 0 <= x + w / 2 <= 1 and 0 <= y + h / 2 <= 1]
