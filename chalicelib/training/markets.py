"""Market models: what people think of one kind of photo, learned from rated or engagement photos of that kind.

A market model lives in the general model's space, which is never refitted. It is one machine: one fitted to the
market's own photos, blended with the general model by the weight that predicts photos of unseen themes best. All that
says how good it is (percentiles, interval, spread, domain, companion) is calibrated as the general model's is.

A market ships only when it beats the general model on its own photos, by the rule of `Verdict.ships`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from chalicelib.scoring import domain
from chalicelib.scoring.domain import Domain
from chalicelib.scoring.model import Model, Score
from chalicelib.training import evaluation, fit
from chalicelib.training.evaluation import Quality, Unseen
from chalicelib.training.fit import Core, RatedSet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.scoring.regression import KernelMachine

    Array = NDArray[np.float64]
    Rows = NDArray[np.int64]

PHOTOS, THEMES = 20, 10
WEIGHTS = tuple(tenths / 10 for tenths in range(11))
LEAST_CORRELATION = 0.05  # of the general model: at none, its line would be level, and a model of it no model
RESAMPLES = 2000
CONFIDENCE = 0.9


class TooLittle(Exception):
    """The data set cannot carry a model; the message says what it lacks."""


@dataclass(frozen=True)
class Market:
    """photos: the market's and, where `general` learned from the same set, the others. inside: (n,), the market's.

    general: fits the general model to the photos that it is given. Where it never learned from any of them, it is the
    one that ships, whatever it is given.
    """

    photos: RatedSet
    inside: NDArray[np.bool_]
    general: Callable[[RatedSet], Core]

    @property
    def own(self) -> RatedSet:
        """The market's photos alone."""
        import numpy as np

        return self.photos.take(np.flatnonzero(self.inside))

    def take(self, rows: Rows) -> Market:
        return Market(self.photos.take(rows), self.inside[rows], self.general)

    def folds(self, seed: int) -> Iterator[tuple[Market, Rows]]:
        """What to train on and which of the market's rows to test on; no theme is on both sides."""
        for train, test in fit.theme_folds(self.photos.themes, seed):
            asked = test[self.inside[test]]
            if len(asked):
                yield self.take(train), asked


@dataclass(frozen=True)
class Line:
    """From the general model's predictions to the labels of the market: slope x prediction + intercept."""

    slope: float
    intercept: float

    def __call__(self, predictions: Array) -> Array:
        return self.slope * predictions + self.intercept


@dataclass(frozen=True)
class Fitted:
    """weight: of the market's own machine in the model, 0 to 1; the general model has the rest."""

    model: Model
    weight: float


def check(market: Market) -> None:
    """Raises TooLittle."""
    import numpy as np

    photos = market.own
    themes, values = len(np.unique(photos.themes)), len(np.unique(photos.labels))
    if len(photos.labels) < PHOTOS or themes < THEMES:
        raise TooLittle(
            f"{len(photos.labels)} photos of {themes} themes: at least {PHOTOS} photos of {THEMES} themes are needed"
        )
    if values < THEMES:
        raise TooLittle(f"the labels have only {values} different values: at least {THEMES} are needed")


def fit_market(market: Market, general: Core) -> Fitted:
    """The whole model, in the space of `general`, which has learned from `market.photos` at most."""
    import numpy as np

    photos = market.own
    runs = np.stack([out_of_theme(market, seed) for seed in fit.CALIBRATION_SEEDS], axis=1)
    line = fit_line(runs[1], photos.labels)
    own, prior = runs[0], line(runs[1])
    weight = choose_weight(own, prior, photos.labels)
    machine = blend(own_core(photos, general).machine, general.machine, line, weight)
    core = replace(general, machine=machine)
    return Fitted(_calibrated(photos, core, weight * own + (1 - weight) * prior), weight)


def own_core(photos: RatedSet, general: Core) -> Core:
    """A machine of the market's photos alone, in the general model's space and with its fixed settings."""
    return replace(general, machine=fit.fit_machine(photos, general.scalars, general.compression))


