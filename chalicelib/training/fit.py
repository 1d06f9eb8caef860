"""Fitting a model to rated images.

Nothing is tuned here: the numbers below were fixed on grounds given beside them, so that cross-validation in
`evaluation` measures what ships. Everything that says how good the model is (percentiles, interval, spread, domain) is
calibrated on predictions for images whose themes the predicting model has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.features import schema
from chalicelib.scoring import domain
from chalicelib.scoring.domain import Domain
from chalicelib.scoring.explain import Companion, explainable
from chalicelib.scoring.model import Model
from chalicelib.scoring.percentile import PercentileScale, percent
from chalicelib.scoring.regression import Compression, KernelMachine, Scalars

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FOLDS = 5
COMPONENTS = 64  # more than about n / 8 brings noise into a kernel on few hundred images
PENALTY = 2.0  # C of the support vector regression, for labels of unit variance
SCALAR_SHARE = 0.3  # length of the scalars beside the embedding's in the kernel; at 1 they drown it
TUBE = 0.1  # epsilon, in standard deviations of the label: about the raters' own error
CALIBRATION_SEEDS = (101, 102, 103)
COVERAGE = 0.8
KNOTS = 21
EDGE, OUT = 0.95, 0.99  # shares of unseen photographs that stay within the limits
RIDGE_PENALTIES = (30.0, 100.0, 300.0, 1000.0, 3000.0)


@dataclass(frozen=True)
class RatedSet:
    """vectors: (n, d) as in `features.schema`. mirrored: (n, d), the same of the mirror images, which are as good.

    labels: (n,). themes: (n,) names; near duplicates share one.
    """

    vectors: Array
    mirrored: Array
    labels: Array
    themes: NDArray[np.str_]

    @property
    def both(self) -> Array:
        """(2n, d): all photos, then all mirror images."""
        import numpy as np

        return np.vstack([self.vectors, self.mirrored])

    def take(self, rows: NDArray[np.int64]) -> RatedSet:
        return RatedSet(self.vectors[rows], self.mirrored[rows], self.labels[rows], self.themes[rows])


@dataclass(frozen=True)
class Core:
    """The regression alone, without its calibration."""

    scalars: Scalars
    compression: Compression
    machine: KernelMachine

    def predict(self, vectors: Array) -> Array:
        return self.machine(self.compression(vectors), self.scalars(vectors))


def theme_folds(themes: NDArray[np.str_], seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to train on and rows to test on, FOLDS times; no theme is on both sides."""
    from sklearn.model_selection import GroupKFold

    yield from GroupKFold(FOLDS, shuffle=True, random_state=seed).split(themes, groups=themes)


def out_of_fold(rated: RatedSet, seed: int, predictor: Callable[[RatedSet], Callable[[Array], Array]]) -> Array:
    """A prediction for every image by a model that has not seen its theme, (n,)."""
    import numpy as np

    predictions = np.zeros(len(rated.labels))
    for train, test in theme_folds(rated.themes, seed):
        predictions[test] = predictor(rated.take(train))(rated.vectors[test])
    return predictions


def fit_core(rated: RatedSet) -> Core:
    scalars, compression = _scalars(rated.vectors), _compression(rated.both)
    return Core(scalars, compression, fit_machine(rated, scalars, compression))


def core_predictor(rated: RatedSet) -> Callable[[Array], Array]:
    return fit_core(rated).predict


def _scalars(vectors: Array) -> Scalars:
    import numpy as np

    columns = vectors[:, : len(schema.FEATURES)]
    mean, deviation = columns.mean(0), columns.std(0)
    constant = deviation < 1e-6 * (1 + np.abs(mean))
    return Scalars(mean, np.where(constant, 0, 1 / np.where(constant, 1, deviation)))


def _compression(vectors: Array) -> Compression:
    import numpy as np
    from sklearn.decomposition import PCA

    roots = np.sqrt(np.maximum(vectors[:, len(schema.FEATURES) :], 0))
    pca = PCA(COMPONENTS, svd_solver="randomized", random_state=0).fit(roots)
    length = np.linalg.norm(roots, axis=1).mean()
    return Compression(pca.mean_, pca.components_.T / np.sqrt(pca.explained_variance_), np.asarray(length))


def fit_machine(rated: RatedSet, scalars: Scalars, compression: Compression) -> KernelMachine:
    """The regression in a space that is given, on the photos and their mirror images."""
    import numpy as np
    from sklearn.svm import SVR

    useful = max(int((scalars.scale > 0).sum()), 1)
    scales = np.asarray(COMPONENTS**-0.5), np.asarray(SCALAR_SHARE * useful**-0.5)
    empty = KernelMachine(np.empty((0, 0)), np.empty(0), np.asarray(0.0), *scales)
    inputs = empty.join(compression(rated.both), scalars(rated.both))
    mean, deviation = rated.labels.mean(), rated.labels.std()
    targets = np.tile((rated.labels - mean) / deviation, 2)
    svr = SVR(C=PENALTY, gamma=1.0, epsilon=TUBE, tol=1e-5).fit(inputs, targets)
    weights, intercept = svr.dual_coef_[0] * deviation, svr.intercept_[0] * deviation + mean
    return KernelMachine(svr.support_vectors_, weights, np.asarray(intercept), *scales)


