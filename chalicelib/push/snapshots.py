"""Snapshots of the standings: frozen when they are made, and read by shard, by page or around one recipient.

    standings/{account}/{snapshot}/{shard}.json.gz         the shard's recipients, best first
    standings/{account}/{snapshot}/ranked/{page}.json.gz   all, best first, 1,000 in each
    standings/{account}/{snapshot}/made/...                what only the computation reads

All are JSON lines. The table knows when a snapshot was made and of what, and which is the latest; S3 removes the files
after 90 days. Shards are those of the recipients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import aws, contract
from chalicelib.errors import NotFound
from chalicelib.ids import LENGTH
from chalicelib.push.game import Standing
from chalicelib.settings import settings
from chalicelib.tracking.tallies import shard_of

if TYPE_CHECKING:
    from chalicelib.store import AccountStore

KIND = "snapshot"
PAGE_ROWS = 1000


class Ranked(msgspec.Struct, frozen=True, array_like=True):
    """place: among all, from 0. Those of one rank stand by shard, then by id."""

    id: str
    points: int
    rank: int
    place: int
    level: str | None
    badges: tuple[str, ...]
    movement: int | None

    @property
    def standing(self) -> Standing:
        return Standing(self.points, self.rank, self.level, self.badges, self.movement)


def latest(store: AccountStore) -> str | None:
    """The newest complete snapshot."""
    item = store.get("snapshots", sk="latest")
    return item["snapshot"] if item else None


def shard(store: AccountStore, snapshot: str, number: int) -> dict[str, Standing]:
    """By recipient. Empty where the snapshot is gone."""
    rows = read(store.account, snapshot, by_shard(number), Ranked) or []
    return {row.id: row.standing for row in rows}


# For callers


def page(store: AccountStore, query: contract.StandingsQuery) -> contract.Standings:
    """Raises NotFound for a recipient without a standing, and for a cursor of no snapshot that there is."""
    snapshot, place = _cursor(query.cursor) if query.cursor else (latest(store), 0)
    item = store.get(KIND, snapshot) if snapshot else None
    if item is None or snapshot is None:
        return _without(query)
    if query.around and not query.cursor:
        place = max(0, _place(store, snapshot, query.around) - query.limit // 2)
    items = _rows(store, snapshot, place, min(place + query.limit, item["total"]))
    end = place + len(items)
    return contract.Standings(
        items=items,
        next=f"{snapshot}{end}" if end < item["total"] else None,
        total=item["total"],
        snapshot=snapshot,
        computed_at=item["computed_at"],
        counted_until=item.get("counted_until") or None,
        season=item.get("season"),
    )


def _without(query: contract.StandingsQuery) -> contract.Standings:
    if query.cursor:
        raise NotFound("This cursor is of no snapshot that there is.", field="cursor")
    if query.around:
        raise NotFound("This recipient has no standing.", field="around")
    return contract.Standings(items=[], next=None)


def _cursor(cursor: str) -> tuple[str, int]:
    return cursor[:LENGTH], int(cursor[LENGTH:])


def _place(store: AccountStore, snapshot: str, recipient: str) -> int:
    for row in read(store.account, snapshot, by_shard(shard_of(recipient)), Ranked) or []:
        if row.id == recipient:
            return row.place
    raise NotFound("This recipient has no standing.", field="around")


def _rows(store: AccountStore, snapshot: str, first: int, end: int) -> list[contract.Standing]:
    found: list[contract.Standing] = []
    for number in range(first // PAGE_ROWS, -(-end // PAGE_ROWS)):
        rows = read(store.account, snapshot, by_rank(number), Ranked)
        if rows is None:
            raise NotFound("These standings are too old; they are gone.")
        found += [_view(row) for row in rows if first <= row.place < end]
    return found


def _view(row: Ranked) -> contract.Standing:
    return contract.Standing(row.id, row.points, row.rank, row.level, list(row.badges), row.movement)


# The files


def by_shard(number: int) -> str:
    return f"{number:02}"


def by_rank(number: int) -> str:
    return f"ranked/{number:06}"


def key(account: str, snapshot: str, part: str) -> str:
    return f"standings/{account}/{snapshot}/{part}.json.gz"


def write(account: str, snapshot: str, part: str, rows: Iterable[Any], *, new: bool = False) -> bool:
    """Store a part; the same rows are the same bytes. False where it is there already and was to be new."""
    import gzip

    body = gzip.compress(msgspec.json.Encoder().encode_lines(rows), 6, mtime=0)
    condition: Any = {"IfNoneMatch": "*"} if new else {}
    name = key(account, snapshot, part)
    try:
        aws.s3().put_object(Bucket=settings().media_bucket, Key=name, Body=body, **condition)
    except Exception as error:
        # A conflict: another worker writes it at this moment, so that our message has to come again.
        if new and aws.error_code(error) == "PreconditionFailed":
            return False
        raise
    return True


def read[T](account: str, snapshot: str, part: str, row: type[T]) -> list[T] | None:
    """All rows of a part; None if there is none."""
    import gzip

    data = aws.read_object(settings().media_bucket, key(account, snapshot, part))
    return None if data is None else msgspec.json.Decoder(row).decode_lines(gzip.decompress(data))


def stream[T](account: str, snapshot: str, part: str, row: type[T]) -> Iterator[T]:
    """The rows of a part that there is, of which only the packed bytes are in memory."""
    import gzip
    import io

    decode = msgspec.json.Decoder(row).decode
    with gzip.open(io.BytesIO(aws.read_object(settings().media_bucket, key(account, snapshot, part)) or b"")) as lines:
        yield from map(decode, lines)
