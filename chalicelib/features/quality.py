"""The property `quality`: size, light, sharpness, noise, clutter and naturalness."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from chalicelib.features import clutter, sharpness
from chalicelib.features.exposure import exposure
from chalicelib.features.luma import Gradient, extended, luma
from chalicelib.features.naturalness import naturalness

if TYPE_CHECKING:
    from chalicelib.features.photo import Photo


def resolution(width: int, height: int) -> float:
    """log10 of the megapixels of the original, -6 (one pixel) to 1.7 (50 megapixels). Datta et al. 2006."""
    return math.log10(max(width * height, 1) / 1e6)


def extract(photo: Photo) -> dict[str, float]:
    """All of `quality` under the names of schema.py."""
    rgb = extended(photo.rgb)
    plane = luma(rgb)
    gradient = Gradient.of(plane)
    return {
        "resolution": resolution(photo.width, photo.height),
        **exposure(plane),
        "laplacian_sharpness": sharpness.laplacian_sharpness(plane),
        "tenengrad": sharpness.tenengrad(gradient),
        "strongest_edges": sharpness.strongest_edges(gradient),
        "blur": sharpness.blur(plane),
        "noise": sharpness.noise(plane, gradient),
        "blockiness": sharpness.blockiness(plane),
        "edge_density": sharpness.edge_density(gradient),
        **sharpness.edge_directions(gradient),
        **clutter.blocks(plane, gradient),
        "compressed_bits": clutter.compressed_bits(rgb),
        "spectrum_slope": clutter.spectrum_slope(plane),
        **naturalness(plane),
    }
