"""Days of distinct events, as Parquet files in a folder: what the compaction does, without AWS. Needs DuckDB.

    with Daybook(folder, memory_mb=512) as book:
        book.enter(lines)                              raw lines, in the order in which they were stored
        book.know(day, path)                           a day as it was before; for each of `days_to_know()`
        for day in book.changed():
            book.write(day, before, path)              before: the same file, or None

An event is kept once for each subject, which is what the live counters tell apart: kind, image and ranking. All with
one id are on one day: that on which the id is known already, else where its first copy, by arrival, belongs. So the
same lines again change nothing, and neither does their order within a part of the archive.

| the event                                   | its day is that of                                          |
|---------------------------------------------|-------------------------------------------------------------|
| id with a time, received within the horizon | the id's time, as in the live counters                      |
| id with a time, received later              | `at`, if at most LATE_DAYS ago, else the arrival            |
| id without a time                           | the client's clock within the horizon, else the arrival     |

It is no part of the shared bundle: DuckDB alone has 67 MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec

from chalicelib import ids
from chalicelib.tracking import pages
from chalicelib.tracking.event import Event
from chalicelib.tracking.moments import id_time

#: How much later than it happened an event is still filed under its own day. Whoever is later counts on arrival: the
#: files of days far back may have ended already, and a new one would replace their counts.
LATE_DAYS = 30
#: Ids without a time are looked for on this many days before an arrival: as long as their claims last, after the
#: earliest moment that a claim may name.
KNOWN_DAYS = (pages.KEPT_SECONDS + pages.PAST_SECONDS) // pages.DAY
CHUNK_BYTES = 64 * 1024 * 1024
GROUP_ROWS = 8192  # are held in memory until they are written; of the largest events they have 250 MB
LINE_BYTES = 1024 * 1024  # more than any event has; DuckDB reads in pieces of such lines
MILLISECONDS = 1000
FAR_FUTURE = 253_370_764_800_000  # the year 9999, where Python's dates end

#: The Parquet columns: those of the stored event but its account, which the path names, and `counted`, the time that
#: decides on its day. Times are milliseconds since 1970; properties and traits are JSON.
COLUMNS = {
    **dict.fromkeys(("id", "type"), "VARCHAR"),
    **dict.fromkeys(("counted", "received", "at", "frozen"), "BIGINT"),
    **dict.fromkeys(("event", "kind", "image", "ranking"), "VARCHAR"),
    "position": "BIGINT",
    **dict.fromkeys(("anonymous", "user", "group", "previous", "key"), "VARCHAR"),
    "bot": "BOOLEAN",
    **dict.fromkeys(("ip", "agent", "url", "properties", "traits"), "VARCHAR"),
}
JSON = ("properties", "traits")
IS_ID = f"regexp_full_match({{}}, '[{ids.ALPHABET}]{{{{{ids.LENGTH}}}}}')"
#: `pages.attribute` as SQL, hashed: that of all that is not counted is the same.
SUBJECT = (
    f'hash(CASE WHEN "bot" OR NOT {IS_ID.format("image")} THEN NULL '
    f"ELSE kind || image || CASE WHEN {IS_ID.format('ranking')} THEN ranking ELSE '' END END)"
)
NAMES = ", ".join(f'"{name}"' for name in COLUMNS)

DECODER = msgspec.json.Decoder(Event)


class Daybook:
    """memory_mb: what DuckDB may use; beyond it, it works in `folder`, which may be deleted afterwards."""

    def __init__(self, folder: Path, memory_mb: int = 512):
        self.folder = folder
        self.memory_mb = memory_mb
        self.entered = self.unreadable = 0

    def __enter__(self) -> Self:
        import duckdb

        self.folder.mkdir(parents=True, exist_ok=True)
        self.database = duckdb.connect(
            str(self.folder / "daybook.db"),
            config={
                "memory_limit": f"{self.memory_mb}MB",
                "threads": 1,  # one core, and memory is counted by threads
                "temp_directory": str(self.folder / "spilled"),
                # Nothing is fetched from anywhere: Parquet and JSON are built in.
                "autoinstall_known_extensions": False,
            },
        )
        typed = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
        self.run(f"CREATE TABLE incoming (day DATE, own DATE, {typed}, subject UBIGINT)")
        self.run("CREATE TABLE known (id VARCHAR, subject UBIGINT, day DATE, received BIGINT)")
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.database.execute(statement, list(values)).fetchall()
        return found

    # In

    def enter(self, lines: Iterable[bytes]) -> None:
        """Take in raw lines. What is no event is counted in `unreadable` and left out."""
        chunk = self.folder / "chunk.jsonl"
        file, size = chunk.open("wb"), 0
        for line in lines:
            filed = file_line(line)
            if filed is None:
                self.unreadable += 1
                continue
            size += file.write(filed)
            if size >= CHUNK_BYTES:
                file.close()
                self._load(chunk)
                file, size = chunk.open("wb"), 0
        file.close()
        self._load(chunk)
        self._choose()

    def _load(self, chunk: Path) -> None:
        typed = {"day": "DATE", "own": "DATE", **COLUMNS, **dict.fromkeys(JSON, "JSON")}
        shape = ", ".join(f"\"{name}\": '{kind}'" for name, kind in typed.items())
        options = f"format = 'newline_delimited', maximum_object_size = {LINE_BYTES}, columns = {{{shape}}}"
        names = NAMES.replace('"bot"', 'coalesce("bot", false)')
        [(loaded,)] = self.run(
            f"INSERT INTO incoming SELECT day, own, {names}, {SUBJECT} FROM read_json($1, {options})",  # noqa: S608
            str(chunk),
        )
        self.entered += loaded
        chunk.unlink()

    def _choose(self) -> None:
        """The first copy for each subject of each id, on the day of the id's first."""
        self.run(
            "CREATE OR REPLACE TABLE chosen AS SELECT id, subject, received, home.day, own, line FROM "
            "(SELECT *, rowid AS line FROM incoming WHERE rowid IN "
            "(SELECT arg_min(rowid, row(received, rowid)) FROM incoming GROUP BY id, subject)) JOIN "
            "(SELECT id, arg_min(day, row(received, rowid)) AS day FROM incoming GROUP BY id) AS home USING (id)"
        )

    def days_to_know(self) -> list[date]:
        """The days on which the ids that came may be already."""
        found = self.run("SELECT day FROM chosen UNION SELECT own FROM chosen WHERE own IS NOT NULL")
        [(first, last)] = self.run("SELECT min(received), max(received) FROM chosen")
        if first is None:
            return []
        start, end = day_of(first) - timedelta(days=KNOWN_DAYS), day_of(last) + timedelta(days=1)
        near = {start + timedelta(days=number) for number in range((end - start).days + 1)}
        return sorted(near | {day for (day,) in found})

    def know(self, day: date, path: Path) -> None:
        """Leave out what a day's file has already."""
        self.run(
            f"INSERT INTO known SELECT id, {SUBJECT}, CAST($1 AS DATE), received FROM read_parquet($2) "  # noqa: S608
            "WHERE id IN (SELECT id FROM chosen)",
            day,
            str(path),
        )

    def changed(self) -> list[date]:
        """The days that get something new. A copy that arrived before the known one takes its place, on its day."""
        self.run(
            "DELETE FROM chosen USING known WHERE chosen.id = known.id AND chosen.subject = known.subject "
            "AND (chosen.day <> known.day OR chosen.received >= known.received)"
        )
        self.run("UPDATE chosen SET day = known.day FROM known WHERE chosen.id = known.id")
        return sorted(day for (day,) in self.run("SELECT DISTINCT day FROM chosen"))

    # Out

    def write(self, day: date, before: Path | None, path: Path) -> int:
        """The day's file, anew: what it held, then what came; the number of its events."""
        new = f"SELECT {NAMES} FROM incoming WHERE rowid IN (SELECT line FROM chosen WHERE day = DATE '{day}')"  # noqa: S608
        kept = (
            f"SELECT {NAMES} FROM (SELECT *, {SUBJECT} AS subject FROM read_parquet('{before}')) "  # noqa: S608 - paths of our own
            f"ANTI JOIN (SELECT id, subject FROM chosen WHERE day = DATE '{day}') USING (id, subject) UNION ALL "
        )
        [(written,)] = self.run(
            f"COPY ({kept if before else ''}{new}) "
            f"TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {GROUP_ROWS})"
        )
        return int(written)

    # What a day holds

    def sizes(self, path: Path) -> Iterator[tuple[str, int]]:
        """(counter attribute, number of events) of a day's file, as `counts.tally` takes them."""
        found = self.run(
            "SELECT kind, image, ranking, count(*) FROM read_parquet($1) "
            "WHERE kind IS NOT NULL AND image IS NOT NULL AND NOT bot GROUP BY ALL ORDER BY ALL",
            str(path),
        )
        for kind, image, ranking, number in found:
            if name := pages.attribute(kind, image, ranking):
                yield name, number

    def places(self, path: Path, last: int, unknown: int) -> list[tuple[str, int, int, int]]:
        """(image, position, impressions, clicks) of a day's file; what is farther down than `last` is one place."""
        found = self.run(
            'SELECT image, CASE WHEN "position" >= 0 THEN least("position", $2) ELSE $3 END AS place, '
            "count(*) FILTER (kind = 'i'), count(*) FILTER (kind = 'c') FROM read_parquet($1) "
            "WHERE kind IN ('i', 'c') AND image IS NOT NULL AND NOT bot GROUP BY ALL ORDER BY ALL",
            str(path),
            last,
            unknown,
        )
        return [row for row in found if ids.is_id(row[0])]

    def actions(self, path: Path) -> Iterator[tuple[str, str, int]]:
        """(user, name of the event, number of ids) of a day's file in order: what they did who said who they are."""
        found = self.database.execute(
            'SELECT "user", event, count(DISTINCT id) FROM read_parquet($1) '
            """WHERE type = 'track' AND "user" <> '' AND event IS NOT NULL AND NOT bot GROUP BY ALL ORDER BY ALL""",
            [str(path)],
        )
        while rows := found.fetchmany(GROUP_ROWS):
            yield from rows


