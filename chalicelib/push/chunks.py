"""Chunks: at most 250 rows of one campaign and channel in one partition, and one message on the queue.

A row is one message to one recipient. It moves by conditional writes alone:

| from     | to               | who                                                                              |
|----------|------------------|----------------------------------------------------------------------------------|
| planned  | sending, token   | a worker, before it publishes; the token is new with every claim                 |
| sending  | final            | the one whose token it holds                                                     |
| sending  | planned          | the same, when nothing was sent for certain                                      |
| sending  | unknown          | whoever has the chunk's lease, at most once: the claim is of a worker before     |
| sending  | sending, token   | whoever has the chunk's lease, at least once                                     |
| unknown  | sent ...         | the one whose token it still holds: it was slower than its lease                 |
| planned  | skipped, cancelled | whoever has the chunk's lease                                                  |

So a row is published at most once for each claim, and is claimed again only where nothing was sent, or where twice is
allowed. The lease only keeps workers from each other's way: no promise rests on clocks.

The chunk's counts are set from its rows by a transaction on the chunk's version, which moves the difference into one of
the campaign's progress shards. So shards are always the sum of chunks, and chunks are exact once nobody works.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import suppress
from zlib import crc32

import msgspec

from chalicelib import aws, bus
from chalicelib.errors import Unavailable
from chalicelib.store import AccountStore, Cancelled, Change, ConditionFailed, Item, Write, sweep_shard

MOST_ROWS = 250
CHANNELS = {"s": "sms", "p": "push"}
QUEUES = {"sms": "send_sms", "push": "send_push"}
STATES = ("planned", "sending", "sent", "failed", "skipped", "unknown", "cancelled")
OPEN = frozenset({"planned", "sending"})
SHARDS = 8
# Of the sweeper, see images.sweep.
LINE = "chunks"
# How long a chunk may stand still before the sweeper sends its message again.
PATIENCE_SECONDS = 900
# No lease is longer: one that ends later was taken by a clock that was ahead, and does not hold.
LONGEST_LEASE_SECONDS = 900
SETTLES = 8


class Row(msgspec.Struct, frozen=True):
    """text: gone once the row is final. parts: SMS that it is billed as. at: when it came into its state, Unix.

    message: SNS's id of it. tries: how often SNS was asked and nobody knows what came of it.
    """

    recipient: str
    state: str = "planned"
    text: str | None = None
    parts: int = 1
    reason: str | None = None
    at: int = 0
    token: str | None = None
    message: str | None = None
    tries: int = 0


KEPT = tuple(name for name in Row.__struct_fields__ if name != "recipient")


class Move(msgspec.Struct, frozen=True):
    """A change of one row, if its state, token and tries so far are these; `None` demands, or sets, nothing."""

    recipient: str
    to: str
    at: int
    state: str | None = None
    token: str | None = None
    new_token: str | None = None
    reason: str | None = None
    message: str | None = None
    tries: int | None = None
    tried: int | None = None


class Held(Exception):
    """Another worker has the chunk. until: when its lease ends, Unix seconds."""

    def __init__(self, until: int):
        super().__init__(until)
        self.until = until


# Names


def key(campaign: str, segment: int, page: int, channel: str) -> str:
    """The chunk's id, from which its campaign and channel can be told."""
    return f"{campaign}-{segment:02}{page:05}{channel[0]}"


def campaign_of(chunk: str) -> str:
    return chunk.rpartition("-")[0]


def channel_of(chunk: str) -> str:
    return CHANNELS[chunk[-1]]


# Planning


def write(store: AccountStore, chunk: str, rows: list[Row], now: float) -> None:
    """Write the rows that are not there, then the chunk, and count them. Safe to repeat, also while it is being sent.

    rows: at most 250, planned with a text, or skipped with a reason; the same at every repetition.
    """
    store.insert_many("chunk", [(chunk, f"row#{row.recipient}", _item(row, now)) for row in rows])
    head = {
        "id": chunk,
        "campaign": campaign_of(chunk),
        "channel": channel_of(chunk),
        "rows": len(rows),
        "version": 0,
        "counts": {},
        "attempts": 0,
        "sweep_pk": sweep_shard(chunk, LINE),
        "sweep_at": int(now) + PATIENCE_SECONDS,
    }
    with suppress(ConditionFailed):
        store.put("chunk", chunk, head, new=True)
    settle(store, chunk)


def _item(row: Row, now: float) -> Item:
    item = msgspec.structs.asdict(row)
    del item["recipient"]
    return {**item, "at": row.at or int(now)}


# The lease


def claim(store: AccountStore, chunk: str, token: str, now: float, lease_seconds: int) -> Item | None:
    """The chunk, now leased to `token`; None if it does not exist. Raises Held."""
    times = {"now": int(now), "until": int(now) + lease_seconds, "far": int(now) + LONGEST_LEASE_SECONDS}
    try:
        return store.update(
            "chunk",
            chunk,
            "SET #lease = :until, #holder = :token",
            {**times, "token": token},
            condition="attribute_exists(#version) AND "
            "(attribute_not_exists(#lease) OR #lease <= :now OR #lease > :far OR #holder = :token)",
        )
    except ConditionFailed:
        head = store.get("chunk", chunk)
        if head is None:
            return None
        raise Held(head.get("lease", int(now))) from None


