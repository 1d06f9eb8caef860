"""Trainings: how one begins, how many there may be, and when a tracked model learns anew by itself.

Everything that a training begins with is written by one transaction, so that a limit is never passed and nothing is
half begun. A message then wakes the trainer; where it is lost, the sweeper sends it again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from chalicelib import bus, ids, log
from chalicelib.errors import Conflict, TooManyRequests
from chalicelib.images.record import ATTEMPTS, due, timestamp
from chalicelib.store import AccountStore, Cancelled, ConditionFailed, Item, Write, overdue, sweep_shard
from chalicelib.training import versions

Source = Mapping[str, Any]

MODELS = 20
TRAININGS_A_DAY = 10
DAY = 86_400
# Before a training's message has arrived for certain.
START_SECONDS = 120
LINE = "retrain"
A_SHARD = 100
# What makes a tracked model worth training anew.
NEW_POSTS, NEW_SHARE = 20, 0.1
DUE = "#sweep_pk = :sweep_pk, #sweep_at = :sweep_at"
FREE = "attribute_not_exists(#training) AND attribute_not_exists(#deleting)"


def create(store: AccountStore, item: Item, source: Source, now: float) -> None:
    """Write a new model with its first training. Raises TooManyRequests over a limit."""
    first: Item = {**item, "state": "queued", "number": 1, "training": 1, "attempts": 0, **_due(item["id"], now)}
    model = Write("model", item["id"], first)
    place = Write(
        "models",
        "",
        update="SET #scorers = if_not_exists(#scorers, :none) ADD #ids :id",
        values={"none": {}, "id": {item["id"]}, "limit": MODELS},
        condition="attribute_not_exists(#ids) OR size(#ids) < :limit",
        sk="live",
    )
    try:
        store.transact(model, _version(item["id"], 1, item["backend"], source, now), _spent(now), place)
    except Cancelled as cancelled:
        raise _limited(by_day=2 in cancelled.failed, now=now) from None


def begin(
    store: AccountStore, item: Item, source: Source, now: float, *, asked: bool = True, version: Item | None = None
) -> Item:
    """Write another training of a model; the model's row as it is then.

    asked: by a caller, whose trainings are counted. version: what is known of the version already.
    Raises Conflict while a training is running, TooManyRequests over the limit.
    """
    number = item["number"] + 1
    values = {"state": "queued", "number": number, "training": number, "attempts": 0, **_due(item["id"], now)}
    if source["type"] == "tracked":
        values["source"] = msgspec.json.encode(source)
    begun = _version(item["id"], number, item["backend"], source, now, version)
    try:
        store.transact(_begun(item, values), begun, *([_spent(now)] if asked else []))
    except Cancelled as cancelled:
        if 0 in cancelled.failed:
            raise Conflict("A training of this model is running.") from None
        raise _limited(by_day=True, now=now) from None
    return {**item, **values}


def _begun(item: Item, values: Item) -> Write:
    """The update of a model's row, if nothing has happened to it since it was looked at."""
    sets = ", ".join(f"#{name} = :{name}" for name in values)
    return Write(
        "model",
        item["id"],
        update=f"SET {sets} REMOVE #reason",
        values={**values, "seen": item["number"]},
        condition=f"#number = :seen AND {FREE}",
    )


def _version(model: str, number: int, backend: str, source: Source, now: float, known: Item | None = None) -> Write:
    item = {
        "number": number,
        "state": "training",
        "backend": backend,
        "source": msgspec.json.encode(source),
        "started_at": int(now),
        "created_at": timestamp(now),
        **(known or {}),
    }
    return Write("model", model, item, sk=versions.row(number))


