"""Scorers: what computes a score, and the name under which an image keeps it.

A shipped model is its own scorer ("general"). A customer's model has one for each version, "{model}_{version}", so that
no ranking mixes two trainings: whoever needs scores that go together pins a scorer, and old versions stay loadable.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from chalicelib import ids
from chalicelib.errors import Conflict, NotFound, Unavailable
from chalicelib.scoring import catalog
from chalicelib.store import AccountStore, Item
from chalicelib.training import storage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.scoring.model import Model, Score

RELEASED = ("ready", "superseded")
# Why a model without a live version scores nothing, by its state.
UNREADY = {
    "not_enough_signal": "This model's posts do not show enough signal to score by; GET /models/{} has its report.",
    "failed": "This model could not be trained; GET /models/{} says why.",
}
LOADED = 6  # models that a process keeps, of some 15 MB each where they were trained on 5,000 posts
_resting: dict[str, float] = {}  # endpoints that have just failed, until when (monotonic clock)


def name(model: str, version: int) -> str:
    return f"{model}_{version}"


def split(scorer: str) -> tuple[str, int]:
    """The model and its version; a shipped model's is 0."""
    model, _, version = scorer.rpartition("_")
    return (model, int(version)) if ids.is_id(model) and version.isdecimal() else (scorer, 0)


def newest(scorers: Iterable[str]) -> dict[str, str]:
    """By model, the one of its scorers with the highest version."""
    return {split(scorer)[0]: scorer for scorer in sorted(scorers, key=split)}


def outdated(scorers: Iterable[str]) -> list[str]:
    """The scorers that have a newer version among the others."""
    known = set(scorers)
    return sorted(known - set(newest(known).values()))


def live(store: AccountStore, model: str) -> str:
    """The scorer that serves a model now.

    Raises NotFound for an unknown model or another account's, Conflict for one that has no released version yet.
    """
    if model in catalog.models():
        return model
    if scorer := live_all(store).get(model):
        return scorer
    row = store.get("model", model)
    if row is None or "deleting" in row:
        raise NotFound("There is no such model.", field="model")
    raise Conflict(UNREADY.get(row["state"], "This model is not ready yet.").format(model), field="model")


def live_all(store: AccountStore) -> dict[str, str]:
    """The scorers of the account's own models, by model."""
    row = store.get("models", sk="live")
    return dict(row["scorers"]) if row else {}


def score(store: AccountStore, scorer: str, vectors: NDArray[Any]) -> list[Score]:
    """vectors: (n, d), see `features.schema.vector`.

    Raises NotFound for a deleted model, Unavailable while its endpoint or artifact cannot be had, ModelDamaged for an
    artifact that is not the registered one.
    """
    from chalicelib.scoring.model import load_model

    model, version = split(scorer)
    if version == 0:
        if model not in catalog.models():
            raise NotFound("There is no such model.", field="model")
        return load_model(model).score(vectors)
    row = _released(store, model, version)
    loaded = _loaded(storage.folder(store.account, model, version) + storage.MODEL, row["sha256"])
    return loaded.score(vectors, _predicted(model, version, vectors) if row["backend"] == "sagemaker" else None)


def _released(store: AccountStore, model: str, version: int) -> Item:
    row = store.get("model", model, f"version#{version:06d}")
    if row is None or row["state"] not in RELEASED:
        raise NotFound("There is no such model.", field="model")
    return row


def _predicted(model: str, version: int, vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Values by the version's endpoint, (n,).

    One that has just failed is not asked again for a moment: a batch waits for it once at most, since messages of the
    general model stand in the same batch.
    """
    from chalicelib.scoring import endpoint
    from chalicelib.training.sagemaker import endpoint_name

    asked = endpoint_name(model, version)
    if time.monotonic() < _resting.get(asked, 0):
        raise Unavailable("The model's endpoint does not answer now; try again.", retry_after=endpoint.RETRY_AFTER)
    try:
        return endpoint.predict(asked, vectors)
    except Unavailable:
        _resting[asked] = time.monotonic() + endpoint.RETRY_AFTER
        raise


@lru_cache(maxsize=LOADED)
def _loaded(key: str, sha256: str) -> Model:
    """A customer's model, read only when it is the one that its row names."""
    from chalicelib.scoring.model import load

    data = storage.read(key)
    if data is None:  # as while the model is being deleted
        raise Unavailable("The model cannot be read; try again.")
    return load(data, sha256)