def release(store: AccountStore, chunk: str, token: str, now: float, *, again_at: float | None = None) -> None:
    """Give the lease back, unless somebody else has it. again_at: nothing can be sent before, Unix seconds."""
    sweep_at = int(now if again_at is None else again_at) + PATIENCE_SECONDS
    values: Item = {"token": token, "sweep": sweep_at, "zero": 0}
    update, remove = "SET #sweep_at = :sweep, #attempts = :zero", "#lease, #holder, #not_before"
    if again_at is not None:
        update, remove = f"{update}, #not_before = :again", "#lease, #holder"
        values |= {"again": int(again_at), "sweep": int(again_at)}
    with suppress(ConditionFailed):
        store.update("chunk", chunk, f"{update} REMOVE {remove}", values, condition="#holder = :token")


# Rows


def rows(store: AccountStore, chunk: str, state: str | None = None) -> list[Row]:
    """The chunk's rows by recipient, or those in one state."""
    found = [row_of(item) for item in store.partition("chunk", chunk, prefix="row#")]
    return [row for row in found if state in (None, row.state)]


def row_of(item: Item) -> Row:
    known = {name: item[name] for name in KEPT if name in item}
    return Row(recipient=item["sk"].removeprefix("row#"), **known)


def move(store: AccountStore, chunk: str, moves: list[Move]) -> list[bool]:
    """Whether each move was made, now or by a try whose answer was lost. Raises Unavailable, and then some may be."""
    answers = store.change_many("chunk", [_change(chunk, each) for each in moves])
    return [answer.done or _is_done(each, answer.found) for each, answer in zip(moves, answers, strict=True)]


def _change(chunk: str, move: Move) -> Change:
    sets: Item = {"state": move.to, "at": move.at, "token": move.new_token, "reason": move.reason}
    sets |= {"message": move.message, "tries": move.tries}
    where: Item = {"state": move.state, "token": move.token, "tries": move.tried}
    gone = {"planned": ("token",), "sending": ()}.get(move.to, ("text",))
    return Change(chunk, f"row#{move.recipient}", sets, where, gone)


def _is_done(move: Move, found: Item) -> bool:
    return move.new_token is not None and (found.get("state"), found.get("token")) == (move.to, move.new_token)


# Counting


def settle(store: AccountStore, chunk: str) -> dict[str, int]:
    """Count the rows into the chunk and its campaign's progress; {} if the chunk does not exist.

    What its caller did to rows before is counted when it returns, whoever else is at it: the version is read before
    the rows, and who loses the race counts again. Raises Unavailable after too many races.
    """
    for attempt in range(SETTLES):
        head = store.get("chunk", chunk)
        if head is None:
            return {}
        counts = dict(Counter(item["state"] for item in store.attributes("chunk", chunk, "row#", "state")))
        try:
            store.transact(*_counted(head, counts))
        except Cancelled:
            continue
        except Exception as error:
            # Another chunk of the same shard is settled at this very moment.
            if aws.error_code(error) != "TransactionCanceledException":
                raise
            time.sleep(random.uniform(0, 0.01 * 2**attempt))
        else:
            return counts
    raise Unavailable("The chunk is being counted by others.")


def _counted(head: Item, counts: dict[str, int]) -> list[Write]:
    chunk, version = head["id"], head["version"]
    update = "SET #counts = :counts, #version = :next"
    if OPEN.isdisjoint(counts):
        update += " REMOVE #sweep_pk, #sweep_at, #not_before"
    values: Item = {"counts": counts, "next": version + 1, "version": version}
    own = Write("chunk", chunk, update=update, values=values, condition="#version = :version")
    moved = {state: counts.get(state, 0) - head["counts"].get(state, 0) for state in STATES}
    moved = {f"{head['channel']}_{state}": number for state, number in moved.items() if number}
    if not moved:
        return [own]
    return [own, _shard(head["campaign"], chunk, moved)]


def _shard(campaign: str, chunk: str, moved: dict[str, int]) -> Write:
    return Write(
        "campaign",
        campaign,
        sk=f"campaign#{crc32(chunk.encode()) % SHARDS}",
        update="ADD " + ", ".join(f"#{name} :{name}" for name in moved),
        values=moved,
        condition="attribute_not_exists(#deleted)",
    )


# The message


def deliver(store: AccountStore, chunk: str, delay: int = 0) -> None:
    """Put the chunk's message on its channel's queue, to be had after `delay` seconds, at most 900."""
    payload = {"account": store.account, "campaign": campaign_of(chunk), "chunk": chunk}
    bus.deliver(QUEUES[channel_of(chunk)], payload, delay=delay)
