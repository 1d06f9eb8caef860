"""Which model of openly rated photographs a customer's model leans on, and how much before its posts have spoken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.scoring.model import Model
from chalicelib.training.calibration import KEPT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chalicelib.scoring.regression import KernelMachine
    from chalicelib.training.pipeline import Space

GENERAL = "general"
SAME_KIND_WEIGHT, GENERAL_WEIGHT = 0.2, 0.1  # a prior of the same kind of photos has more to tell
OF_ITS_KIND = 0.8  # share of posts within a market model's domain that makes the photos its kind


@dataclass(frozen=True)
class Prior:
    """A model of openly rated photographs, in the general model's space."""

    id: str
    model: Model


def choose(vectors: NDArray[Any], priors: Sequence[Prior]) -> tuple[Prior | None, float]:
    """The prior for photos like these, vectors (n, d), and its usual weight.

    It is the market model in whose domain the most of them lie, if enough do, else the general model; one of a foreign
    domain starts with no weight.
    """
    rows = vectors[-KEPT:]
    shares = {prior.id: _share_inside(prior.model, rows) for prior in priors}
    markets = [prior for prior in priors if prior.id != GENERAL and shares[prior.id] >= OF_ITS_KIND]
    if markets:
        return max(markets, key=lambda prior: (shares[prior.id], prior.id)), SAME_KIND_WEIGHT
    everybodys = next((prior for prior in priors if prior.id == GENERAL), None)
    return everybodys, GENERAL_WEIGHT if shares.get(GENERAL, 0) >= OF_ITS_KIND else 0.0


def _share_inside(model: Model, vectors: NDArray[Any]) -> float:
    import numpy as np

    rows = np.asarray(vectors, np.float64)
    verdicts = model.domain(model.compression.places(rows), model.scalars.oddity(rows))
    return verdicts.count("in") / len(verdicts)


def machine(prior: Prior | None, space: Space) -> KernelMachine | None:
    """Raises ValueError for a prior from another space."""
    import numpy as np

    if prior is None:
        return None
    model = prior.model
    theirs = model.compression.axes, model.scalars.scale, model.machine.component_scale, model.machine.scalar_scale
    ours = space.compression.axes, space.scalars.scale, space.component_scale, space.scalar_scale
    if not all(map(np.array_equal, theirs, ours)):
        raise ValueError(f"the prior {prior.id} is not in the general model's space")
    return model.machine
