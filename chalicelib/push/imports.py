"""A million recipients from a CSV file, through S3: read by byte ranges, with the place reached kept after each.

awaiting_upload ──upload──> importing ──last byte──> done
                                └── no header, or the file has changed ──> failed (with a reason)

A part is read, its rows stored, its problems written under the part's place, and then the place and the counts move on
in one conditional write. Whoever dies before that reads the part again: a recipient knows the line that wrote it, so a
row counts once and overwrites nothing newer. Whoever loses that write stops, so messages that came twice die out.

| object                                          | what                                        |
|-------------------------------------------------|---------------------------------------------|
| imports/{account}/{id}                          | the file, deleted once it has been read     |
| imported/{account}/{id}/parts/{place}.jsonl     | the problems of one part                    |
| imported/{account}/{id}/problems.jsonl          | all of them, in the order of lines          |
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from chalicelib import aws, bus, contract, ids, log
from chalicelib.errors import NotFound, TooLarge
from chalicelib.images.record import timestamp
from chalicelib.push import enrolment, entries, reports, sheet
from chalicelib.push.entries import Entry, Refused
from chalicelib.push.sheet import Columns
from chalicelib.settings import settings
from chalicelib.store import AccountStore, ConditionFailed, Item, overdue, sweep_shard

KIND = "import"
QUEUE = "imports"
LINE = "imports"  # of the sweeper
SLOT_SECONDS = 3600
ROW_SECONDS = 30 * 86_400  # as long as the bucket keeps the report
CONTENT_TYPE = "text/csv"

# A turn is over before its function is, see infra/functions.yaml.
RUN_SECONDS = 60
PART_BYTES = 256 * 1024
BATCH = 500
# SNS is busy: for so long this often, then the rows concerned are problems.
BUSY_SECONDS = 30
BUSY_TRIES = 40
PATIENCE_SECONDS = 900

GONE = frozenset(("404", "NoSuchKey", "412", "PreconditionFailed"))


class Busy(Exception):
    """SNS takes no more devices for now."""


class Part(msgspec.Struct):
    """What came of one part of a file. place, line: where the next begins. columns: text of them, once known."""

    place: int
    line: int
    columns: list[str]
    rows: int = 0
    stored: int = 0
    problems: list[reports.Problem] = []


def open_slot(store: AccountStore, request: contract.NewImport, now: float) -> contract.ImportSlot:
    """A record of the file, and the form that takes it: of this size and no other. Raises TooLarge."""
    if request.size > contract.MAX_IMPORT_BYTES:
        raise TooLarge("A file of recipients takes at most 300 MB.", field="size")
    name = ids.new_id(now)
    counts = dict.fromkeys(("place", "rows", "stored", "problems", "busy"), 0)
    item: Item = {
        "id": name,
        "name": request.name,
        "size": request.size,
        "state": "awaiting_upload",
        "created_at": timestamp(now),
        "line": 1,
        **counts,
        "expires": int(now) + ROW_SECONDS,
    }
    store.put(KIND, name, item, new=True)
    return contract.ImportSlot(id=name, upload=_presign(store.account, name, request.size, now))


def _presign(account: str, name: str, size: int, now: float) -> contract.Upload:
    conditions: Any = [{"Content-Type": CONTENT_TYPE}, ["content-length-range", size, size]]
    post = aws.s3().generate_presigned_post(
        Bucket=settings().media_bucket,
        Key=uploaded_key(account, name),
        Fields={"Content-Type": CONTENT_TYPE},
        Conditions=conditions,
        ExpiresIn=SLOT_SECONDS,
    )
    expires_at = timestamp(now + SLOT_SECONDS)
    return contract.Upload(url=post["url"], fields=dict(post["fields"]), expires_at=expires_at)


def uploaded_key(account: str, name: str) -> str:
    return f"imports/{account}/{name}"


def read(store: AccountStore, name: str) -> contract.ImportView:
    """Raises NotFound."""
    item = store.get(KIND, name)
    if item is None:
        raise NotFound("There is no such import.")
    shown = {
        field: item[field] for field in ("id", "name", "state", "created_at", "size", "rows", "stored", "problems")
    }
    url = reports.url(store.account, name) if item["state"] == "done" and item["problems"] else None
    return contract.ImportView(**shown, read=item["place"], problems_url=url, reason=item.get("reason"))


def begin(key: str, now: float) -> None:
    """Handle the bucket event for `imports/{account}/{id}`; the same again does no harm."""
    _, account, name = key.split("/")
    store = AccountStore(account)
    try:
        etag = aws.s3().head_object(Bucket=settings().media_bucket, Key=key)["ETag"]
    except Exception as error:
        if aws.error_code(error) in GONE:
            return
        raise
    sets = {"state": "importing", "etag": etag, "sweep_pk": sweep_shard(name, LINE), "sweep_at": _patience(now)}
    with suppress(ConditionFailed):
        _set(store, name, sets, {"state": "awaiting_upload"})
    item = store.get(KIND, name)
    if item is None or item["state"] in ("done", "failed"):
        _forget_file(store.account, name)
    elif item["place"] == 0:
        _deliver(store, item)


def sweep(now: float, limit: int = 100) -> None:
    """Send the messages of imports that stand still: theirs may be lost."""
    for store, _kind, name in overdue(now, limit, LINE):
        item = store.get(KIND, name)
        if item is None or item["state"] != "importing":
            continue
        with suppress(ConditionFailed):
            _set(store, name, {"sweep_at": _patience(now)}, {"sweep_at": item["sweep_at"]})
            log.metric("Swept", kind=KIND)
            _deliver(store, item)


def run(
    message: dict[str, Any],
    _attempt: int = 1,
    *,
    clock: Callable[[], float] = time.time,
    seconds: float = RUN_SECONDS,
) -> None:
    """Take a turn at an import: of parts until the time is over. Safe at any time, twice, and by two at once."""
    store, name = AccountStore(message["account"]), message["import"]
    end = clock() + seconds
    with suppress(ConditionFailed):  # another worker is further
        while (item := store.get(KIND, name)) and item["state"] == "importing":
            if clock() >= end:
                _deliver(store, item)
                return
            if not _advance(store, item, clock()):
                return
    if item and item["state"] == "done":
        _forget_file(store.account, name)


def _advance(store: AccountStore, item: Item, now: float) -> bool:
    """Take the next part; whether to go on at once. Raises ConditionFailed where another worker was first."""
    if item["place"] >= item["size"]:
        reports.join(store.account, item["id"])
        _move(store, item, {"state": "done"}, now)
        return True
    try:
        data = _read(store.account, item)
        part = _taken(store, item, data, now)
    except Busy:
        _move(store, item, {"busy": item["busy"] + 1}, now)
        _deliver(store, item, BUSY_SECONDS)
        return False
    except Refused as refused:
        _move(store, item, {"state": "failed", "reason": refused.reason}, now)
        _forget_file(store.account, item["id"])
        return False
    reports.write(store.account, item["id"], item["place"], part.problems)
    counts = {"rows": part.rows, "stored": part.stored, "problems": len(part.problems)}
    sets = {field: item[field] + more for field, more in counts.items()}
    _move(store, item, {**sets, "place": part.place, "line": part.line, "columns": part.columns, "busy": 0}, now)
    return True


def _read(account: str, item: Item) -> bytes:
    """The next bytes of the file. Raises Refused when it is not what it was."""
    first = item["place"]
    last = min(first + PART_BYTES, item["size"]) - 1
    try:
        answer: Any = aws.s3().get_object(
            Bucket=settings().media_bucket,
            Key=uploaded_key(account, item["id"]),
            IfMatch=item["etag"],
            Range=f"bytes={first}-{last}",
        )
    except Exception as error:
        if aws.error_code(error) in GONE:
            raise Refused("The file was deleted or uploaded anew while it was read.") from None
        raise
    data: bytes = answer["Body"].read()
    return data


# Rows


def _taken(store: AccountStore, item: Item, data: bytes, now: float) -> Part:
    """Store what stands in a part of the file. Raises Busy, and Refused for a file without a header."""
    part = Part(item["place"], item["line"], item.get("columns", []))
    last = part.place + len(data) >= item["size"]
    if not part.place and data.startswith(sheet.BOM):
        data = data[len(sheet.BOM) :]
        part.place += len(sheet.BOM)
    found = sheet.records(data, last=last)
    columns = _columns(part, found)
    batch: list[tuple[Entry, dict[str, Any]]] = []
    for entry in _entries(part, found, columns, item["id"]):
        batch.append(entry)
        if len(batch) == BATCH:
            _store(store, part, columns, batch, now, patient=item["busy"] < BUSY_TRIES)
            batch = []
    _store(store, part, columns, batch, now, patient=item["busy"] < BUSY_TRIES)
    part.problems.sort(key=lambda each: each.line)
    return part


def _columns(part: Part, found: Iterator[sheet.Record]) -> Columns:
    if not part.columns:
        record = next(found, None)
        if record is None:
            raise Refused("The file is empty: its first line names the columns.")
        part.columns = sheet.cells(record)
        _pass(part, record)
    return sheet.columns(part.columns)


def _pass(part: Part, record: sheet.Record) -> None:
    part.place += record.size
    part.line += record.lines


def _entries(
    part: Part, found: Iterator[sheet.Record], columns: Columns, name: str
) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """The rows that can be understood, each with what it says; the others become problems of the part."""
    for record in found:
        line, raw = part.line, {}
        _pass(part, record)
        if not record.data and not record.problem:
            continue
        part.rows += 1
        try:
            raw = sheet.item(columns, sheet.cells(record))
            yield entries.entry(raw, line, columns.scope, (name, line)), raw
        except Refused as refused:
            field = sheet.column(columns, raw, refused.field)
            part.problems.append(reports.Problem(line, entries.named(raw), field, refused.reason))


def _store(
    store: AccountStore,
    part: Part,
    columns: Columns,
    batch: list[tuple[Entry, dict[str, Any]]],
    now: float,
    *,
    patient: bool,
) -> None:
    if not batch:
        return
    done, troubles = enrolment.enrol(store, [entry for entry, _ in batch], now)
    if patient and any(each.busy for each in troubles):
        raise Busy
    raws = {entry.mark: raw for entry, raw in batch}
    part.stored += len(done)
    part.problems += [
        reports.Problem(
            each.entry.mark, each.entry.id, sheet.column(columns, raws[each.entry.mark], each.field), each.reason
        )
        for each in troubles
    ]


# The import's own item


def _move(store: AccountStore, item: Item, sets: Item, now: float) -> None:
    """Raises ConditionFailed where somebody has moved it since it was read."""
    sets = {**sets, "sweep_at": _patience(now)}
    seen = {"place": item["place"], "state": "importing", "busy": item["busy"]}
    _set(store, item["id"], sets, seen, ends=sets.get("state") is not None)


def _set(store: AccountStore, name: str, sets: Item, seen: Item, *, ends: bool = False) -> None:
    if ends:
        sets = {field: value for field, value in sets.items() if field != "sweep_at"}
    update = "SET " + ", ".join(f"#{field} = :{field}" for field in sets)
    condition = " AND ".join(f"#{field} = :seen_{field}" for field in seen)
    values = {**sets, **{f"seen_{field}": value for field, value in seen.items()}}
    store.update(KIND, name, update + (" REMOVE #sweep_pk, #sweep_at" if ends else ""), values, condition=condition)


def _patience(now: float) -> int:
    return int(now) + PATIENCE_SECONDS


def _deliver(store: AccountStore, item: Item, delay: int = 0) -> None:
    payload = {"account": store.account, "import": item["id"], "cursor": item["place"]}
    bus.deliver(QUEUE, payload, delay=delay)


def _forget_file(account: str, name: str) -> None:
    aws.s3().delete_object(Bucket=settings().media_bucket, Key=uploaded_key(account, name))
