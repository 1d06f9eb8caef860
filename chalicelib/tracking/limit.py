"""How many events a write key may send: so many a minute, counted together by all executions of the API.

Each execution counts for itself and adds to the key's row once a second at most, which costs next to nothing; so the
limit is held to within what all of them take in a second.
"""

from __future__ import annotations

import msgspec

from chalicelib import log
from chalicelib.errors import TooManyRequests
from chalicelib.store import AccountStore

EVENTS_A_MINUTE = 120_000
TOLD_SECONDS = 1.0
KEPT_SECONDS = 300


class Minute(msgspec.Struct):
    """One key's minute as this execution knows it: what is not yet told, and the sum of all at the last telling."""

    number: int
    untold: int = 0
    sum: int = 0
    told_at: float = 0.0


_minutes: dict[str, Minute] = {}


def spend(account: str, key: str, events: int, now: float) -> None:
    """Count these events. Raises TooManyRequests when the key has had its share of this minute."""
    minute = _minutes.get(key)
    if minute is None or minute.number != int(now // 60):
        minute = _minutes[key] = Minute(int(now // 60))
    if minute.sum + minute.untold + events > EVENTS_A_MINUTE:
        log.metric("EventsLimited", events)
        raise TooManyRequests("This write key sends too much; try again soon.", retry_after=60 - int(now % 60))
    minute.untold += events
    if now - minute.told_at >= TOLD_SECONDS:
        minute.told_at = now
        told, minute.untold = minute.untold, 0
        minute.sum = _tell(account, f"{key}#{minute.number}", told, now)


def _tell(account: str, name: str, events: int, now: float) -> int:
    """Add to the row; the sum of all executions."""
    item = AccountStore(account).update(
        "rate",
        name,
        "ADD #events :events SET #expires = :expires",
        {"events": events, "expires": int(now) + KEPT_SECONDS},
        condition="attribute_exists(pk) OR attribute_not_exists(pk)",
    )
    return int(item["events"])