def _spent(now: float) -> Write:
    """One of the day's trainings."""
    return Write(
        "trainings",
        str(int(now // DAY)),
        update="SET #expires = :expires ADD #count :one",
        values={"expires": int(now) + 2 * DAY, "one": 1, "limit": TRAININGS_A_DAY},
        condition="attribute_not_exists(#count) OR #count < :limit",
    )


def _limited(*, by_day: bool, now: float) -> TooManyRequests:
    if by_day:
        tomorrow = DAY - int(now % DAY)
        return TooManyRequests(f"An account has {TRAININGS_A_DAY} trainings a day.", retry_after=tomorrow)
    return TooManyRequests(f"An account has at most {MODELS} models; delete one first.", retry_after=60)


def _due(model: str, now: float) -> Item:
    return due(model, now + START_SECONDS)


def wake(store: AccountStore, item: Item) -> None:
    """Send for the trainer; it finds for itself what there is to do."""
    message = {"account": store.account, "model": item["id"], "number": item.get("training", 0)}
    bus.deliver("train", {**message, "backend": item["backend"]})


def sweep(store: AccountStore, item: Item, now: float) -> None:
    """A model that stands still: its trainer died, or waits for something."""
    if "training" in item and item["attempts"] > ATTEMPTS:
        from chalicelib.training import release

        release.fail(store, item, "The training broke off each time; nothing was changed.", now)
    else:
        wake(store, item)


# The schedule


def rest(item: Item, now: float) -> tuple[str, Item]:
    """What a model's row is set to when nothing is left to do: a tracked model is looked at a day later."""
    if source_of(item)["type"] != "tracked":
        return "REMOVE #sweep_pk, #sweep_at", {}
    return f"SET {DUE}", {"sweep_pk": sweep_shard(item["id"], LINE), "sweep_at": int(now) + DAY}


def source_of(item: Item) -> dict[str, Any]:
    """What a model learns from, or a version did."""
    return msgspec.json.decode(item["source"], type=dict[str, Any])


def retrain(now: float) -> None:
    """Look at every tracked model whose day has come; one bad model never stops the rest."""
    for store, _kind, model in overdue(now, A_SHARD, LINE):
        try:
            _look(store, model, now)
        except Exception:
            log.exception("model not looked at", model=model)


def _look(store: AccountStore, model: str, now: float) -> None:
    item = store.get("model", model)
    if item is None or not _claimed(store, item, now):
        return
    newest = versions.get(store, model, item.get("looked_at", 0))
    since = newest["started_at"] if newest else 0
    if enough_new(item.get("seen", 0), shown(store, window(source_of(item), now)), since):
        try:
            item = begin(store, item, source_of(item), now, asked=False)
        except Conflict:
            return  # somebody asked for it at this moment
        wake(store, item)


def _claimed(store: AccountStore, item: Item, now: float) -> bool:
    try:
        store.update(
            "model",
            item["id"],
            "SET #sweep_at = :next",
            {"next": int(now) + DAY, "seen": item.get("sweep_at", 0), "line": sweep_shard(item["id"], LINE)},
            condition=f"#sweep_at = :seen AND #sweep_pk = :line AND {FREE}",
        )
    except ConditionFailed:
        return False
    return True


def enough_new(known: int, images: Collection[str], since: int) -> bool:
    """Whether enough images are new: more than the newest training knew of, which could use them or not, or made since.

    Both, for an image may be shown long after it was made, and as many may leave the days of a source as come.
    since: Unix seconds of that training.
    """
    oldest = ids.new_id(since)
    made = sum(ids.is_id(image) and image > oldest for image in images)
    return max(len(images) - known, made) >= max(NEW_POSTS, NEW_SHARE * known)


def window(source: Source, now: float) -> tuple[int, int]:
    """The days of a tracked source, as `tracking.labels` takes them."""
    return int(now) - source["days"] * DAY, int(now)


def shown(store: AccountStore, days: tuple[int, int]) -> set[str]:
    """The images that were shown at all."""
    from chalicelib.tracking import labels

    return {cell.image for cell in labels.read(store.account, days) if cell.impressions}
