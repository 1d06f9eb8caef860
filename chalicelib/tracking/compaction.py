"""The daily compaction: raw events to one Parquet file a day, each event once, and to the canonical daily counts.

    raw/account=A/dt=R/hour=H/*.json.gz      what arrived on day R, as it came
    events/account=A/dt=D/part.parquet       what counts on day D, each event once
    positions/account=A/dt=D/cells.json.gz   what was shown and clicked on day D, by image and place
    tallies/account=A/dt=D/{shard}.json.gz   what each customer did on day D, see `tallies`
    compacted/account=A.json                 which of these are made of what

A part of the archive is merged into the days whose events it holds; merging is a union by id and subject, so doing it
again, in another order, or after a crash anywhere changes nothing. A day is canonical once all that the live counters
could have counted on it has arrived: when the part of the third day after it is over (`SETTLED_DAYS`) and the queue is
through. What comes later still is merged by the run after it, and the day is counted anew.

It runs in a function of its own (`Compact`) and as `python -m tools.compact`; it is no part of the shared bundle.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from chalicelib import aws, log
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from chalicelib.tracking import counts, labels, rollup, tallies
from chalicelib.tracking.daybook import MILLISECONDS, Daybook, day_of
from chalicelib.tracking.pages import PAST_SECONDS

RAW, EVENTS, NOTES = "raw", "events", "compacted"
#: A part of the archive is looked at again for as long as the queue and its dead letters may still add to it.
OPEN_DAYS = 20
#: Days after which a day is canonical: the horizon of the live counters, rounded up, and the day itself.
SETTLED_DAYS = PAST_SECONDS // 86_400 + 1
#: Messages on the queue from which on it counts as behind: more than wait in it at the gateway's limit, 200 requests a
#: second, for the consumer's window of 20 seconds and its run.
BEHIND_MESSAGES = 10_000
#: What of the function's memory DuckDB may have; the rest is Python's, the libraries' and the files' in flight.
DUCKDB_SHARE = 0.5
MEMORY_MB = 1024  # where no function says


class Note(msgspec.Struct):
    """raw: the digest of each part of the archive that was merged. tallied, counted: the version of each day that was
    counted by place and customer, and for good.
    """

    raw: dict[str, str] = {}
    tallied: dict[str, str] = {}
    counted: dict[str, str] = {}


class Report(msgspec.Struct):
    """entered: raw events read. parts: of the archive, merged. days: counted anew."""

    accounts: int = 0
    parts: int = 0
    entered: int = 0
    unreadable: int = 0
    days: int = 0


class Conflict(Exception):
    """Another compaction wrote the same day in between; the next run does it again."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The function. event: {"account": ..., "day": "2026-11-22"} to merge that part alone again; else all of it.

    EventBridge's own events have a `source`, and their `account` is that of AWS.
    """
    wanted = {} if "source" in event else event
    call = SimpleNamespace(lambda_context=context)
    report = log.invocation(call, lambda _: run(time.time(), wanted.get("account") or None, _date(wanted.get("day"))))
    answer: dict[str, Any] = msgspec.to_builtins(report)
    return answer


def run(now: float, account: str | None = None, day: date | None = None) -> Report:
    """Merge what is new in the archive (or, given a day, that part whatever the note says), then count.

    One account's failure does not keep the others from theirs; it is raised at the end.
    """
    report, failures = Report(), []
    for each in [account] if account else accounts():
        try:
            compact(each, now, day, report)
            report.accounts += 1
        except Exception as error:
            log.exception("compaction failed", account=each)
            failures.append(error)
    log.metrics(EventsCompacted=(report.entered, "Count"), DaysCounted=(report.days, "Count"))
    if failures:
        raise failures[0]
    return report


def compact(account: str, now: float, day: date | None, report: Report) -> None:
    note = read_note(account)
    today = day_of(int(now * MILLISECONDS))
    for part in [day] if day else open_parts(account, today):
        keys, digest = contents(account, part)
        if not keys or (day is None and note.raw.get(str(part)) == digest):
            continue
        with tempfile.TemporaryDirectory(prefix="compaction-") as folder:
            merge(account, keys, Path(folder), report)
        note.raw[str(part)] = digest
        write_note(account, note)
        report.parts += 1
    note.raw = {part: digest for part, digest in note.raw.items() if part >= str(today - timedelta(days=OPEN_DAYS))}
    behind = is_behind()
    count(account, date.min if behind else today - timedelta(days=SETTLED_DAYS), note, report)
    if day is None and not behind:
        tallies.put_until(account, str(today - timedelta(days=1)))


# Merging


def merge(account: str, keys: Iterable[str], folder: Path, report: Report) -> None:
    """Bring these raw objects' events into their days. Raises Conflict."""
    with Daybook(folder, memory_mb()) as book:
        book.enter(line for key in keys for line in lines(key))
        there = versions(account)
        for day in book.days_to_know():
            if day in there:
                book.know(day, fetch(account, day, folder))
        for day in book.changed():
            before = fetch(account, day, folder) if day in there else None
            book.write(day, before, folder / "after.parquet")
            store_day(account, day, folder / "after.parquet", there.get(day))
        report.entered += book.entered
        report.unreadable += book.unreadable


def lines(key: str) -> Iterator[bytes]:
    """Of a raw object. One that is no gzip is told of and passed over: it must not stop the others."""
    body = aws.s3().get_object(Bucket=settings().events_bucket, Key=key)["Body"]
    try:
        with gzip.open(body) as text:
            yield from text
    except (EOFError, gzip.BadGzipFile, zlib.error):
        log.exception("raw events cannot be read", key=key)


