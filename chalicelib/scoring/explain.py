"""Why a photo scores as it does, by a companion that people can read.

The score comes from an embedding that nobody can read. The companion is a ridge regression on the scalar features,
fitted to the model's own scores; it says what goes along with a high score, not what causes it, and follows the model
only as far as its fidelity tells. Contributions of a linear model are exact: coefficient x standardized feature.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.features import schema
from chalicelib.scoring.wording import WORDINGS, phrase

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

REASONS = 3


@dataclass(frozen=True)
class Reason:
    """property: name of the feature that leads. effect: score points that its idea adds or takes."""

    property: str
    effect: float
    text: str


def explainable() -> list[int]:
    """Columns of the features that have words."""
    return [column for column, feature in enumerate(schema.FEATURES) if feature.name in WORDINGS]


@dataclass(frozen=True)
class Companion:
    """columns: (c,) of the features it reads. coefficients: (c,) score points per standard deviation.

    fidelity: share of the variance of the model's scores that the companion explains on unseen themes (R2, at most 1).
    """

    columns: NDArray[np.int64]
    coefficients: Array
    intercept: Array
    fidelity: Array

    def contributions(self, scalars: Array) -> Array:
        """scalars: (n, m) standardized. Returns (n, c) score points; with the intercept they add up to `predict`."""
        return scalars[:, self.columns] * self.coefficients

    def predict(self, scalars: Array) -> Array:
        """The companion's own idea of the score, (n,)."""
        return scalars[:, self.columns] @ self.coefficients + self.intercept

    def reasons(self, scalars: Array) -> list[list[Reason]]:
        """For each row the ideas that matter most, the strongest first."""
        return [
            self._reasons(z, contributions)
            for z, contributions in zip(
                scalars[:, self.columns].tolist(), self.contributions(scalars).tolist(), strict=True
            )
        ]

    def _reasons(self, z: list[float], contributions: list[float]) -> list[Reason]:
        effects = {idea: sum(contributions[i] for i in members) for idea, members in self._ideas.items()}
        strongest = sorted(effects, key=lambda idea: (-abs(effects[idea]), idea))[:REASONS]
        return [self._reason(self._ideas[idea], effects[idea], z, contributions) for idea in strongest]

    def _reason(self, members: list[int], effect: float, z: list[float], contributions: list[float]) -> Reason:
        """Led by the feature that does most in the direction of the whole idea."""
        lead = max(members, key=lambda i: contributions[i] * effect)
        name = self._names[lead]
        return Reason(name, round(effect, 1), phrase(name, high=z[lead] > 0, lifts=effect > 0))

    @cached_property
    def _names(self) -> list[str]:
        return [schema.FEATURES[column].name for column in self.columns.tolist()]

    @cached_property
    def _ideas(self) -> dict[str, list[int]]:
        ideas = defaultdict(list)
        for index, name in enumerate(self._names):
            ideas[WORDINGS[name].idea].append(index)
        return dict(ideas)
