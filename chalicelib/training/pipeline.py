"""The learner: a support vector machine (above a few thousand posts: ridge on a Nystroem map), shrunk toward a prior.

The customer's own part learns what the prior leaves over, so that far from all own posts the prior speaks alone. Both
parts are kernel expansions in one space, and so is their sum: what is fitted here can be written as a `KernelMachine`.

Needs numpy, scikit-learn and `chalicelib.scoring.regression` alone; a training container gets these two files.
Scholkopf and Smola, "Learning with Kernels", 2002; Williams and Seeger, "Using the Nystrom method", 2001.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.svm import SVR

from chalicelib.scoring.regression import Compression, KernelMachine, Scalars, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

TOLERANCE = 1e-5  # of the SVR's optimum: two machines shall find the same one
CACHE_MB = 400


@dataclass(frozen=True)
class Recipe:
    """How to fit, in plain numbers.

    penalty: C of the support vector regression; the ridge's alpha is its inverse. width: of the kernel
    exp(-width |a - b|^2). epsilon: of the tube, in the targets' unit. prior_weight: what a standard deviation of the
    prior's predictions adds to a prediction; 0 leaves the prior out. points, seed: of the Nystroem map.
    """

    estimator: Literal["svr", "nystroem"] = "svr"
    penalty: float = 1.0
    width: float = 2.0
    epsilon: float = 0.1
    prior_weight: float = 0.0
    points: int = 500
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Recipe:
        return cls(**fields)


class Core(Protocol):
    """What has a space: a model, for example."""

    @property
    def scalars(self) -> Scalars: ...
    @property
    def compression(self) -> Compression: ...
    @property
    def machine(self) -> KernelMachine: ...


@dataclass(frozen=True)
class Space:
    """The fixed way from a feature vector to the inputs of a kernel; it ships with the general model.

    component_scale, scalar_scale: as in `KernelMachine`.
    """

    scalars: Scalars
    compression: Compression
    component_scale: Array
    scalar_scale: Array

    @classmethod
    def of(cls, core: Core) -> Space:
        return cls(core.scalars, core.compression, core.machine.component_scale, core.machine.scalar_scale)

    def inputs(self, vectors: NDArray[Any]) -> Array:
        """vectors: (n, d) as in `features.schema`. Returns (n, k + m)."""
        rows = np.asarray(vectors, np.float64)
        return joined(self.compression(rows), self.scalars(rows), self.component_scale, self.scalar_scale)


class Inputs(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """`Space.inputs` as a step of a pipeline; there is nothing to fit."""

    def __init__(self, space: Space) -> None:
        self.space = space

    def fit(self, vectors: NDArray[Any], targets: Array | None = None) -> Inputs:
        return self

    def transform(self, vectors: NDArray[Any]) -> Array:
        return self.space.inputs(vectors)

    def __sklearn_is_fitted__(self) -> bool:
        return True


class Shrunk(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """prior_weight x standardized prior + a machine fitted to what that leaves of the targets."""

    def __init__(self, recipe: Recipe, prior: KernelMachine | None) -> None:
        self.recipe = recipe
        self.prior = prior

    def fit(self, inputs: Array, targets: Array, sample_weight: Array | None = None) -> Shrunk:
        """inputs: (n, k + m), rounded to the single precision in which an artifact keeps them. The others: (n,)."""
        rows = single(inputs)
        self.center_, self.factor_ = 0.0, 0.0
        if self.prior is not None and self.recipe.prior_weight > 0:
            self.center_, self.factor_ = standard(self.prior.at(rows), self.recipe.prior_weight)
        self.own_ = _own(self.recipe, len(rows))
        weights = {f"{self.own_.steps[-1][0]}__sample_weight": sample_weight}
        self.own_.fit(rows, targets - self._of_prior(rows), **weights)
        return self

    def predict(self, inputs: Array) -> Array:
        return np.asarray(self.own_.predict(inputs) + self._of_prior(inputs))

    def _of_prior(self, inputs: Array) -> Array:
        if self.prior is None or self.factor_ == 0:
            return np.zeros(len(inputs))
        return self.factor_ * (self.prior.at(inputs) - self.center_)


def single(inputs: Array) -> Array:
    return inputs.astype(np.float32).astype(np.float64)


def standard(predictions: Array, weight: float) -> tuple[float, float]:
    """Mean of a prior's predictions, (n,), and what to multiply them by so that their deviation is `weight`."""
    deviation = float(predictions.std())
    return float(predictions.mean()), weight / deviation if deviation > 1e-9 else 0.0


def _own(recipe: Recipe, count: int) -> Pipeline:
    if recipe.estimator == "svr":
        return Pipeline([("svr", support_machine(recipe, kernel="rbf", gamma=recipe.width))])
    points = min(recipe.points, count)
    landmarks = Nystroem(gamma=recipe.width, n_components=points, random_state=recipe.seed)
    return Pipeline([("map", landmarks), ("ridge", Ridge(alpha=1 / recipe.penalty))])


def support_machine(recipe: Recipe, **kernel: Any) -> SVR:
    return SVR(C=recipe.penalty, epsilon=recipe.epsilon, tol=TOLERANCE, cache_size=CACHE_MB, **kernel)


def pipeline(space: Space, recipe: Recipe, prior: KernelMachine | None) -> Pipeline:
    """Unfitted; fit(vectors, targets, model__sample_weight=weights), predict(vectors) -> (n,) in the targets' unit."""
    return Pipeline([("inputs", Inputs(space)), ("model", Shrunk(recipe, prior))])


def machine(fitted: Pipeline) -> KernelMachine:
    """The same function as `fitted.predict`, in plain arrays."""
    return expansion(fitted["inputs"].space, fitted["model"])


def expansion(space: Space, model: Shrunk) -> KernelMachine:
    support, weights, intercept = _own_expansion(model.own_)
    widths = np.full(len(weights), model.recipe.width)
    if model.prior is not None and model.factor_ != 0:
        prior = model.prior
        support, widths = np.vstack([prior.support, support]), np.concatenate([prior.each_width, widths])
        weights = np.concatenate([model.factor_ * prior.weights, weights])
        intercept += model.factor_ * float(prior.intercept - model.center_)
    return KernelMachine(support, weights, np.asarray(intercept), space.component_scale, space.scalar_scale, widths)


def _own_expansion(own: Pipeline) -> tuple[Array, Array, float]:
    """Support (s, k + m), weights (s,) and intercept."""
    last = own.steps[-1][1]
    if isinstance(last, SVR):
        return last.support_vectors_, last.dual_coef_[0], float(last.intercept_[0])
    landmarks = own["map"]
    return landmarks.components_, landmarks.normalization_.T @ last.coef_, float(last.intercept_)
