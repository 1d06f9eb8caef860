"""May a customer's model be released? Only if it orders posts that it has not seen better than chance.

Posts are compared within blocks of time, each predicted by one model of the posts before it, so that neither a drift of
the account nor a difference between two models passes for a signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LEAST_IMAGES = 20
LEVEL = 0.02  # one-sided; at 0.05 noise would pass one time in twenty
PERMUTATIONS = 1999
CHUNK = 2_000_000  # numbers permuted at a time
SEED = 20


def standard_ranks(values: Array) -> Array:
    """Ranks with mean 0 and mean square 1, ties shared; zeros where all values are equal."""
    import numpy as np
    from scipy.stats import rankdata

    ranks = rankdata(values) - (len(values) + 1) / 2
    deviation = np.sqrt((ranks**2).mean()) if len(ranks) else 0.0
    return np.asarray(ranks / deviation if deviation > 0 else ranks)


def agreements(truth: Array, predicted: Array) -> Array:
    """(n,): what each post adds to the rank correlation of a block, which is their mean."""
    return standard_ranks(truth) * standard_ranks(predicted)


def rank_correlation(truth: Sequence[Array], predicted: Sequence[Array]) -> float:
    """Spearman's within each block, averaged over the posts: -1 to 1."""
    import numpy as np

    each = [agreements(*block) for block in zip(truth, predicted, strict=True)]
    return float(np.concatenate(each).mean()) if sum(map(len, each)) else 0.0


def p_value(truth: Sequence[Array], predicted: Sequence[Array]) -> float:
    """Chance of so high a rank correlation, or a higher one, if the truth were shuffled within each block."""
    import numpy as np

    random = np.random.default_rng(SEED)
    observed = shuffled = np.asarray(0.0)
    for block in zip(truth, predicted, strict=True):
        ranks, others = (standard_ranks(each) for each in block)
        observed = observed + ranks @ others
        shuffled = shuffled + _shuffled_sums(ranks, others, random)
    reached = (shuffled >= observed - 1e-9).sum()
    return float((1 + reached) / (1 + PERMUTATIONS))


def _shuffled_sums(ranks: Array, others: Array, random: np.random.Generator) -> Array:
    """(PERMUTATIONS,) sums of products after shuffling one of two (n,) arrays."""
    import numpy as np

    rows = max(1, CHUNK // max(1, len(ranks)))
    sums = []
    for start in range(0, PERMUTATIONS, rows):
        copies = np.tile(ranks, (min(rows, PERMUTATIONS - start), 1))
        sums.append(random.permuted(copies, axis=1, out=copies) @ others)
    return np.concatenate(sums)


def too_few(targets: Array) -> str | None:
    """Why nothing can be learned from images with these targets, (n,); None when something might."""
    import numpy as np

    images = len(targets)
    if images < LEAST_IMAGES:
        return f"The posts show {images} different images; it takes at least {LEAST_IMAGES} to learn from."
    if np.ptp(targets) == 0:
        return "All images have the same engagement, so there is nothing to tell them apart by."
    return None


def no_signal(correlation: float, chance: float) -> str | None:
    """Why the model is not released; None when it may be."""
    if correlation > 0 and chance < LEVEL:
        return None
    return (
        "On posts newer than those it had learned from, the model's order agrees with the engagement no better than "
        f"chance might (rank correlation {correlation:.2f}, p = {chance:.3f}; it takes p < {LEVEL})."
    )
