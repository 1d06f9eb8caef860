"""From pages to rows of counts, an hour at a time.

An hour is dirty while its pages may know more than its rows. A consumer marks the hour before it adds, until a time at
which the consumer is certainly dead; the roll-up reads the pages after that time, writes the rows, and removes the mark
if it is still the same. So an addition that lands while the roll-up reads belongs to a later mark, and a consumer that
dies leaves one. An hour in its course is dirty from its first event on; there is no other kind of open hour.

    dirty    {until}                               readers take the pages
    clean                                          readers take the rows

Rows are set, never added to: rolling up again gives the same. `as_of` holds off a roll-up that was overtaken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from zlib import crc32

import msgspec

from chalicelib import log
from chalicelib.store import AccountStore, ConditionFailed, Item, sweep_shard, waiting
from chalicelib.tracking import counts, pages
from chalicelib.tracking.counts import Tallies
from chalicelib.tracking.pages import HOUR, Layout

# No function of AWS Lambda runs longer; marks end at whole quarters of an hour, so a busy hour is marked once in one.
RUN_SECONDS = 900
LINE = "rollup"
A_SHARD = 100

SHARDS = 32
TOTAL = "total"
SUBJECTS_A_ROW = 5000  # of at most 65 bytes each
ROWS_KEPT_SECONDS = 400 * pages.DAY


# Names


def hour_name(hour: int) -> str:
    return datetime.fromtimestamp(hour, UTC).strftime("%Y-%m-%dT%H")


def day_name(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d")


def second_of(name: str) -> int:
    """The Unix second at which an hour or a day of that name begins."""
    return int(datetime.fromisoformat(name if "T" not in name else f"{name}:00").replace(tzinfo=UTC).timestamp())


def shard_of(subject: str) -> str:
    """The partition of a subject's counts: an image's, or a ranking's with all its images."""
    if subject == counts.EVERYTHING:
        return TOTAL
    return str(crc32(subject[: 1 + pages.ID_LENGTH].encode()) % SHARDS)


# Marks


def mark(store: AccountStore, hours: Iterable[int], now: float) -> None:
    """Make hours dirty for as long as a consumer that began at `now` can run. To be done before it adds to them."""
    marked = dirty(store)
    for hour in sorted(hours):
        if marked.get(hour, 0) < now + RUN_SECONDS:
            _mark(store, hour, _until(hour, now))


def dirty(store: AccountStore) -> dict[int, int]:
    """Dirty hours and until when they are marked."""
    return {second_of(item["sk"]): item["until"] for item in store.partition("dirty")}


