"""The sweeper: finds what stands still longer than it should, and sends it on or ends it.

It covers lost events and every crash between a write and its publish, so the workers need not be perfect.
"""

from __future__ import annotations

from chalicelib import bus, log, ranking
from chalicelib.images import ingest, lifecycle, record
from chalicelib.store import AccountStore, ConditionFailed, Item, overdue

A_SHARD = 100


def sweep(now: float) -> None:
    """Look at everything overdue; one bad item never stops the rest."""
    for store, kind, key in overdue(now, A_SHARD):
        try:
            sweep_one(store, kind, key, now)
        except Exception:
            log.exception("sweep failed", kind=kind, key=key)


def sweep_one(store: AccountStore, kind: str, key: str, now: float) -> None:
    item = store.get(kind, key)
    if item is None or item.get("sweep_at", now + 1) > now:
        return
    log.metric("Swept", kind=kind)
    try:
        item = _postpone(store, kind, item, now)
    except ConditionFailed:
        return  # another sweeper has it, or it moved on
    if kind == "ranking":
        ranking.sweep(store, item, last=item["attempts"] > record.ATTEMPTS)
    elif item["state"] == "awaiting_upload":
        _look_for_upload(store, item, now)
    else:
        _push_on(store, item)


def _postpone(store: AccountStore, kind: str, item: Item, now: float) -> Item:
    """Claim the item until its next look; each look waits longer."""
    return store.update(
        kind,
        item["id"],
        "SET #sweep_at = :next, #attempts = #attempts + :one",
        {
            "next": int(now + record.PATIENCE_SECONDS * (item["attempts"] + 1)),
            "one": 1,
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
