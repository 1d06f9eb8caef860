"""The property `composition`: shape, edges, saliency, symmetry, balance and frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chalicelib.features.luma import Gradient, extended, luma
from chalicelib.features.saliency import SIZE, placement, saliency

if TYPE_CHECKING:
    from chalicelib.features.luma import Pixels, Plane
    from chalicelib.features.photo import Photo

type Thumbnail = NDArray[np.float64]

_QUARTER, _HALF = SIZE // 4, SIZE // 2
_CENTER = np.zeros((SIZE, SIZE), bool)
_CENTER[_QUARTER:-_QUARTER, _QUARTER:-_QUARTER] = True
_FRAME = np.ones((SIZE, SIZE), bool)
_FRAME[3:-3, 3:-3] = False


def thumbnail(rgb: Pixels) -> Thumbnail:
    """The photo squeezed to 64x64, (64, 64, 3) float64, sRGB, 0-1."""
    # skimage.transform.resize with anti-aliasing: 22 ms; Pillow's: 0.4 ms.
    small = Image.fromarray(rgb).resize((SIZE, SIZE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(small) / 255


def shape(width: int, height: int) -> dict[str, float]:
    """log2 of width over height (-26 to 26; 0 is square), and whether the original is clearly wide or tall (0 or 1)."""
    return {
        "aspect": math.log2(width / height),
        "landscape": float(width > 1.1 * height),
        "portrait": float(height > 1.1 * width),
    }


def edge_box(energy: Plane) -> float:
    """Share of the photo's area inside the box that holds 98 % of the edge energy along each axis, 0-1.

    energy: (height, width) float32, squared gradient. Ke, Tang and Jing, "The design of high-level features for photo
    quality assessment", 2006. A flat photo has 0.
    """
    return _extent(energy.sum(axis=0)) * _extent(energy.sum(axis=1))


def _extent(energy: Plane) -> float:
    cumulated = np.cumsum(energy, dtype=np.float64)
    first, last = np.searchsorted(cumulated, (0.01 * cumulated[-1], 0.99 * cumulated[-1]))
    return float(last - first) / len(cumulated)


def edge_center(energy: Plane) -> float:
    """Share of the edge energy in the middle half of width and height, 0-1 (0.25 when even).

    energy: (height, width) float32, squared gradient. After the depth-of-field measure of Datta et al. 2006.
    """
    height, width = energy.shape
    center = energy[height // 4 : height - height // 4, width // 4 : width - width // 4]
    return float(center.sum()) / (float(energy.sum()) + 1e-9)


def symmetry(small: Thumbnail) -> dict[str, float]:
    """Likeness to the mirror image, left-right and top-bottom: 1 (the same, or flat) to -1 (the opposite).

    small: (64, 64, 3) float64, 0-1. Mean difference from the mirror image over mean difference from the mean color.
    """
    contrast = float(np.abs(small - small.mean(axis=(0, 1))).mean()) + 0.05
    return {
        "symmetry_left_right": 1 - float(np.abs(small - small[:, ::-1]).mean()) / contrast,
        "symmetry_top_bottom": 1 - float(np.abs(small - small[::-1]).mean()) / contrast,
    }


def balance(small: Thumbnail) -> dict[str, float]:
    """Brightness of one half against the other: left-right as a distance (0-1), top minus bottom (-1 to 1).

    small: (64, 64, 3) float64, 0-1.
    """
    gray = small.mean(axis=2)
    return {
        "balance_left_right": float(abs(gray[:, :_HALF].mean() - gray[:, _HALF:].mean())),
        "balance_top_bottom": float(gray[:_HALF].mean() - gray[_HALF:].mean()),
    }


def center_surround(small: Thumbnail) -> dict[str, float]:
    """The middle half of width and height against what surrounds it: brightness and chroma (-1 to 1), color (0-1.74).

    small: (64, 64, 3) float64, 0-1.
    """
    center, surround = small[_CENTER], small[~_CENTER]
    chroma = np.ptp(small, axis=2)
    return {
        "center_brightness": float(center.mean() - surround.mean()),
        "center_color": float(np.linalg.norm(center.mean(axis=0) - surround.mean(axis=0))),
        "center_chroma": float(chroma[_CENTER].mean() - chroma[~_CENTER].mean()),
    }


def frame_variation(small: Thumbnail) -> float:
    """Standard deviation of the outermost three of 64 rows and columns, mean of the channels, 0 (plain) to 0.5.

    small: (64, 64, 3) float64, 0-1.
    """
    return float(small[_FRAME].std(axis=0).mean())


def extract(photo: Photo) -> dict[str, float]:
    """All of `composition` under the names of schema.py."""
    energy = Gradient.of(luma(extended(photo.rgb))).energy
    small = thumbnail(photo.rgb)
    return {
        **shape(photo.width, photo.height),
        "edge_box": edge_box(energy),
        "edge_center": edge_center(energy),
        **placement(saliency(small)),
        **symmetry(small),
        **balance(small),
        **center_surround(small),
        "frame_variation": frame_variation(small),
    }
