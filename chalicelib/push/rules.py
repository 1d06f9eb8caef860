"""The rules of an account's game, as it sets them; `game` says what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chalicelib.errors import Unprocessable
from chalicelib.push.game import Rules
from chalicelib.store import sweep_shard

if TYPE_CHECKING:
    from chalicelib.store import AccountStore

KIND = "game"
# The accounts whose standings are to be computed, by the time of the next computation.
LINE = "standings"
DAY = 86_400
#: UTC, an hour after the daily compaction begins, which may take half of it.
COMPUTED_AT = int(4.5 * 3600)
#: As many days as a computation reads; without seasons the last ones of all.
LONGEST_SEASON = 366
#: Every snapshot has a copy, in an item of at most 400 kB.
MOST_BYTES = 100_000


def put(store: AccountStore, rules: Rules, now: float) -> Rules:
    """Set the rules; the next snapshot counts by them from the season's first day on. Raises Unprocessable."""
    encoded = _checked(rules)
    store.update(
        KIND,
        "",
        "SET #rules = :rules, #sweep_pk = :line, #sweep_at = if_not_exists(#sweep_at, :next), "
        "#snapshots = if_not_exists(#snapshots, :zero) ADD #version :one",
        {"rules": encoded, "line": sweep_shard(store.account, LINE), "next": next_time(now), "one": 1, "zero": 0},
        condition="attribute_not_exists(#version) OR #version > :zero",  # whatever they were
    )
    return rules


def get(store: AccountStore) -> Rules:
    """Empty while there are none."""
    item = store.get(KIND)
    return Rules() if item is None else msgspec.json.decode(item["rules"], type=Rules)


def next_time(now: float) -> int:
    """When the standings are computed by themselves next, Unix seconds."""
    return int((now - COMPUTED_AT) // DAY + 1) * DAY + COMPUTED_AT


def _checked(rules: Rules) -> bytes:
    for number, season in enumerate(rules.seasons):
        if (season.ends - season.starts).days >= LONGEST_SEASON:
            message = f"The season {season.name!r} has more than {LONGEST_SEASON} days."
            raise Unprocessable(message, field=f"seasons[{number}].ends")
    encoded = msgspec.json.encode(rules)
    if len(encoded) > MOST_BYTES:
        raise Unprocessable(f"The rules have more than {MOST_BYTES:,} bytes.")
    return encoded
