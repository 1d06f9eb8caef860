"""Deleting a model: first it is out of everybody's sight, then everything of it goes, its row last.

Who works on the model at that moment finds out at its next write, which is conditional, and takes back what it left.
"""

from __future__ import annotations

from chalicelib import ids
from chalicelib.errors import NotFound
from chalicelib.images.record import due
from chalicelib.scoring import rescoring
from chalicelib.settings import settings
from chalicelib.store import AccountStore, Cancelled, Write
from chalicelib.training import retraining, storage, versions

ABSENT = "There is no such model."


def delete(store: AccountStore, model: str, now: float) -> None:
    """Remove a model, also one whose deletion was interrupted. Raises NotFound."""
    if not ids.is_id(model):  # else it could not stand in an expression
        raise NotFound(ABSENT)
    hidden = Write(
        "model",
        model,
        update=f"SET #deleting = :one, {retraining.DUE} REMOVE #training",
        values={"one": 1, **due(model, now + retraining.START_SECONDS)},
        condition="attribute_exists(pk)",
    )
    unnamed = Write(
        "models",
        "",
        update=f"REMOVE #scorers.#{model} DELETE #ids :id",
        values={"id": {model}},
        condition="attribute_exists(pk)",
        sk="live",
    )
    try:
        store.transact(hidden, unnamed)
    except Cancelled:
        raise NotFound(ABSENT) from None
    finish(store, model)


def finish(store: AccountStore, model: str) -> None:
    """The rest of a deletion, down to what a late worker wrote when the model had gone. Safe to run twice."""
    known = store.get("model", model) is not None
    endpoints = [version["number"] for version in versions.every(store, model) if versions.at_sagemaker(version)]
    for number in endpoints:
        remove_endpoint(store.account, model, number)
    storage.clear(storage.folder(store.account, model))
    if known:
        rescoring.start(store.account, model)
        store.delete_partition("model", model)


def remove_endpoint(account: str, model: str, number: int) -> None:
    if settings().sagemaker_image:
        from chalicelib.training import sagemaker

        sagemaker.remove(account, model, number)
