"""Where the eye is drawn: a saliency map and where its weight lies."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, ifft2
from scipy.ndimage import gaussian_filter, uniform_filter

type Map = NDArray[np.float64]

SIZE = 64
_PLACE = (np.arange(SIZE) + 0.5) / SIZE
_THIRDS = (1 / 3, 2 / 3)


def saliency(thumbnail: NDArray[np.float64]) -> Map:
    """Saliency of each pixel of a 64x64 thumbnail, (64, 64), summing to 1; flat for a flat photo.

    thumbnail: (64, 64, 3) float64, sRGB, 0-1.
    Hou and Zhang, "Saliency detection: a spectral residual approach", 2007, on luminance and two color opponents.
    """
    red, green, blue = np.moveaxis(thumbnail, 2, 0)
    opponents = ((red + green + blue) / 3, red - green, (red + green) / 2 - blue)
    # A channel without contrast has a spectrum of rounding errors only: it says nothing.
    drawn = [_spectral_residual(channel) for channel in opponents if channel.std() > 1 / 255]
    blurred = gaussian_filter(np.sum([np.zeros((SIZE, SIZE)), *drawn], axis=0), 2.5)
    salient: Map = np.maximum(blurred - np.percentile(blurred, 20), 0)
    total = salient.sum()
    # Nothing stands out of a flat photo or a perfectly regular pattern.
    return salient / total if total > 1e-6 else np.full((SIZE, SIZE), 1 / SIZE**2)


def _spectral_residual(channel: Map) -> Map:
    spectrum = fft2(channel)
    log_amplitude = np.log(np.abs(spectrum) + 1e-8)
    # exp(residual + i phase) with residual = log amplitude - its local mean: the phase never has to be computed.
    drawn: Map = np.abs(ifft2(spectrum * np.exp(-uniform_filter(log_amplitude, 3, mode="wrap")))) ** 2
    return drawn / drawn.max()


def placement(salient: Map) -> dict[str, float]:
    """Where the saliency lies, in fractions of width and height.

    salient: (64, 64), summing to 1. Its center (x, y, 0-1) and that one's distance from the middle (0-0.71), the
    distance of its peak from the nearest crossing of the lines of thirds (0-0.48), its spread (0-0.71), the share on
    the most salient tenth of the photo (0.1-1) and the share near the lines of thirds (0-1).
    The rule of thirds as a feature: Datta et al. 2006.
    """
    x, y = float(salient.sum(axis=0) @ _PLACE), float(salient.sum(axis=1) @ _PLACE)
    squares = (_PLACE[None] - x) ** 2 + (_PLACE[:, None] - y) ** 2
    strongest = np.sort(salient, axis=None)[-(SIZE * SIZE // 10) :]
    return {
        "saliency_x": x,
        "saliency_y": y,
        "saliency_off_center": float(np.hypot(x - 0.5, y - 0.5)),
        "saliency_thirds_distance": _thirds_distance(salient),
        "saliency_spread": float(np.sqrt((salient * squares).sum())),
        "saliency_top10": float(strongest.sum()),
        "thirds_energy": float((salient * _near_thirds()).sum()),
    }


def _thirds_distance(salient: Map) -> float:
    row, column = np.unravel_index(int(salient.argmax()), salient.shape)
    return float(min(np.hypot(_PLACE[column] - x, _PLACE[row] - y) for x in _THIRDS for y in _THIRDS))


def _near_thirds() -> Map:
    """1 on the lines of thirds, falling off like a Gaussian of standard deviation 0.055."""
    along = np.max([np.exp(-((_PLACE - third) ** 2) / 0.006) for third in _THIRDS], axis=0)
    near: Map = np.maximum(along[None], along[:, None])
    return near
