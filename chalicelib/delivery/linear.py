"""Resizing in linear light, for profile hq: what a lens would have shown of a smaller scene.

Averaging the numbers of sRGB darkens fine contrast; averaging the light they stand for does not. Floating point, one
channel at a time, and without numpy: Pillow's mode F and two tables do it.
"""

from functools import cache
from typing import TYPE_CHECKING

from PIL.Image import Resampling, merge
from PIL.ImageMath import lambda_eval

if TYPE_CHECKING:
    from PIL.Image import Image

    from chalicelib.delivery.geometry import Size
    from chalicelib.delivery.resampling import Area

_WHITE = 65535
_BANDS = {"L": "L", "LA": "L", "RGB": "RGB", "RGBA": "RGB"}


def resize(image: "Image", size: "Size", area: "Area") -> "Image":
    """The area at `size`; of L, LA, RGB and RGBA in linear light, taking them for sRGB, of CMYK and LAB as they are.

    Colors count by their opacity. Lanczos, as in resampling.
    """
    if image.mode not in _BANDS:
        return image.resize(size, Resampling.LANCZOS, area)
    channels = image.split()
    opacity = channels[-1].convert("F") if "A" in image.mode else None
    seen = None if opacity is None else opacity.resize(size, Resampling.LANCZOS, area)
    colors = [_channel(channel, opacity, seen, size, area) for channel in channels[: len(_BANDS[image.mode])]]
    return merge(image.mode, colors if seen is None else [*colors, seen.convert("L")])


def _channel(channel: "Image", opacity: "Image | None", seen: "Image | None", size: "Size", area: "Area") -> "Image":
    light = channel.point(_to_light(), "F")
    if opacity is not None:
        light = lambda_eval(lambda given: given["light"] * given["opacity"] / 255, light=light, opacity=opacity)
    small = light.resize(size, Resampling.LANCZOS, area)
    if seen is not None:
        small = lambda_eval(lambda given: given["small"] * 255 / given["max"](given["seen"], 1), small=small, seen=seen)
    return small.convert("I").point(_from_light(), "L")


@cache
def _to_light() -> list[float]:
    """IEC 61966-2-1, 0-255 to 0-65535."""
    return [_WHITE * _decoded(value / 255) for value in range(256)]


@cache
def _from_light() -> list[int]:
    """Its inverse, for each of 65536 amounts of light; mode I was cut to whole numbers, so half a step is added."""
    return [round(255 * _encoded((value + 0.5) / _WHITE)) for value in range(_WHITE + 1)]


def _decoded(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _encoded(light: float) -> float:
    return min(1.0, 12.92 * light if light <= 0.0031308 else float(1.055 * light ** (1 / 2.4) - 0.055))
