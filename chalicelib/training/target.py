"""What a model learns: how well a post did beside the account's others, freed of what is not in the picture.

    level      log of the engagement, or of its rate, drawn to the account's mean by one event
    - trend    trailing median of the posts before
    - context  what the given metadata, and hour, weekday, month and gap since the post before, foretell
    -> rank -> normal score

Trend and context are only taken away as far as they foretell posts that they were not estimated from: a metadata
column of noise, or an account without a trend, must not add noise to the targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chalicelib.training.fit import normal_ranks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Numbers = NDArray[np.int64]

TREND_POSTS = 15
FIRST_POSTS = 5  # a median of fewer is worse than one that looks ahead
MIN_POSTS = 20  # below, nothing can be said of metadata
BLOCKS = 5
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
EXTREME = 0.025  # at most this share of the levels at each end is drawn in before anything is estimated,
FENCE = 3.0  # and only what is as many quartile distances beyond the quartiles (Tukey 1977: "far out")
SMALLEST_UNIT = 1e-15
DECIMALS = 9  # beyond, a difference is rounding and must not decide a rank


def targets(engagement: Array, impressions: Array | None, parts: Sequence[Array], groups: Numbers) -> Array:
    """Normal scores, (n,); all 0 where all engagement is the same.

    n posts, oldest first. engagement, impressions: (n,), impressions above 0. parts: of the context, each (n, p),
    taken away one after the other: with all columns in one regression, a penalty that quiets the calendar's many would
    leave half of what the customer's few explain. groups: (n,) numbers from 0 in the order of first appearance, of
    posts that must not foretell each other.
    """
    import numpy as np

    if not len(engagement):
        return np.zeros(0)
    values = levels(engagement, impressions)
    values = without(values, trend(values))
    for part in parts:
        values = without(values, foretold(values, part, groups))
    return np.round(normal_ranks(np.round(values, DECIMALS)), DECIMALS)


def levels(engagement: Array, impressions: Array | None) -> Array:
    """Natural logarithms, (n,).

    One event is added, or as much as the median post has where that is less (customers give rates as engagement too),
    and as many impressions as the account needs for it: no clicks of ten impressions say little, of ten thousand much.
    """
    import numpy as np

    some = engagement[engagement > 0]
    if not len(some):
        return np.zeros(len(engagement))
    unit = float(np.clip(np.median(some), SMALLEST_UNIT, 1))
    if impressions is None:
        return np.log(engagement + unit)
    mean = max(engagement.sum() / impressions.sum(), SMALLEST_UNIT)
    return np.log(engagement + unit) - np.log(impressions + unit / mean)


def trend(values: Array) -> Array:
    """Median of the TREND_POSTS before each, (n,); for the first FIRST_POSTS that of the first TREND_POSTS."""
    import numpy as np

    found = np.full(len(values), np.median(values[:TREND_POSTS]))
    for row in range(FIRST_POSTS, min(TREND_POSTS, len(values))):
        found[row] = np.median(values[:row])
    if len(values) > TREND_POSTS:
        windows = np.lib.stride_tricks.sliding_window_view(values[:-1], TREND_POSTS)
        found[TREND_POSTS:] = np.median(windows, axis=1)
    return found


def foretold(values: Array, context: Array, groups: Numbers) -> Array:
    """What ridge regression on the context, fitted to the posts of other times, says of each, (n,)."""
    import numpy as np
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import PredefinedSplit, cross_val_predict

    of_time = blocks(groups)
    if len(values) < MIN_POSTS or not context.shape[1] or not of_time.any():
        return np.zeros(len(values))
    folds = PredefinedSplit(np.unique(of_time, return_inverse=True)[1])
    return np.asarray(cross_val_predict(RidgeCV(PENALTIES), context, drawn_in(values), cv=folds))


def blocks(groups: Numbers) -> Numbers:
    """Number of the block of time of each post, (n,), 0 to BLOCKS - 1, none where a group fills it; groups whole."""
    import numpy as np

    sizes = np.bincount(groups)
    before = np.cumsum(sizes) - sizes
    return np.asarray((before * BLOCKS // len(groups))[groups], np.int64)


def without(values: Array, predicted: Array) -> Array:
    """The values without what the prediction truly tells of them, (n,).

    That is the slope of their regression on it, at most 1; and nothing below 0.5, where the prediction is farther from
    them than their mean is (R2 at or below 0).
    """
    import numpy as np

    deviation = predicted - predicted.mean()
    variance = float(deviation @ deviation)
    if variance < 10.0**-DECIMALS * len(values):
        return values
    slope = float(deviation @ drawn_in(values)) / variance
    return values - np.minimum(slope, 1) * deviation if slope > 0.5 else values


def drawn_in(values: Array) -> Array:
    """Winsorised: one post in a thousand that went around the world must not decide what Mondays are worth.

    What is merely high or low stays: drawn in, it would keep a part of what metadata explains, for the pixels to find.
    """
    import numpy as np

    low, lower, upper, high = np.quantile(values, [EXTREME, 0.25, 0.75, 1 - EXTREME])
    beyond = FENCE * (upper - lower)
    return np.clip(values, min(low, lower - beyond), max(high, upper + beyond))
