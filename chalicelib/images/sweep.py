"""The sweeper: finds what stands still longer than it should, and sends it on or ends it.

It covers lost events and every crash between a write and its publish, so the workers need not be perfect. Where a queue
still holds messages, what waits for that queue is only late: it is neither asked for again nor counted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from chalicelib import bus, log, ranking
from chalicelib.images import ingest, lifecycle, record
from chalicelib.push import campaigns, chunks, sending
from chalicelib.store import AccountStore, ConditionFailed, Item, overdue
from chalicelib.training import retraining

A_SHARD = 100
# Chunks of campaigns have a line of their own: thousands that wait for a slow channel keep nothing else from its turn.
LINES = ("sweep", chunks.LINE)


def sweep(now: float) -> None:
    """Look at everything overdue; one bad item never stops the rest."""
    busy = cache(bus.busy_workers)
    for line in LINES:
        for store, kind, key in overdue(now, A_SHARD, line):
            try:
                sweep_one(store, kind, key, now, busy)
            except Exception:
                log.exception("sweep failed", kind=kind, key=key)


def sweep_one(store: AccountStore, kind: str, key: str, now: float, busy: Callable[[], frozenset[str]]) -> None:
    item = store.get(kind, key)
    if item is None or item.get("sweep_at", now + 1) > now:
        return
    late = not busy().isdisjoint(_waits_for(kind, item))
    try:
        item = _postpone(store, kind, item, now, looks=0 if late else 1)
    except ConditionFailed:
        return  # another sweeper has it, or it moved on
    if late:
        return
    log.metric("Swept", kind=kind)
    if kind == "campaign":
        campaigns.sweep(store, item, now)
    elif kind == "chunk":
        sending.again(store, key)
    elif kind == "ranking":
        ranking.sweep(store, item, last=item["attempts"] > record.ATTEMPTS)
    elif kind == "model":
        retraining.sweep(store, item, now)
    elif item["state"] == "awaiting_upload":
        _look_for_upload(store, item, now)
    else:
        _push_on(store, item)


def _waits_for(kind: str, item: Item) -> frozenset[str]:
    """The workers whose queues the item may stand in."""
    if kind == "ranking":
        return frozenset(bus.IMAGE_WORKERS)
    if kind == "model":
        return frozenset({"train"})
    if kind == "campaign":
        return campaigns.waits_for(item)
    if kind == "chunk":
        # The first look after quiet hours: no message of it stands in a queue, however long that is.
        is_let_go = "not_before" in item and not item["attempts"]
        return frozenset() if is_let_go else frozenset({chunks.QUEUES[item["channel"]]})
    return frozenset(item.get("pending", ())) or frozenset({"score"} if item["state"] == "ready" else ())


def _postpone(store: AccountStore, kind: str, item: Item, now: float, looks: int) -> Item:
    """Claim the item until its next look; each look that counts waits longer."""
    patience = chunks.PATIENCE_SECONDS if kind == "chunk" else record.PATIENCE_SECONDS
    return store.update(
        kind,
        item["id"],
        "SET #sweep_at = :next, #attempts = #attempts + :looks",
        {
            "next": int(now + patience * (item["attempts"] + 1)),
            "looks": looks,
            "seen": item["sweep_at"],
        },
        condition="#sweep_at = :seen",
    )


def _push_on(store: AccountStore, item: Item) -> None:
    image, pending = item["id"], sorted(item.get("pending", ()))
    if item["attempts"] > record.ATTEMPTS:
        _end(store, item, f"The {pending[0] if pending else 'score'} of this image could not be computed.")
    elif item["state"] == "processing":
        lifecycle.request_processing(store, item)
    elif item["state"] == "ready":
        bus.publish(bus.ImageProcessed(store.account, image))


def _look_for_upload(store: AccountStore, item: Item, now: float) -> None:
    """Claimed and counted before it is read: an upload that kills its reader must not kill every sweep to come."""
    if ingest.uploaded(store.account, item["id"]) is None:
        _end(store, item, "Nothing was uploaded before the slot expired.")
    elif item["attempts"] > record.ATTEMPTS:
        _end(store, item, "The file cannot be read.")
    else:
        ingest.ingest(store, item["id"], now)


def _end(store: AccountStore, item: Item, reason: str) -> None:
    """Fail the image, unless it has moved on since it was seen."""
    lifecycle.fail(store, item["id"], reason, condition="#state = :seen", seen=item["state"])
