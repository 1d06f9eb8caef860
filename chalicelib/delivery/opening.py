"""The bytes of an original to an image that is known to be within the limits, and no pixel decoded yet."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from chalicelib.delivery import pages
from chalicelib.delivery.geometry import Size
from chalicelib.errors import TooLarge, Unprocessable
from chalicelib.pixels.opening import (
    OverLimit,
    Unusable,
    check_pixels,
    ignore_pillow_warnings,
    kind_of,
    read_header,
    unusable_if_unreadable,
)
from chalicelib.pixels.upright import orientation_in, read_exif

if TYPE_CHECKING:
    from PIL.Image import Exif, Image
    from PIL.ImageFile import ImageFile

MAX_PIXELS = {"jpeg": 50, "png": 50, "webp": 25, "avif": 25, "gif": 50, "tiff": 50}
_ARTIST, _COPYRIGHT = 0x013B, 0x8298


class Notice(msgspec.Struct, frozen=True):
    """Whose the picture is, as its EXIF says: empty where it does not."""

    artist: str = ""
    copyright: str = ""


class Original(msgspec.Struct):
    """An image that has been opened but not decoded.

    kind: one of sniff.ACCEPTED. size: pixels as stored, before orientation. orientation: 1-8. frames: of an animation
    that is asked for as a whole, else 1.
    """

    data: bytes
    kind: str
    image: "ImageFile"
    size: Size
    orientation: int
    notice: Notice
    frames: int

    @property
    def upright_size(self) -> Size:
        return (self.size[1], self.size[0]) if self.orientation >= 5 else self.size

    @property
    def profile(self) -> bytes | None:
        return self.image.info.get("icc_profile")


def open_original(data: bytes, page: int = 0) -> Original:
    """The page (frame) of an original, its limits checked.

    Raises Unprocessable for what is not an image, TooLarge for one over the limits, BadRequest for a page that it has
    not got.
    """
    ignore_pillow_warnings()
    with refusals():
        kind = kind_of(data)
        with unusable_if_unreadable(data, kind):
            count = pages.count(data, kind)
            chosen = pages.tiff_page(data, page) if kind == "tiff" else data
            image = read_header(chosen, kind)
            count = count or getattr(image, "n_frames", 1)
        check_pixels(image.width * image.height, MAX_PIXELS[kind] * 1_000_000)
        pages.check(page, count, image.size, kind)
        orientation, notice = read_exif(image, _exif_fields, (1, Notice()))
        return Original(chosen, kind, image, image.size, orientation, notice, 1 if page else count)


def decode(original: Original, page: int, scale: int = 1) -> tuple["Image", float]:
    """The pixels as stored and their size as a fraction of the original's: of a JPEG 1/scale, or larger if that is
    less than a pixel; of other formats 1.

    scale: 1, 2, 4 or 8, which libjpeg decodes to directly.
    """
    image = original.image
    fraction = 1.0
    with refusals(), unusable_if_unreadable(original.data, original.kind):
        size = max(1, image.width // scale), max(1, image.height // scale)
        if scale > 1 and (drafted := image.draft(None, size)):
            fraction = drafted[1][2] / original.size[0]
        if page and original.kind != "tiff":
            image.seek(page)
        image.load()
    return image, fraction


@contextmanager
def refusals() -> Iterator[None]:
    """What is wrong with a file, as the API says it."""
    try:
        yield
    except OverLimit as error:
        raise TooLarge(error.reason) from error
    except Unusable as error:
        raise Unprocessable(error.reason) from error


def _exif_fields(exif: "Exif") -> tuple[int, Notice]:
    return orientation_in(exif), Notice(str(exif.get(_ARTIST, "")), str(exif.get(_COPYRIGHT, "")))