def blend(own: KernelMachine, general: KernelMachine, line: Line, weight: float) -> KernelMachine:
    """weight x own + (1 - weight) x line(general): the sum of two expansions in one space is one expansion."""
    import numpy as np

    rest = 1 - weight
    weights = np.concatenate([weight * own.weights, rest * line.slope * general.weights])
    used = weights != 0
    return replace(
        own,
        support=np.vstack([own.support, general.support])[used],
        weights=weights[used],
        intercept=weight * own.intercept + rest * line(general.intercept),
    )


def out_of_theme(market: Market, seed: int) -> Array:
    """(2, m): predictions for the market's photos by its own machine and by the general model, of unseen themes."""
    import numpy as np

    predictions = np.zeros((2, len(market.inside)))
    for training, test in market.folds(seed):
        general = market.general(training.photos)
        asked = market.photos.vectors[test]
        predictions[:, test] = own_core(training.own, general).predict(asked), general.predict(asked)
    return predictions[:, market.inside]


def fit_line(predictions: Array, labels: Array) -> Line:
    """Least squares over all shuffles, rising. predictions: (seeds, m), of unseen themes. labels: (m,)."""
    import numpy as np

    truth = np.broadcast_to(labels, predictions.shape)
    correlation = np.corrcoef(predictions.ravel(), truth.ravel())[0, 1]
    slope = max(correlation, LEAST_CORRELATION) * labels.std() / predictions.std()
    return Line(float(slope), float(labels.mean() - slope * predictions.mean()))


def choose_weight(own: Array, prior: Array, labels: Array) -> float:
    """The weight of the own predictions that ranks best, means over shuffles; of equal ones the smallest.

    own, prior: (seeds, m) of unseen themes, in the unit of the labels.
    """
    return max(WEIGHTS, key=lambda weight: rank_correlations(labels, weight * own + (1 - weight) * prior).mean())


def rank_correlations(labels: Array, predictions: Array) -> Array:
    """Spearman's, of each row of predictions (seeds, m) with the labels (m,); 0 where all predictions are equal."""
    import numpy as np
    from scipy.stats import rankdata

    truth, ranks = rankdata(labels), rankdata(predictions, axis=1)
    truth, ranks = truth - truth.mean(), ranks - ranks.mean(1, keepdims=True)
    lengths = np.sqrt((ranks**2).sum(1) * (truth**2).sum())
    return np.asarray(ranks @ truth / np.where(lengths > 0, lengths, 1))


def _calibrated(photos: RatedSet, core: Core, unseen: Array) -> Model:
    """unseen: (seeds, m) predictions of the same kind of model for the photos when it has not seen their themes."""
    percentiles = fit.fit_percentiles(unseen, photos)
    return Model(
        core.scalars,
        core.compression,
        core.machine,
        percentiles,
        fit_domain(photos, core),
        fit.fit_companion(photos, core.scalars, percentiles.normal_scores(unseen.mean(0))),
        fit.fit_spread(unseen, photos.labels),
    )


def fit_domain(photos: RatedSet, core: Core) -> Domain:
    """As the general model's, in its space: limits from photos whose themes were left out."""
    import numpy as np

    places = core.compression.places(photos.vectors)
    distances = np.zeros(len(places))
    for train, test in fit.theme_folds(photos.themes, fit.CALIBRATION_SEEDS[0]):
        distances[test] = domain.distances(places[test], places[train])
    looks = np.column_stack([distances, core.scalars.oddity(photos.vectors)])
    return Domain(places, np.quantile(looks, fit.EDGE, 0), np.quantile(looks, fit.OUT, 0))


@dataclass(frozen=True)
class Shuffle:
    """What models that have not seen its theme said of each photo of the market.

    unseen: of the market model. own, general, handcrafted: (m,) predicted by the market's own machine alone, by the
    general model, and by a machine on the scalars alone. weights: chosen in the folds.
    """

    unseen: Unseen
    own: Array
    general: Array
    handcrafted: Array
    weights: list[float]


