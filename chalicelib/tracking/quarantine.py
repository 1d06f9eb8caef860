"""Events that were put aside, with their reasons.

    quarantine/account={account}/{age}{digest of the batch}{part}.json.gz

`age` counts down, so S3 lists the newest first. An event's id is its object's name and its place in it, and so is a
cursor. Messages that nobody can read have no account; they lie under `unreadable` for the operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from chalicelib import aws, contract
from chalicelib.images.record import timestamp
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from chalicelib.tracking import archive
from chalicelib.tracking.event import MAX_RAW_CHARACTERS, Rejected

UNREADABLE = "unreadable"
LAST_MILLISECOND = (1 << 48) - 1
ROWS_AN_OBJECT = 1000
NAME_LENGTH = 12 + 20 + 2
OBJECTS_A_PAGE = 100


def keep(account: str, rejected: Sequence[Rejected], batch: str) -> None:
    """Write them; the same batch again writes the same objects."""
    encode = msgspec.json.Encoder().encode
    for part, start in enumerate(range(0, len(rejected), ROWS_AN_OBJECT)):
        rows = rejected[start : start + ROWS_AN_OBJECT]
        name = f"{LAST_MILLISECOND - rows[0].received:012x}{batch}{part % 256:02x}"
        archive.put(f"{_prefix(account)}{name}.json.gz", archive.packed([encode(row) for row in rows]))


def keep_unreadable(texts: Sequence[str], reasons: Sequence[str], batch: str, received: int) -> None:
    """Queue messages that are not of our making. received: milliseconds."""
    rows = [
        Rejected(None, reason, text[:MAX_RAW_CHARACTERS], UNREADABLE, "", received)
        for text, reason in zip(texts, reasons, strict=True)
    ]
    keep(UNREADABLE, rows, batch)


def page(store: AccountStore, query: contract.Paging) -> contract.QuarantineList:
    """What was put aside, newest first."""
    found: list[contract.Quarantined] = []
    for row in _rows(store.account, query.cursor or ""):
        if len(found) == query.limit:
            return contract.QuarantineList(found, found[-1].id)
        found.append(row)
    return contract.QuarantineList(found, None)


def _rows(account: str, cursor: str) -> Iterator[contract.Quarantined]:
    """Rows after the one with that id."""
    for name in _names(account, cursor[:NAME_LENGTH]):
        for place, text in enumerate(archive.get(f"{_prefix(account)}{name}.json.gz")):
            row = msgspec.json.decode(text, type=Rejected)
            identifier = f"{name}{place:04x}"
            if identifier > cursor:
                at = timestamp(row.received / 1000)
                yield contract.Quarantined(identifier, at, row.reason, row.raw, row.key)


def _names(account: str, start: str) -> Iterator[str]:
    """The names of the account's objects from `start` on."""
    prefix = _prefix(account)
    while True:
        listed = aws.s3().list_objects_v2(
            Bucket=settings().events_bucket, Prefix=prefix, StartAfter=prefix + start, MaxKeys=OBJECTS_A_PAGE
        )
        names = [each["Key"].removeprefix(prefix).removesuffix(".json.gz") for each in listed.get("Contents", [])]
        yield from names
        if len(names) < OBJECTS_A_PAGE:
            return
        start = f"{names[-1]}.json.gz"


def _prefix(account: str) -> str:
    return f"quarantine/account={account}/"
