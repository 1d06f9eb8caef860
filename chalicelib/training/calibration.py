"""What a customer's model says of itself, from its predictions for posts that it had not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.scoring import domain
from chalicelib.scoring.domain import Domain
from chalicelib.scoring.explain import Companion
from chalicelib.scoring.percentile import PercentileScale, percent
from chalicelib.training import fit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.scoring.regression import Compression, Scalars
    from chalicelib.training.choice import OutOfTime

    Array = NDArray[np.float64]

KEPT = 5000  # newest posts that a model shows and knows its domain by
PAIRED = 1500  # newest posts of which all pairs are looked at
CHUNK = 500
LEAST_ERRORS = 5


def percentiles(predicted: Array, truth: Array) -> PercentileScale:
    """predicted: (n,) for unseen posts. truth: (n,) normal scores."""
    import numpy as np
    from scipy.stats import norm

    shares = np.linspace(0, 1, fit.KNOTS + 2)[1:-1]
    knots, levels = np.quantile(predicted, shares), norm.ppf(shares)
    span = knots[-1] - knots[0]
    if span < 1e-9:  # a model that says the same of every image
        levels, slope = np.zeros_like(levels), np.asarray(0.0)
    else:
        slope = np.asarray((levels[-1] - levels[0]) / span)
    scale = PercentileScale(knots, levels, slope, np.asarray(0.0), np.asarray(0.0))
    normal = scale.normal_scores(predicted)
    regression = max(0.0, float(normal @ truth) / max(float(normal @ normal), 1e-9))
    half_width = half_width_of(np.abs(truth - regression * normal))
    return PercentileScale(knots, levels, slope, np.asarray(regression), np.asarray(half_width))


def half_width_of(errors: Array) -> float:
    """The error that a new one exceeds with a chance of 1 - COVERAGE.

    Split conformal, whose quantile stands at (n + 1) x COVERAGE of the n ordered errors; here between two of them
    rather than at the wider one, and wider by the degree of freedom that went into the regression.
    """
    import numpy as np

    degree = np.sqrt(len(errors) / (len(errors) - 1))
    return float(degree * np.quantile(errors, fit.COVERAGE, method="weibull"))


def coverage(later: OutOfTime, targets: Array) -> float | None:
    """Share of posts within the interval that the posts of earlier blocks give; None where there are too few.

    targets: of all posts, normal scores.
    """
    import numpy as np

    truth, inside = later.each(targets), []
    for number in range(1, len(later.blocks)):
        past = np.concatenate(later.predicted[:number]), np.concatenate(truth[:number])
        if len(past[0]) >= LEAST_ERRORS:
            inside.append(covered(percentiles(*past), later.predicted[number], truth[number]))
    return float(np.concatenate(inside).mean()) if inside else None


def covered(scale: PercentileScale, predicted: Array, truth: Array) -> NDArray[np.bool_]:
    """predicted, truth (normal scores): (n,). Returns whether each is within its interval."""
    import numpy as np

    low, high = np.array([scale.interval(normal) for normal in scale.normal_scores(predicted).tolist()]).T
    wanted = np.array([percent(normal) for normal in truth.tolist()])
    return np.asarray((low <= wanted) & (wanted <= high))


def spread(predicted: Array, targets: Array) -> float:
    """For `odds.beats`; both (n,). Where no pair differs it is the targets' own deviation."""
    import numpy as np

    predicted, targets = predicted[-PAIRED:], targets[-PAIRED:]
    return fit.fit_spread(predicted[None], targets) if np.ptp(targets) > 0 else 1.0


def domain_of(vectors: NDArray[Any], scalars: Scalars, compression: Compression) -> Domain:
    """Limits from posts that were left out: a post is nearer to itself than a new image is. vectors: (n, d)."""
    import numpy as np

    rows = vectors[-KEPT:].astype(np.float64)
    places = compression.places(rows).astype(np.float32).astype(np.float64)
    looks = np.column_stack([_distances_to_others(places), scalars.oddity(rows)])
    return Domain(places, np.quantile(looks, fit.EDGE, 0), np.quantile(looks, fit.OUT, 0))


def _distances_to_others(places: Array) -> Array:
    """(n, k) -> (n,), as `domain.distances` without a place's distance to itself."""
    import numpy as np

    found = []
    for start in range(0, len(places), CHUNK):
        squares = domain.squared_distances(places[start : start + CHUNK], places)
        rows = np.arange(len(squares))
        squares[rows, start + rows] = np.inf
        found.append(domain.nearness(squares))
    return np.concatenate(found)


def companion(vectors: NDArray[Any], scalars: Scalars, normal_scores: Array) -> Companion:
    """Fitted to the model's predictions for unseen posts. vectors: (n, d). normal_scores: (n,) of the predictions."""
    import numpy as np

    rows = vectors[-KEPT:].astype(np.float64)
    each_its_own = np.arange(len(rows)).astype(np.str_)
    said = fit.RatedSet(rows, rows, normal_scores[-KEPT:], each_its_own)
    return fit.fit_companion(said, scalars, said.labels)