@dataclass(frozen=True)
class Verdict:
    """How the market model does on photos of unseen themes, beside the general model on the same photos.

    spearman_*, pair_accuracy_general: means over the shuffles. gain: in Spearman rank correlation over the general
    model, with the interval that a bootstrap over themes gives it at CONFIDENCE. weight: mean of the folds'.
    """

    quality: Quality
    spearman_general: float
    pair_accuracy_general: float
    spearman_own: float
    gain: float
    gain_low: float
    gain_high: float
    weight: float

    @property
    def ships(self) -> bool:
        """The rule, fixed before any market was looked at: it gains, and the whole interval of the gain does."""
        return self.gain > 0 and self.gain_low > 0

    def rounded(self) -> dict[str, Any]:
        rest = {name: round(number, 4) for name, number in asdict(self).items() if name != "quality"}
        return self.quality.rounded() | rest


def judge(market: Market) -> Verdict:
    """Takes about a minute for 540 photos."""
    import numpy as np

    shuffles = [shuffle(market, seed) for seed in evaluation.SEEDS]
    photos = market.own
    ours = np.stack([each.unseen.values for each in shuffles])
    theirs = np.stack([each.general for each in shuffles])
    own = np.stack([each.own for each in shuffles])
    low, high = gain_interval(photos, ours, theirs)
    return Verdict(
        evaluation.summary([each.unseen for each in shuffles], [each.handcrafted for each in shuffles], photos.themes),
        float(rank_correlations(photos.labels, theirs).mean()),
        statistics.mean(evaluation.pair_accuracy(photos.labels, each) for each in theirs),
        float(rank_correlations(photos.labels, own).mean()),
        gain(photos.labels, ours, theirs),
        low,
        high,
        statistics.mean(weight for each in shuffles for weight in each.weights),
    )


def shuffle(market: Market, seed: int) -> Shuffle:
    """Every fold retrains the general model and all of the market's without the themes that it asks about."""
    import numpy as np

    photos, labels = market.photos.vectors, market.photos.labels
    scores: dict[int, Score] = {}
    others, percentiles = np.zeros((3, len(labels))), np.zeros(len(labels))
    weights = []
    for training, test in market.folds(seed):
        general = market.general(training.photos)
        fitted = fit_market(training, general)
        scores |= zip(test.tolist(), fitted.model.score(photos[test]), strict=True)
        predictors = own_core(training.own, general).predict, general.predict, fit.handcrafted_predictor(training.own)
        others[:, test] = [predict(photos[test]) for predict in predictors]
        percentiles[test] = evaluation.percentiles_among(labels[test], training.own.labels)
        weights.append(fitted.weight)
    unseen = Unseen([scores[row] for row in sorted(scores)], labels[market.inside], percentiles[market.inside])
    own, prior, handcrafted = others[:, market.inside]
    return Shuffle(unseen, own, prior, handcrafted, weights)


def gain(labels: Array, ours: Array, theirs: Array) -> float:
    """Mean difference of the rank correlations. ours, theirs: (shuffles, m)."""
    return float((rank_correlations(labels, ours) - rank_correlations(labels, theirs)).mean())


def gain_interval(photos: RatedSet, ours: Array, theirs: Array) -> tuple[float, float]:
    """Of `gain`, by drawing whole themes anew, since photos of one theme err together (Efron and Tibshirani 1993)."""
    import numpy as np

    random = np.random.default_rng(0)
    themes = [np.flatnonzero(photos.themes == theme) for theme in np.unique(photos.themes)]
    gains = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([themes[drawn] for drawn in random.integers(0, len(themes), len(themes))])
        gains.append(gain(photos.labels[rows], ours[:, rows], theirs[:, rows]))
    low, high = np.quantile(gains, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)).tolist()
    return low, high
