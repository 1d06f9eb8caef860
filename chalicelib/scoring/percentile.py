"""From a predicted label to a percentile with an interval.

Both are worked out in normal scores (the quantile of a standard normal that has the same rank), where the errors of a
prediction are about equally wide everywhere: score = 100 x Phi(normal score). A prediction regresses to the mean, and
the interval leans the same way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def percent(normal_score: float) -> float:
    """100 x Phi: 0 to 100."""
    return 50 * (1 + math.erf(normal_score / math.sqrt(2)))


@dataclass(frozen=True)
class PercentileScale:
    """Where a predicted label stands among predictions for unseen training images.

    knots, levels: (q,) predicted labels and their normal scores, both rising. slope: normal scores a label beyond the
    knots. regression, half_width: the image's true normal score lies within regression x normal score +- half_width
    for 80 of 100 unseen images (split conformal: Vovk, Gammerman and Shafer 2005).
    """

    knots: Array
    levels: Array
    slope: Array
    regression: Array
    half_width: Array

    def normal_scores(self, values: Array) -> Array:
        """values: (n,) predicted labels. Returns (n,), rising strictly with them."""
        import numpy as np

        inside = np.interp(values, self.knots, self.levels)
        below, above = np.minimum(values - self.knots[0], 0), np.maximum(values - self.knots[-1], 0)
        return np.asarray(inside + self.slope * (below + above))

    def interval(self, normal_score: float) -> tuple[float, float]:
        """80 % interval of the percentile, 0-100; it holds the score itself too."""
        middle, half = float(self.regression) * normal_score, float(self.half_width)
        low, high = min(middle - half, normal_score), max(middle + half, normal_score)
        return percent(low), percent(high)