def fetch(account: str, day: date, folder: Path) -> Path:
    path = folder / "before.parquet"
    body = aws.s3().get_object(Bucket=settings().events_bucket, Key=day_key(account, day))["Body"]
    with path.open("wb") as file:
        shutil.copyfileobj(body, file)
    return path


def store_day(account: str, day: date, path: Path, before: str | None) -> None:
    """Write the day's object unless somebody else has since its version `before`. Raises Conflict."""
    condition: Any = {"IfMatch": before} if before else {"IfNoneMatch": "*"}
    try:
        with path.open("rb") as file:
            aws.s3().put_object(Bucket=settings().events_bucket, Key=day_key(account, day), Body=file, **condition)
    except Exception as error:
        if aws.error_code(error) in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"):
            raise Conflict(f"{day_key(account, day)} was written by another compaction") from error
        raise


# Counting


def is_behind() -> bool:
    """Whether events may wait in the queue that belong to days that would be canonical by now."""
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = aws.sqs().get_queue_url(QueueName=settings().name("tracking"))["QueueUrl"]
    waiting = sum(map(int, aws.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()))
    if waiting > BEHIND_MESSAGES:
        log.warning("no day is confirmed until the queue is through", messages=waiting)
    return waiting > BEHIND_MESSAGES


def count(account: str, last: date, note: Note, report: Report) -> None:
    """Count the days that changed since they were: all by place and customer, those up to `last` for good."""
    there = versions(account)
    for day, version in there.items():
        is_settled, name = day <= last, str(day)
        if version == note.tallied.get(name) and (not is_settled or version == note.counted.get(name)):
            continue
        counted = count_day(account, day, for_good=is_settled)
        note.tallied[name] = counted
        if is_settled:
            note.counted[name] = counted
            report.days += 1
        write_note(account, note)
    if (
        last > date.min and last not in there and str(last) not in note.counted
    ):  # a day without events moves `exact_until` on, too
        rollup.write_day(AccountStore(account), str(last), {})
        note.counted[str(last)] = ""
        write_note(account, note)


def count_day(account: str, day: date, *, for_good: bool) -> str:
    """The version that was counted, which is still the day's own: what another run wrote meanwhile is counted, too."""
    while True:
        with tempfile.TemporaryDirectory(prefix="compaction-") as folder, Daybook(Path(folder), memory_mb()) as book:
            version = version_of(account, day)
            path = fetch(account, day, Path(folder))
            store_cells(account, day, book, path)
            rows = tallies.by_key(book.actions(path))
            tallies.put(account, str(day), tallies.write(rows, path.parent))
            if for_good:
                rollup.write_day(AccountStore(account), str(day), counts.tally(book.sizes(path)))
        if version_of(account, day) == version:
            return version


def store_cells(account: str, day: date, book: Daybook, path: Path) -> None:
    cells = [labels.Cell(*row) for row in book.places(path, labels.LAST_POSITION, labels.UNKNOWN_POSITION)]
    key = labels.day_key(account, str(day))
    aws.s3().put_object(Bucket=settings().events_bucket, Key=key, Body=labels.encode(cells))


# The bucket


def accounts() -> list[str]:
    """Those that have raw events."""
    return below(f"{RAW}/account=")


def open_parts(account: str, today: date) -> list[date]:
    """The days of arrival that are over and may have changed, oldest first."""
    parts = map(date.fromisoformat, below(f"{RAW}/account={account}/dt="))
    return [part for part in parts if today - timedelta(days=OPEN_DAYS) <= part < today]


def below(prefix: str) -> list[str]:
    """What the folders whose names begin so are called from there on, in order."""
    pages = aws.s3().get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=settings().events_bucket, Prefix=prefix, Delimiter="/")
    folders = [each["Prefix"] for page in found for each in page.get("CommonPrefixes", [])]
    return [folder.removeprefix(prefix).rstrip("/") for folder in folders]


def contents(account: str, part: date) -> tuple[list[str], str]:
    """The keys of a part of the archive, and a digest that changes with them. A raw object is never written again."""
    keys = [key for key, _ in listed(f"{RAW}/account={account}/dt={part}/")]
    return keys, blake2b("\n".join(keys).encode(), digest_size=16).hexdigest()


def versions(account: str) -> dict[date, str]:
    """The days that have a file, and its version."""
    prefix = f"{EVENTS}/account={account}/dt="
    return {date.fromisoformat(key.removeprefix(prefix)[:10]): version for key, version in listed(prefix)}


def version_of(account: str, day: date) -> str:
    return aws.s3().head_object(Bucket=settings().events_bucket, Key=day_key(account, day))["ETag"]


def listed(prefix: str) -> Iterator[tuple[str, str]]:
    """(key, entity tag) in the order of the keys."""
    pages = aws.s3().get_paginator("list_objects_v2").paginate(Bucket=settings().events_bucket, Prefix=prefix)
    for page in pages:
        yield from ((each["Key"], each["ETag"]) for each in page.get("Contents", []))


def day_key(account: str, day: date) -> str:
    return f"{EVENTS}/account={account}/dt={day}/part.parquet"


def read_note(account: str) -> Note:
    found = aws.read_object(settings().events_bucket, f"{NOTES}/account={account}.json")
    return Note() if found is None else msgspec.json.decode(found, type=Note)


def write_note(account: str, note: Note) -> None:
    key = f"{NOTES}/account={account}.json"
    aws.s3().put_object(Bucket=settings().events_bucket, Key=key, Body=msgspec.json.encode(note))


def memory_mb() -> int:
    return int(int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY_MB)) * DUCKDB_SHARE)


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
