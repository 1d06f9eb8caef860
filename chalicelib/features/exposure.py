"""Light: how bright a photo is and how its tones are spread."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr
from skimage.exposure import histogram

from chalicelib.features.luma import Plane

type Shares = NDArray[np.float64]

_LEVELS = np.arange(256) / 255


def entropy(shares: Shares) -> float:
    """Shannon entropy in bits of shares that sum to 1."""
    return float(entr(shares).sum() / np.log(2))


def tones(luma: Plane) -> Shares:
    """Share of the pixels at each of 256 levels of luma, (256,) float64."""
    counts, _ = histogram((luma * 255 + np.float32(0.5)).astype(np.uint8), source_range="dtype")
    shares: Shares = counts / luma.size
    return shares


def exposure(luma: Plane) -> dict[str, float]:
    """Mean, spread, percentiles, clipping, skew and entropy of luma, all on its 256-level histogram.

    luma: (height, width) float32, 0-1. Everything is in luma (0-1) but the shares of clipped pixels (0-1),
    the skew (-15 to 15) and the entropy (bits of 64 levels, 0-6).
    After Datta et al. 2006 and Ke, Tang and Jing 2006.
    """
    shares = tones(luma)
    mean = float(shares @ _LEVELS)
    std = float(np.sqrt(shares @ (_LEVELS - mean) ** 2))
    p1, p5, median, p95, p99 = np.searchsorted(np.cumsum(shares), (0.01, 0.05, 0.5, 0.95, 0.99)) / 255
    return {
        "luma_mean": mean,
        "luma_std": std,
        "luma_p5": float(p5),
        "luma_median": float(median),
        "luma_p95": float(p95),
        "dynamic_range": float(p99 - p1),
        "clipped_dark": float(shares[:6].sum()),
        "clipped_light": float(shares[250:].sum()),
        # One hundredth keeps the skew of an almost flat photo from exploding.
        "luma_skew": float(shares @ (_LEVELS - mean) ** 3) / (std + 0.01) ** 3,
        "luma_entropy": entropy(shares.reshape(64, 4).sum(axis=1)),
    }
