"""The bytes of an original to an image that is known to be within the limits, and no pixel decoded yet.

The limits keep one render within 512 MB and 10 s. Peak resident memory and CPU of a fresh process (21 MB of it the
interpreter, Pillow and this package), photographs of 50 megapixels (WebP and AVIF 25) to JPEG, one core of an x86
server, Pillow 13:

original                         file MB   to 800 px          to 4096 px
JPEG 4:2:0, 4:4:4                5, 6      33 MB   0.2 s      163 MB  0.7 s
JPEG progressive 4:2:0           4         171 MB  0.4 s      216 MB  0.8 s     in full size 359 MB
JPEG progressive 4:4:4, CMYK     4, 9      refused from 40 and 33 megapixels: 540 and 660 MB in full size
JPEG CMYK                        10        38 MB   0.2 s      167 MB  0.8 s
PNG RGB, RGBA                    16, 18    257 MB  1.1 s      367 MB  2.4 s
PNG gray 16 bits, palette        23, 12    150 MB  0.9 s      218 MB  2.0 s
GIF                              13        114 MB  0.9 s      219 MB  2.1 s
TIFF deflate RGB, RGBA           16, 18    257 MB  0.8 s      368 MB  2.1 s
WebP lossy, lossless             1, 4      410 MB  0.5 s      422 MB  1.0 s     of 50 megapixels 797 MB
WebP with alpha                  24        448 MB  0.8 s      492 MB  1.4 s
AVIF 4:2:0, 4:4:4 with alpha     1         340 MB  1.0 s      383 MB  1.7 s     of 50 megapixels 654 MB

Animations of 100 frames near the limits that `animation` puts on the megapixels of all of them. Of noise most results
have over 20 MB, and are refused once they are made:

original, megapixels             result, megapixels                                        peak    CPU
WebP photograph, 49              GIF 49                                                    179 MB  3.4 s
                                 WebP 20                                                   142 MB  3.3 s
                                 WebP 10, blur, sharpen, watermark                         91 MB   3.5 s
                                 WebP 10, max                                              93 MB   3.4 s
WebP noise with alpha, 49        GIF 49                                                    302 MB  5.3 s
                                 WebP 20; q:100                                            336 MB  5.6 s; 7.8 s
                                 WebP 10, max                                              164 MB  4.0 s
                        16       GIF 16, hq, blur, watermark                               116 MB  7.7 s
                                 WebP 8, hq, blur, sharpen, watermark                      104 MB  5.8 s

The dearest results, of noise with alpha, profile hq, blur, sharpen and q:auto, measured at 12.6 megapixels: WebP 502 MB
and 9.4 s, AVIF 447 MB and 8.7 s; GIF, at 11 megapixels, 276 MB and 3.5 s.
The limit is 11.2, so that the app around them fits, too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from chalicelib.delivery import pages
from chalicelib.delivery.geometry import Size
from chalicelib.errors import TooLarge, Unprocessable
from chalicelib.images import limits
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

MAX_PIXELS = {"webp": 24_500_000, "avif": 24_500_000}  # of the others limits.MAX_PIXELS
MAX_SCANS_BYTES = 400_000_000
MOVING = ("gif", "webp")
_ARTIST, _COPYRIGHT = 0x013B, 0x8298


class Notice(msgspec.Struct, frozen=True):
    """Whose the picture is, as its EXIF says: empty where it does not."""

    artist: str = ""
    copyright: str = ""


class Original(msgspec.Struct):
    """An image that has been opened but not decoded.

    kind: one of sniff.ACCEPTED. size: pixels as stored, before orientation. profile: ICC. orientation: 1-8.
    frames: of an animation that is asked for as a whole, else 1. loop: how often it is shown, 0 without end.
    header: the image, until it is taken.
    """

    data: bytes
    kind: str
    size: Size
    profile: bytes | None
    orientation: int
    notice: Notice
    frames: int
    loop: int
    header: "ImageFile | None"

    @property
    def upright_size(self) -> Size:
        return (self.size[1], self.size[0]) if self.orientation >= 5 else self.size

    def take(self) -> "ImageFile":
        """The image, once: whoever decodes it can also let go of its pixels."""
        image, self.header = self.header, None
        assert image is not None  # noqa: S101 - nobody decodes twice
        return image


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
        check_pixels(image.width * image.height, MAX_PIXELS.get(kind, limits.MAX_PIXELS))
        _check_scans(data, image)
        pages.check(page, count, image.size, kind)
    orientation, notice = read_exif(image, _exif_fields, (1, Notice()))
    return Original(
        data=chosen,
        kind=kind,
        size=image.size,
        profile=image.info.get("icc_profile"),
        orientation=1 if kind == "tiff" else orientation,  # its reader turns it
        notice=notice,
        frames=count if page == 0 and kind in MOVING else 1,
        loop=int(image.info.get("loop", 1)),  # a GIF that does not say is shown once
        header=image,
    )


def _check_scans(data: bytes, image: "ImageFile") -> None:
    """A JPEG of several scans is held whole, two bytes for each sample, until the last has come."""
    layers = [across * down for _, across, down, _ in getattr(image, "layer", ())]
    if layers and (image.info.get("progressive") or _first_scan_layers(data, image) < len(layers)):
        pixel_bytes = 2 * sum(layers) / max(layers) + (1 if len(layers) == 1 else 4)
        check_pixels(image.width * image.height, int(MAX_SCANS_BYTES / pixel_bytes))


def _first_scan_layers(data: bytes, image: "ImageFile") -> int:
    """How many colors the first scan holds; the header's reader has stopped behind its head."""
    scan = data.rfind(b"\xff\xda", 0, image.fp.tell() if image.fp else None)
    return data[scan + 4] if 0 <= scan < len(data) - 4 else 0


def decode(original: Original, page: int, scale: int = 1, *, planes: bool = False) -> tuple["Image", float]:
    """The pixels as stored and their size as a fraction of the original's: of a JPEG 1/scale, or larger if that is
    less than a pixel; of other formats 1.

    scale: 1, 2, 4 or 8, which libjpeg decodes to directly. planes: leave a JPEG in YCbCr.
    """
    image = original.take()
    fraction = 1.0
    with refusals(), unusable_if_unreadable(original.data, original.kind):
        size = max(1, image.width // scale), max(1, image.height // scale)
        if drafted := image.draft("YCbCr" if planes and _is_ycbcr(image) else None, size):
            fraction = drafted[1][2] / original.size[0]
        if page and original.kind != "tiff":
            image.seek(page)
        image.load()
    vars(image).pop("_decoder", None)  # of WebP: it holds twice as much again as the pixels
    image.fp = None
    return image, fraction


def _is_ycbcr(image: "ImageFile") -> bool:
    """Whether libjpeg takes it for YCbCr: it cannot decode a JPEG in RGB to that. As its default_decompress_parms."""
    colors = [color for color, *_ in getattr(image, "layer", ())]
    if len(colors) != 3:
        return False
    if "jfif" in image.info:
        return True
    return image.info["adobe_transform"] == 1 if "adobe_transform" in image.info else colors == [1, 2, 3]


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
