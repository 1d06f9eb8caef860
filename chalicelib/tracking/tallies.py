"""What an account's customers did, by day: how often each event, for the events that say whose they are.

    tallies/account=A/dt=D/{shard}.json.gz    lines [user, event key, count] in that order
    tallies/account=A/until.json              {"day": the last day whose arrivals are in them}

The daily compaction writes them from the day's file: each event once, bots left out, track events with a `userId`
alone, under `game.event_key`. A customer's shard is the same on every day, so that sums over days are made shard by
shard. A shard in which nobody did anything has no object, or an empty one. The same day gives the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import batched, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec

from chalicelib import aws
from chalicelib.push.game import event_key
from chalicelib.settings import settings

if TYPE_CHECKING:
    from pathlib import Path

SHARDS = 32
PARALLEL_READS = 16

Row = tuple[str, str, int]

DECODER = msgspec.json.Decoder(Row)


class Until(msgspec.Struct, frozen=True):
    day: str


def shard_of(user: str) -> int:
    return crc32(user.encode()) % SHARDS


def prefix(account: str) -> str:
    return f"tallies/account={account}/"


def key(account: str, day: str, shard: int) -> str:
    """day: YYYY-MM-DD."""
    return f"{prefix(account)}dt={day}/{shard:02}.json.gz"


# Written


def by_key(found: Iterable[tuple[str, str, int]]) -> Iterator[Row]:
    """(user, event's name, count) sorted by user, as rows in their order: names that are one event become one."""
    for user, named in groupby(found, key=itemgetter(0)):
        counts: Counter[str] = Counter()
        for _, name, count in named:
            counts[event_key(name)] += count
        yield from ((user, each, count) for each, count in sorted(counts.items()))


def write(rows: Iterable[Row], folder: Path) -> dict[int, Path]:
    """Files of the shards that have rows, written as the rows come."""
    import gzip
    from contextlib import ExitStack

    paths: dict[int, Path] = {}
    files: dict[int, Any] = {}
    with ExitStack() as stack:
        for row in rows:
            shard = shard_of(row[0])
            if shard not in files:
                paths[shard] = folder / f"tally{shard:02}"
                plain = stack.enter_context(paths[shard].open("wb"))
                # Neither a time nor a name in it.
                files[shard] = stack.enter_context(gzip.GzipFile("", "wb", fileobj=plain, mtime=0))
            files[shard].write(msgspec.json.encode(row) + b"\n")
    return paths


def put(account: str, day: str, paths: dict[int, Path]) -> None:
    """Store a day's files; a shard that had rows before and has none any more ends."""
    bucket = settings().events_bucket
    for shard, path in paths.items():
        aws.s3().put_object(Bucket=bucket, Key=key(account, day, shard), Body=path.read_bytes())
    for gone in _shards(account, day) - paths.keys():
        aws.s3().put_object(Bucket=bucket, Key=key(account, day, gone), Body=b"")


def put_until(account: str, day: str) -> None:
    body = msgspec.json.encode(Until(day))
    aws.s3().put_object(Bucket=settings().events_bucket, Key=f"{prefix(account)}until.json", Body=body)


def _shards(account: str, day: str) -> set[int]:
    start = f"{prefix(account)}dt={day}/"
    return {int(each["Key"].removeprefix(start)[:2]) for page in _listed(start) for each in page.get("Contents", [])}


# Read


def until(account: str) -> str:
    """The last day whose arrivals were compacted, or "" before the first."""
    data = aws.read_object(settings().events_bucket, f"{prefix(account)}until.json")
    return msgspec.json.decode(data, type=Until).day if data else ""


def days(account: str, first: str, last: str) -> list[str]:
    """The days from `first` to `last`, both included, on which anybody did anything, in order."""
    start = f"{prefix(account)}dt="
    folders = [each["Prefix"] for page in _listed(start, Delimiter="/") for each in page.get("CommonPrefixes", [])]
    found = [folder.removeprefix(start).rstrip("/") for folder in folders]
    return [day for day in found if first <= day <= last]


def read(account: str, days: Sequence[str], shard: int) -> Iterator[list[Row]]:
    """The rows of each of these days that has any; a few days are held at once."""
    from concurrent.futures import ThreadPoolExecutor

    read = partial(aws.read_object, settings().events_bucket)
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        for some in batched(days, PARALLEL_READS):
            for data in pool.map(read, [key(account, day, shard) for day in some]):
                if data:
                    yield decode(data)


def decode(data: bytes) -> list[Row]:
    import gzip

    return DECODER.decode_lines(gzip.decompress(data))


def _listed(start: str, **more: str) -> Iterator[Any]:
    pages: Any = aws.s3().get_paginator("list_objects_v2")
    yield from pages.paginate(Bucket=settings().events_bucket, Prefix=start, **more)
