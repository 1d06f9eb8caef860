"""The property `color`: colorfulness, saturation, hues, contrasts of hue, and the palette."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chalicelib.features.exposure import Shares, entropy
from chalicelib.features.schema import HUES

if TYPE_CHECKING:
    from chalicelib.features.luma import Pixels, Plane
    from chalicelib.features.photo import Photo

PALETTE_SIZE = 5
_TURN = np.arange(256) / 255
_ANGLES = 2 * np.pi * _TURN
# From 0.86 of the turn (near magenta) over red to 0.19 (near lime).
_WARM = np.abs((_TURN - 0.025 + 0.5) % 1 - 0.5) < 0.165


@dataclass(frozen=True)
class Hsv:
    """Hue (uint8, 255 to the turn), saturation, value and chroma (float32, 0-1), each (height, width)."""

    hue: NDArray[np.uint8]
    saturation: Plane
    value: Plane
    chroma: Plane

    @classmethod
    def of(cls, image: Image.Image) -> Hsv:
        # skimage.color.rgb2hsv: 5.6 ms; Pillow's: 0.1 ms, and its 256 hues are finer than the twelve asked for.
        hue, saturation, value = (np.asarray(band) for band in image.convert("HSV").split())
        share, peak = saturation * np.float32(1 / 255), value * np.float32(1 / 255)
        return cls(hue, share, peak, share * peak)


def colorfulness(rgb: Pixels) -> float:
    """Perceived colorfulness, 0 (gray) to about 1 (vivid); never above 1.2.

    rgb: (height, width, 3) uint8, sRGB.
    Hasler and Suesstrunk, "Measuring colorfulness in natural images", 2003, divided by 255.
    """
    red, green, blue = (rgb[..., band].astype(np.float32) * np.float32(1 / 255) for band in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def intensity(hsv: Hsv) -> dict[str, float]:
    """Means of saturation, value and chroma, and spread of saturation, each 0-1. Datta et al. 2006."""
    return {
        "saturation_mean": float(hsv.saturation.mean()),
        "saturation_std": float(hsv.saturation.std()),
        "value_mean": float(hsv.value.mean()),
        "chroma_mean": float(hsv.chroma.mean()),
    }


def mood(saturation: float, value: float) -> dict[str, float]:
    """Pleasure (0 to 0.91) and arousal (-0.31 to 0.6) that mean saturation and value (0-1) suggest.

    The equations of Valdez and Mehrabian, "Effects of color on emotions", 1994; theirs take standardized variables,
    so that only the order of photos means anything here.
    """
    return {"pleasure": 0.69 * value + 0.22 * saturation, "arousal": -0.31 * value + 0.60 * saturation}


def neutrals(hsv: Hsv) -> dict[str, float]:
    """Shares of gray, nearly white and nearly black pixels, 0-1; white and black may also be gray."""
    return {
        "gray_share": float((hsv.chroma < 0.06).mean()),
        "white_share": float((hsv.value - hsv.chroma > 0.92).mean()),
        "black_share": float((hsv.value < 0.08).mean()),
    }


def hues(hsv: Hsv) -> dict[str, float]:
    """How chroma is spread over the color wheel.

    Shares (0-1) of twelve 30 degree sectors, the first centered on red; their entropy (bits, 0-3.6); concentration
    (the mean resultant length of circular statistics, 0-1); warm share (0-1); complementary contrast
    (0-0.5) and warm-cold contrast (0-1), two of the seven contrasts of Itten, "The Art of Color". A gray photo has 0
    everywhere.
    """
    wheel = np.bincount(hsv.hue.ravel(), hsv.chroma.ravel(), minlength=256)
    wheel /= max(float(wheel.sum()), 1e-6)
    sectors = _sectors(wheel)
    warm = float(wheel[_WARM].sum())
    return {
        **{f"hue_{name}": float(share) for name, share in zip(HUES, sectors, strict=True)},
        "hue_entropy": entropy(sectors),
        "hue_concentration": float(np.hypot(wheel @ np.cos(_ANGLES), wheel @ np.sin(_ANGLES))),
        "warm_share": warm,
        "complementary_contrast": float(np.minimum(sectors[:6], sectors[6:]).sum()),
        "warm_cold_contrast": 4 * warm * max(0.0, float(wheel.sum()) - warm),
    }


def _sectors(wheel: Shares) -> Shares:
    return np.bincount(np.floor(_TURN * 12 + 0.5).astype(np.intp) % 12, wheel, minlength=12)


def variety(rgb: Pixels) -> dict[str, float]:
    """How many of 512 colors (8x8x8 cells of sRGB) the photo uses and how evenly.

    rgb: (height, width, 3) uint8. Entropy (bits, 0-9), share of the commonest color and of the five commonest (0-1),
    and how many colors cover 90 % of the pixels (1-512). After the color counts of Ke, Tang and Jing 2006.
    """
    cells = rgb >> 5
    index = (cells[..., 0].astype(np.intp) << 6) | (cells[..., 1].astype(np.intp) << 3) | cells[..., 2]
    shares = np.sort(np.bincount(index.ravel(), minlength=512) / index.size)[::-1]
    return {
        "palette_entropy": entropy(shares),
        "palette_top1": float(shares[0]),
        "palette_top5": float(shares[:5].sum()),
        "palette_size90": float(np.searchsorted(np.cumsum(shares), 0.9) + 1),
    }


def skin(rgb: Pixels) -> float:
    """Share of the pixels whose color could be skin in daylight, 0-1. It finds wood and sand too.

    rgb: (height, width, 3) uint8, sRGB. The RGB rule of Kovac, Peer and Solina, "Human skin color clustering for face
    detection", 2003.
    """
    red, green, blue = (rgb[..., band].astype(np.int16) for band in range(3))
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    bright = (red > 95) & (green > 40) & (blue > 20)
    return float((bright & (spread > 15) & (red - green > 15) & (red > blue)).mean())


def palette(image: Image.Image) -> list[dict[str, Any]]:
    """At most five dominant colors, commonest first: [{"hex": "#rrggbb", "share": 0-1}]; shares sum to 1.

    Pillow's variation of the octree of Gervautz and Purgathofer, "A simple method for color quantization", 1988.
    """
    # Pillow's median cut: 20 ms; its octree: 0.4 ms, and its colors are as far apart.
    found = image.quantize(PALETTE_SIZE, Image.Quantize.FASTOCTREE)
    table = found.getpalette("RGB") or []
    counts = sorted(found.getcolors() or [], reverse=True)
    total = sum(count for count, _ in counts)
    return [
        {"hex": "#" + bytes(table[3 * index : 3 * index + 3]).hex(), "share": count / total}
        for count, index in counts
        if isinstance(index, int)
    ]


def extract(photo: Photo) -> dict[str, Any]:
    """All of `color` under the names of schema.py, and the palette."""
    # A third of the working copy holds the colors as well as all of it: the floats move by about 0.01.
    image = Image.fromarray(photo.rgb).reduce(3)
    rgb, hsv = np.asarray(image), Hsv.of(image)
    strength = intensity(hsv)
    return {
        "colorfulness": colorfulness(rgb),
        **strength,
        **hues(hsv),
        **neutrals(hsv),
        **variety(rgb),
        **mood(strength["saturation_mean"], strength["value_mean"]),
        "skin_share": skin(rgb),
        "palette": palette(image),
    }
