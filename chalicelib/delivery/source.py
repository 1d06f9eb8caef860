"""The pixels of an original, decoded once, and any part of them at any size."""

from collections.abc import Sequence

import msgspec
from PIL.Image import Image

from chalicelib.delivery import linear
from chalicelib.delivery.geometry import Box, Plan, Point, Size, as_stored, extent
from chalicelib.delivery.opening import Original, decode, refusals
from chalicelib.delivery.resampling import decoder_scale, resample
from chalicelib.pixels.color import in_srgb
from chalicelib.pixels.upright import upright


class Level(msgspec.Struct):
    """The whole original, as stored, at one size.

    scale: width and height as fractions of the original's. profile: ICC, None for sRGB. full_color: as in resampling.
    """

    image: Image
    scale: Point
    profile: bytes | None = None
    full_color: bool = True


class Source(msgspec.Struct):
    """levels: the decoded pixels first, then smaller copies. keeps: whether there will be more of them."""

    original: Original
    levels: list[Level]
    keeps: bool = False

    def picture(self, planned: Plan, *, hq: bool = False, full_color: bool = True) -> Image:
        """The planned part at the planned size, upright, in sRGB: L, LA, RGB, RGBA, or YCbCr as a JPEG had it.

        Unless the source keeps its pixels, they are gone then: what follows needs the memory.
        """
        picture = self.part(
            planned.crop or (0, 0, *self.original.upright_size), planned.size, hq=hq, full_color=full_color
        )
        if not self.keeps:
            self.levels.clear()
        return picture

    def part(self, box: Box, size: Size, *, hq: bool = False, full_color: bool = True) -> Image:
        """box: in pixels of the upright original. Raises Unprocessable for samples of 32 bits."""
        original = self.original
        stored = as_stored(box, original.upright_size, original.orientation)
        turned = size if original.orientation < 5 else (size[1], size[0])
        level = self.levels[0] if hq else self._level(stored, turned, full_color=full_color)
        with refusals():
            small = resample(
                level.image, turned, _area(stored, level), linear.resize if hq else None, full_color=full_color
            )
            small = _in_srgb(small, level.profile)
        if self.keeps and not hq and stored == (0, 0, *original.size):
            scale = turned[0] / original.size[0], turned[1] / original.size[1]
            self.levels.append(Level(small, scale, full_color=full_color))
        return upright(small, original.orientation)

    def _level(self, box: Box, size: Size, *, full_color: bool) -> Level:
        """The smallest that is large enough."""
        wide, tall = extent(box)
        enough = [
            level
            for level in self.levels[1:]
            if (level.full_color or not full_color)
            and round(wide * level.scale[0]) >= size[0]
            and round(tall * level.scale[1]) >= size[1]
        ]
        return min(enough, key=lambda level: level.scale, default=self.levels[0])


def decoded(original: Original, page: int, wanted: Sequence[tuple[Plan, bool]]) -> Source:
    """Pixels enough for all that is wanted, and no more.

    wanted: plans, and whether they are for profile hq, which takes a margin of 2 at any size.
    """
    scale = min(
        decoder_scale(extent(planned.crop or (0, 0, *original.upright_size)), planned.size, 2 if hq else None)
        for planned, hq in wanted
    )
    image, fraction = decode(original, page, scale, planes=not any(hq for _, hq in wanted))
    return Source(original, [Level(image, (fraction, fraction), original.profile)], keeps=len(wanted) > 1)


def _in_srgb(image: Image, profile: bytes | None) -> Image:
    """In sRGB; YCbCr stays YCbCr, so that what is made of it is made as quickly."""
    converted = in_srgb(image, profile)
    return converted.convert("YCbCr") if image.mode == "YCbCr" and converted.mode == "RGB" else converted


def _area(box: Box, level: Level) -> tuple[float, float, float, float]:
    across, down = level.scale
    left, top, right, bottom = box
    return left * across, top * down, min(right * across, level.image.width), min(bottom * down, level.image.height)