def fit_model(rated: RatedSet) -> Model:
    """The whole model: regression, percentiles, interval, domain and companion."""
    import numpy as np

    core = fit_core(rated)
    unseen = np.stack([out_of_fold(rated, seed, core_predictor) for seed in CALIBRATION_SEEDS])
    percentiles = fit_percentiles(unseen, rated)
    return Model(
        core.scalars,
        core.compression,
        core.machine,
        percentiles,
        fit_domain(rated, core),
        fit_companion(rated, core.scalars, percentiles.normal_scores(unseen.mean(0))),
        fit_spread(unseen, rated.labels),
    )


def normal_ranks(values: Array) -> Array:
    """Normal score of each value's rank among all of them (Blom 1958)."""
    import numpy as np
    from scipy.stats import norm, rankdata

    return np.asarray(norm.ppf((rankdata(values) - 0.375) / (len(values) + 0.25)))


def fit_percentiles(unseen: Array, rated: RatedSet) -> PercentileScale:
    """unseen: (seeds, n) predicted labels for images of unseen themes."""
    import numpy as np
    from scipy.stats import norm

    shares = np.linspace(0, 1, KNOTS + 2)[1:-1]
    knots, levels = np.quantile(unseen, shares), norm.ppf(shares)
    slope = np.asarray((levels[-1] - levels[0]) / (knots[-1] - knots[0]))
    uncalibrated = PercentileScale(knots, levels, slope, np.asarray(1.0), np.asarray(0.0))
    predicted = uncalibrated.normal_scores(unseen)
    truth = np.broadcast_to(normal_ranks(rated.labels), unseen.shape)
    regression = (predicted * truth).sum() / (predicted**2).sum()
    errors = np.abs(truth - regression * predicted).ravel()
    half_width = np.quantile(errors, _conformal_level(rated.themes))
    return PercentileScale(knots, levels, slope, np.asarray(regression), np.asarray(half_width))


def _conformal_level(themes: NDArray[np.str_]) -> float:
    """The finite-sample level counts themes, not images: images of one theme err together."""
    import numpy as np

    count = len(np.unique(themes))
    return float(min(1.0, np.ceil((count + 1) * COVERAGE) / count))


def fit_spread(unseen: Array, labels: Array) -> float:
    """The spread under which `beats` makes the outcomes of all pairs most likely."""
    import numpy as np
    from scipy.optimize import minimize_scalar
    from scipy.stats import norm

    first, second = np.triu_indices(len(labels), 1)
    sign = np.sign(labels[first] - labels[second])
    margins = sign * (unseen[:, first] - unseen[:, second])
    margins = margins[:, sign != 0]

    def loss(log_spread: float) -> float:
        return float(-norm.logcdf(margins / np.exp(log_spread)).mean())

    scale = np.log(labels.std())
    found = minimize_scalar(loss, bounds=(scale - 4, scale + 4), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def fit_domain(rated: RatedSet, core: Core) -> Domain:
    """Limits from images whose themes were left out: the training images are nearer to themselves than new ones."""
    import numpy as np

    looks = np.vstack(
        [
            _looks(rated.take(train), rated.vectors[test])
            for train, test in theme_folds(rated.themes, CALIBRATION_SEEDS[0])
        ]
    )
    return Domain(core.compression.places(rated.vectors), np.quantile(looks, EDGE, 0), np.quantile(looks, OUT, 0))


def _looks(training: RatedSet, vectors: Array) -> Array:
    """(n, 2): distance to the training images and oddity beside them."""
    import numpy as np

    compression, scalars = _compression(training.both), _scalars(training.vectors)
    distance = domain.distances(compression.places(vectors), compression.places(training.vectors))
    return np.column_stack([distance, scalars.oddity(vectors)])


def fit_companion(rated: RatedSet, scalars: Scalars, normal_scores: Array) -> Companion:
    """Ridge on the scalars, fitted to the model's scores of images it has not seen."""
    import numpy as np

    columns = np.array([column for column in explainable() if scalars.scale[column] > 0], np.int64)
    inputs = scalars(rated.vectors)[:, columns]
    scores = np.asarray([percent(each) for each in normal_scores.tolist()])
    ridge = _ridge(inputs, scores)
    seen = np.zeros(len(scores))
    for train, test in theme_folds(rated.themes, CALIBRATION_SEEDS[0]):
        seen[test] = _ridge(inputs[train], scores[train]).predict(inputs[test])
    scatter = ((scores - scores.mean()) ** 2).sum()
    # Scores that are all alike leave nothing to explain.
    fidelity = 1 - ((scores - seen) ** 2).sum() / scatter if scatter > 1e-9 else 0.0
    return Companion(columns, ridge.coef_, np.asarray(ridge.intercept_), np.asarray(fidelity))


def _ridge(inputs: Array, targets: Array) -> Any:
    from sklearn.linear_model import RidgeCV

    return RidgeCV(RIDGE_PENALTIES).fit(inputs, targets)


def handcrafted_predictor(rated: RatedSet) -> Callable[[Array], Array]:
    """The baseline: the same kind of machine on the scalars alone."""
    from sklearn.svm import SVR

    scalars = _scalars(rated.vectors)
    mean, deviation = rated.labels.mean(), rated.labels.std()
    svr = SVR(C=1.0).fit(scalars(rated.vectors), (rated.labels - mean) / deviation)
    return lambda vectors: svr.predict(scalars(vectors)) * deviation + mean