def file_line(line: bytes) -> bytes | None:
    """A raw line with the time that it counts at, the day of that, and the day of its id's own time; or None."""
    try:
        event = DECODER.decode(line)
        counted = counting_time(event)
        added = f'"day":"{day_of(counted)}","counted":{counted},'
    except (msgspec.DecodeError, UnicodeError, OverflowError, RecursionError):
        return None
    if max(abs(number) for number in (event.at, event.frozen, event.position or 0)) >= 2**63:
        return None
    return b"{" + added.encode() + own_day(event.id) + line.strip()[1:] + b"\n"


def own_day(identifier: str) -> bytes:
    own = id_time(identifier)
    return b"" if own is None or own > FAR_FUTURE else f'"own":"{day_of(own)}",'.encode()


def counting_time(event: Event) -> int:
    """Milliseconds since 1970; see the table above."""
    own = id_time(event.id)
    moment = event.frozen if own is None else own
    if pages.within_horizon(moment // MILLISECONDS, event.received // MILLISECONDS):
        return moment
    late = event.received - event.at
    is_plausible = -pages.FUTURE_SECONDS * MILLISECONDS <= late <= LATE_DAYS * pages.DAY * MILLISECONDS
    return event.at if own is not None and is_plausible else event.received


def day_of(milliseconds: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)).date()
