"""How good a model is on images of themes it has not seen: five folds, no theme on two sides, several shuffles.

Every fold fits the whole model, calibration and all, on its training part and asks it as production does. Nothing of
the test part, neither labels nor features, takes part in the fit.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.scoring.model import Score
from chalicelib.scoring.odds import beats
from chalicelib.training import fit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.training.fit import RatedSet

    Array = NDArray[np.float64]

SEEDS = (0, 1, 2, 3, 4)
PROMISES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Unseen:
    """Scores of all images by models that have not seen their themes, and what was true.

    percentiles: (n,) of the true label among the labels of the fold's training images, 0-100.
    """

    scores: list[Score]
    labels: Array
    percentiles: Array

    @property
    def values(self) -> Array:
        import numpy as np

        return np.array([score.value for score in self.scores])


@dataclass(frozen=True)
class Promise:
    """Pairs for which `beats` promised about the same: its mean promise, and how often it came true."""

    pairs: int
    promised: float
    kept: float


@dataclass(frozen=True)
class Quality:
    """Means over the shuffles, each over all images; `_sd` is the standard deviation between shuffles.

    pair_accuracy: of two images, the better one has the higher score. coverage_80: share of images whose true
    percentile lies in the 80 % interval. width: of the interval, in percentiles. spearman_handcrafted: of a machine
    on the scalar features alone.
    """

    n: int
    themes: int
    shuffles: int
    spearman: float
    spearman_sd: float
    pair_accuracy: float
    pair_accuracy_sd: float
    coverage_80: float
    coverage_80_sd: float
    width: float
    spearman_handcrafted: float
    pair_accuracy_handcrafted: float
    in_domain: float
    reliability: list[Promise]

    def rounded(self) -> dict[str, Any]:
        rounded: dict[str, Any] = _rounded(asdict(self))
        return rounded


def _rounded(numbers: Any) -> Any:
    if isinstance(numbers, dict):
        return {name: _rounded(each) for name, each in numbers.items()}
    if isinstance(numbers, list):
        return [_rounded(each) for each in numbers]
    return round(numbers, 4) if isinstance(numbers, float) else numbers


def evaluate(rated: RatedSet) -> Quality:
    """Takes about a minute for 540 images."""
    runs = [unseen(rated, seed) for seed in SEEDS]
    baselines = [fit.out_of_fold(rated, seed, fit.handcrafted_predictor) for seed in SEEDS]
    return summary(runs, baselines, rated.themes)


def summary(runs: list[Unseen], baselines: list[Array], themes: NDArray[np.str_]) -> Quality:
    """runs: one for each shuffle. baselines: (n,) each, of the machine on the scalars alone. themes: (n,)."""
    import numpy as np

    labels = runs[0].labels
    ranks = [spearman(labels, run.values) for run in runs]
    pairs = [pair_accuracy(labels, run.values) for run in runs]
    covered = [coverage(run) for run in runs]
    scores = [score for run in runs for score in run.scores]
    return Quality(
        n=len(labels),
        themes=len(np.unique(themes)),
        shuffles=len(runs),
        spearman=statistics.mean(ranks),
        spearman_sd=statistics.stdev(ranks),
        pair_accuracy=statistics.mean(pairs),
        pair_accuracy_sd=statistics.stdev(pairs),
        coverage_80=statistics.mean(covered),
        coverage_80_sd=statistics.stdev(covered),
        width=statistics.mean(score.high - score.low for score in scores),
        spearman_handcrafted=statistics.mean(spearman(labels, each) for each in baselines),
        pair_accuracy_handcrafted=statistics.mean(pair_accuracy(labels, each) for each in baselines),
        in_domain=sum(score.domain == "in" for score in scores) / len(scores),
        reliability=reliability(runs),
    )


def unseen(rated: RatedSet, seed: int) -> Unseen:
    import numpy as np

    scores: dict[int, Score] = {}
    percentiles = np.zeros(len(rated.labels))
    for train, test in fit.theme_folds(rated.themes, seed):
        training = rated.take(train)
        scores |= zip(test.tolist(), fit.fit_model(training).score(rated.vectors[test]), strict=True)
        percentiles[test] = percentiles_among(rated.labels[test], training.labels)
    return Unseen([scores[row] for row in range(len(rated.labels))], rated.labels, percentiles)


def percentiles_among(labels: Array, others: Array) -> Array:
    """Share of the others that each label exceeds, equals counted half, 0-100."""
    import numpy as np

    ordered = np.sort(others)
    return 50 * (ordered.searchsorted(labels, "left") + ordered.searchsorted(labels, "right")) / len(others)


def spearman(labels: Array, values: Array) -> float:
    """Rank correlation, -1 to 1."""
    from scipy.stats import spearmanr

    return float(spearmanr(labels, values).statistic)


def pair_accuracy(labels: Array, values: Array) -> float:
    """Of all pairs with different labels, the share that the values put in the right order; a tie counts half."""
    import numpy as np

    agreement = _pair_signs(labels) * _pair_signs(values)
    return float((1 + agreement[_pair_signs(labels) != 0].mean()) / 2) if len(np.unique(labels)) > 1 else 0.5


def _pair_signs(numbers: Array) -> Array:
    import numpy as np

    first, second = np.triu_indices(len(numbers), 1)
    return np.sign(numbers[first] - numbers[second])


def coverage(run: Unseen) -> float:
    """Share of images whose true percentile lies within the interval."""
    inside: list[bool] = [
        score.low <= truth <= score.high for score, truth in zip(run.scores, run.percentiles.tolist(), strict=True)
    ]
    return sum(inside) / len(inside)


def reliability(runs: list[Unseen]) -> list[Promise]:
    """Does `beats` keep what it promises? Over all pairs of all runs, by promised probability."""
    import numpy as np

    outcomes = np.concatenate([_outcomes(run) for run in runs])
    bins = np.digitize(outcomes[:, 0], PROMISES[1:-1])
    groups = [outcomes[bins == number] for number in range(len(PROMISES) - 1)]
    return [Promise(len(group), *(float(mean) for mean in group.mean(0))) for group in groups if len(group)]


def _outcomes(run: Unseen) -> Array:
    """(pairs, 2): the promise that the higher value wins, and 1 where it did."""
    import numpy as np

    decided = _pair_signs(run.labels) != 0
    spread = run.scores[0].spread
    first, second = np.triu_indices(len(run.labels), 1)
    margins = np.abs(run.values[first] - run.values[second])[decided]
    right = (_pair_signs(run.labels) * _pair_signs(run.values))[decided] > 0
    return np.column_stack([[beats(margin, 0, spread) for margin in margins.tolist()], right])