def _until(hour: int, now: float) -> int:
    """An hour in its course needs one mark, for it lasts beyond the end."""
    earliest = max(int(now) + 1, hour + HOUR) + RUN_SECONDS
    return -(-earliest // RUN_SECONDS) * RUN_SECONDS


def _mark(store: AccountStore, hour: int, until: int) -> None:
    name = hour_name(hour)
    item = {"until": until, "sweep_pk": sweep_shard(f"{store.account}{name}", LINE), "sweep_at": until}
    try:
        store.replace(
            "dirty", "", item, {"until": until}, condition="attribute_not_exists(#until) OR #until < :until", sk=name
        )
    except ConditionFailed:
        return  # another consumer marked it for longer


# Pages


def page_key(hour: int, group: int) -> str:
    return f"{hour_name(hour)}-{group}"


def set_sizes(store: AccountStore, hour: int, groups: Iterable[int]) -> Iterator[dict[str, int]]:
    """For each page of the hour in these groups: how many digests each of its sets has."""
    for group in groups:
        parts: dict[str, list[Item]] = {}
        for item in store.partition("page", page_key(hour, group)):
            parts.setdefault(item["sk"].partition("#")[0], []).append(_sets(item))
        yield from map(counts.united, parts.values())


def _sets(item: Item) -> Item:
    return {name: value for name, value in item.items() if isinstance(value, set)}


# Layouts


def layouts(store: AccountStore) -> list[Layout]:
    """How the account's pages are cut, oldest first."""
    item = store.get("layout")
    return msgspec.json.decode(item["epochs"], type=list[Layout]) if item else [pages.FIRST_LAYOUT]


def adapt(store: AccountStore, known: list[Layout], hour: int, hour_bytes: int, now: float) -> None:
    """Choose the layout from the hour after next on, by the volume of an hour that has just ended.

    No consumer that runs now can have an event of that hour, whichever layout it read.
    """
    start = pages.hour_of(int(now)) + 2 * HOUR
    if start - hour > 5 * HOUR or known[-1].start >= start:
        return
    layout = pages.next_layout(start, hour_bytes, known[-1])
    if layout.groups == known[-1].groups:
        return
    kept = [each for each, after in zip(known, [*known[1:], layout], strict=True) if pages.is_kept(after.start, now)]
    item = {"epochs": msgspec.json.encode([*kept, layout]).decode(), "latest": start}
    try:
        store.replace("layout", "", item, {"latest": start}, condition="attribute_not_exists(pk) OR #latest < :latest")
    except ConditionFailed:
        return  # another roll-up chose


# Rolling up


def roll_up(now: float) -> None:
    """Roll up every hour whose mark has ended; one that fails never stops the rest, and is raised at the end."""
    failures = []
    for store, name in waiting(LINE, now, A_SHARD):
        try:
            roll_hour(store, second_of(name), now)
        except Exception as error:
            log.exception("roll-up failed", account=store.account, hour=name)
            failures.append(error)
    if failures:
        raise failures[0]


def roll_hour(store: AccountStore, hour: int, now: float) -> None:
    """Set the hour's rows from its pages, unless it is still marked; does nothing to a clean hour."""
    name = hour_name(hour)
    item = store.get("dirty", "", name)
    if item is None or item["until"] > now:
        return
    if pages.is_kept(hour, now):
        known = layouts(store)
        tallies, hour_bytes = _tallied(store, hour, pages.layout_at(known, hour))
        try:
            _write_hour(store, name, tallies, item["until"])
        except ConditionFailed:
            return  # overtaken
        adapt(store, known, hour, hour_bytes, now)
    else:
        log.warning("hour not rolled up: its pages may be gone", account=store.account, hour=name)
    try:
        store.remove("dirty", "", {"until": item["until"]}, condition="#until = :until", sk=name)
    except ConditionFailed:
        return  # marked again: the next roll-up sees what came


def _tallied(store: AccountStore, hour: int, layout: Layout) -> tuple[Tallies, int]:
    """The counts of an hour, and the bytes of its pages."""
    tallies: Tallies = {}
    size = 0
    for sizes in set_sizes(store, hour, range(layout.groups)):
        counts.merge(tallies, counts.tally(sizes.items()))
        size += pages.page_bytes(sizes)
    return tallies, size


# Rows


def rows(tallies: Tallies, name: str) -> Iterator[tuple[str, str, bytes]]:
    """(shard, sort key, packed counts) of the rows that hold these counts."""
    shards: dict[str, Tallies] = {}
    for subject in sorted(tallies):
        shards.setdefault(shard_of(subject), {})[subject] = tallies[subject]
    for shard, mine in shards.items():
        left = iter(mine.items())
        part = 0
        while some := dict(islice(left, SUBJECTS_A_ROW)):
            yield shard, f"{name}#{part}" if part else name, msgspec.msgpack.encode(some)
            part += 1


def _write_hour(store: AccountStore, name: str, tallies: Tallies, as_of: int) -> None:
    expires = second_of(name) + ROWS_KEPT_SECONDS
    for shard, sk, packed in rows(tallies, f"H#{name}"):
        store.replace(
            "counts",
            shard,
            {"counts": packed, "as_of": as_of, "expires": expires},
            {"as_of": as_of},
            condition="attribute_not_exists(#as_of) OR #as_of <= :as_of",
            sk=sk,
        )


def write_day(store: AccountStore, day: str, tallies: Tallies) -> None:
    """Write the canonical counts of a day (such as "2026-11-22"), which readers prefer to its hours from then on.

    For compaction, which has seen late events too. The same again changes nothing; other counts replace these.
    """
    name = f"D#{day}"
    written = {(shard, sk): packed for shard, sk, packed in rows({counts.EVERYTHING: [0] * 4, **tallies}, name)}
    for shard in map(str, range(SHARDS)):
        for item in store.between("counts", shard, name, f"{name}#~"):
            if (shard, item["sk"]) not in written:
                store.delete("counts", shard, item["sk"])
    total = written.pop((TOTAL, name))
    for (shard, sk), packed in written.items():
        store.put("counts", shard, {"counts": packed}, sk=sk)
    # Last: the row of the whole account says that the day is canonical.
    store.put("counts", TOTAL, {"counts": total}, sk=name)


def unpack(item: Item) -> Tallies:
    return msgspec.msgpack.decode(item["counts"], type=Tallies)
