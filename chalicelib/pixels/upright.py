"""EXIF, which any byte may have been written into, and the one field of it that turns pictures."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

MAX_EXIF_BYTES = 1_000_000
_ORIENTATION = 0x0112


def read_exif[T](image: "Image", fields: Callable[["Exif"], T], otherwise: T) -> T:
    """What `fields` finds in the image's EXIF; broken EXIF counts as none."""
    if len(image.info.get("exif") or b"") > MAX_EXIF_BYTES:
        return otherwise
    try:
        return fields(image.getexif())
    except Exception:  # EXIF is read lazily, by code that meets hostile bytes in many ways
        return otherwise


def orientation_in(exif: "Exif") -> int:
    """1 to 8, as EXIF 2.3 counts them."""
    orientation = exif.get(_ORIENTATION)
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def upright(image: "Image", orientation: int) -> "Image":
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
