"""What a new version of a customer's model does to the scores that images keep.

An image keeps one score of each model, of the newest version that scored it. A walk over the account's images, page by
page through a queue, asks the new version for a score wherever an older one's is kept; the new score takes its place.
A walk may run twice, be interrupted and go on, and stops where a newer version has overtaken it. A deleted model's walk
removes its scores.
"""

from __future__ import annotations

from typing import Any

from chalicelib import aws, bus
from chalicelib.images import record
from chalicelib.scoring import scorers
from chalicelib.settings import settings
from chalicelib.store import AccountStore, ConditionFailed, Item

PAGE = 100


def start(account: str, model: str) -> None:
    """Begin the walk for what serves the model now, or for nothing: the model was deleted."""
    _walk(account, model, scorers.live_all(AccountStore(account)).get(model), after=None)


def rescore(message: dict[str, Any], _attempt: int = 1) -> None:
    """One page of a walk; the rest follows by the queue."""
    store, model, scorer = AccountStore(message["account"]), message["model"], message["scorer"]
    if scorers.live_all(store).get(model) != scorer:
        return  # overtaken: the newer version, or the deletion, walks for itself
    page = store.page("image", PAGE, message["after"])
    for item in page.items:
        _bring_up(store, item, model, scorer)
    if page.next:
        _walk(store.account, model, scorer, after=page.next)


def _walk(account: str, model: str, scorer: str | None, after: str | None) -> None:
    bus.deliver("rescore", {"account": account, "model": model, "scorer": scorer, "after": after})


def _bring_up(store: AccountStore, item: Item, model: str, scorer: str | None) -> None:
    kept = _kept(item, model)
    if scorer is None and kept:
        remove(store, item["id"], model, kept)
    elif scorer in kept:
        _drop(store, item["id"], scorers.outdated(kept))
    elif kept:
        bus.deliver("score", {"account": store.account, "image": item["id"], "model": scorer})


def follow(store: AccountStore, item: Item, scorer: str) -> None:
    """Settle a score that was just written to the image `item` with what happened to its model meanwhile.

    Older scores give way, also when they are written after the newer one. A version that was released while this one
    computed, and whose walk may have passed the image before there was anything to see, is asked for its score.
    """
    model, version = scorers.split(scorer)
    if version == 0:
        return
    kept, live = _kept(item, model), scorers.live_all(store).get(model)
    if live is None:
        remove(store, item["id"], model, kept)
        return
    _drop(store, item["id"], scorers.outdated(kept))
    if live not in kept:
        bus.deliver("score", {"account": store.account, "image": item["id"], "model": live})


def remove(store: AccountStore, image: str, model: str, kept: list[str]) -> None:
    """A deleted model's scores of the image, and the record that it scored from."""
    _drop(store, image, kept)
    key = record.record_key(store.account, image, model)
    aws.s3().delete_object(Bucket=settings().media_bucket, Key=key)


def _kept(item: Item, model: str) -> list[str]:
    return [scorer for scorer in item.get("scores", {}) if scorers.split(scorer)[0] == model]


def _drop(store: AccountStore, image: str, gone: list[str]) -> None:
    if not gone:
        return
    removed = ", ".join(f"#scores.#{scorer}" for scorer in gone)
    try:
        store.update("image", image, f"REMOVE {removed}", {"none": 0}, condition="size(#scores) > :none")
    except ConditionFailed:
        return  # the image was deleted, or uploaded anew
