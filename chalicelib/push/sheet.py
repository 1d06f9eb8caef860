"""A CSV file of recipients, read in pieces (RFC 4180, UTF-8, with or without a byte order mark). Knows no AWS.

Only bytes below 128 part records and cells, so a piece may end anywhere, in the midst of a character, too: what is not
a whole record is left for the next piece.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from chalicelib.push.entries import LONGEST_NAME, Refused, Scope
from chalicelib.push.platforms import Platform

BOM = b"\xef\xbb\xbf"
LONGEST_RECORD = 64 * 1024
# Of one piece: behind them a record is a line, or a file made for it would be searched for its quotes for hours.
MOST_BROKEN = 100
MOST_COLUMNS = 120
# A quote opens a cell at its start alone. Possessive throughout: no record is read twice.
CELL = rb'(?:"[^"]*+(?:""[^"]*+)*+"[^,\n]*+|[^",\n][^,\n]*+|)'
RECORD = re.compile(CELL + rb"(?:," + CELL + rb")*+(?P<end>\n|\Z)")
TOKENS: dict[str, Platform] = {"apns_token": "APNS", "apns_sandbox_token": "APNS_SANDBOX", "fcm_token": "GCM"}
FIELDS = ("id", "phone", "timezone", "quiet_from", "quiet_to", "opt_out")
KINDS = ("text", "number", "boolean")
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")


class Record(msgspec.Struct, frozen=True):
    """size: bytes, with the line end. lines: how many it takes. problem: why it cannot be read."""

    data: bytes
    size: int
    lines: int
    problem: str | None = None


class Column(msgspec.Struct, frozen=True):
    """what: one of FIELDS, a platform of TOKENS, or "attribute" with its name and kind."""

    header: str
    what: str
    name: str = ""
    kind: str = "text"


class Columns(msgspec.Struct, frozen=True):
    columns: tuple[Column, ...]
    scope: Scope


def records(data: bytes, *, last: bool) -> Iterator[Record]:
    """The whole records that a piece begins with. last: the file ends with this piece.

    Of 64 KB and a byte at least one record comes, if only as a problem.
    """
    start = broken_lines = 0
    while start < len(data):
        window = min(len(data), start + LONGEST_RECORD)
        if broken_lines >= MOST_BROKEN:
            window = data.find(b"\n", start, window) + 1 or window
        found = RECORD.match(data, start, window)
        if found is not None and (found["end"] or (last and found.end() == len(data))):
            size = found.end() - start
            yield Record(found[0].rstrip(b"\r\n"), size, found[0].count(b"\n") or 1)
        elif window == len(data) and not last:
            return
        else:
            yield (broken := _broken(data, start))
            size, broken_lines = broken.size, broken_lines + 1
        start += size


def _broken(data: bytes, start: int) -> Record:
    """One line of what is no record: the next may be one."""
    end = data.find(b"\n", start) + 1 or len(data)
    reason = f"A quote is opened and not closed as it should be, or the line has over {LONGEST_RECORD:,} bytes."
    return Record(b"", end - start, 1, reason)


def cells(record: Record) -> list[str]:
    """Raises Refused."""
    if record.problem:
        raise Refused(record.problem)
    try:
        text = record.data.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"The line is not UTF-8 (byte {error.start + 1}); save the file as UTF-8.") from None
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise Refused(f"The line is no CSV: {error}.") from None


def columns(names: list[str]) -> Columns:
    """What the cells of a header say. Raises Refused."""
    if len(names) > MOST_COLUMNS:
        raise Refused(f"A file has at most {MOST_COLUMNS} columns.")
    found = tuple(_column(name.strip()) for name in names)
    said = [(each.what, each.name) for each in found]
    if twice := next((each.header for each in found if said.count((each.what, each.name)) > 1), None):
        raise Refused(f"The column {twice} stands in the header twice.")
    if ("id", "") not in said:
        raise Refused(f"The header has no column id. It has: {', '.join(names)[:300]}.")
    if (("quiet_from", "") in said) != (("quiet_to", "") in said):
        raise Refused("quiet_from and quiet_to come together.")
    return Columns(found, _scope(found))


def _column(header: str) -> Column:
    lower = header.lower()
    if lower in FIELDS:
        return Column(header, lower)
    if platform := TOKENS.get(lower.removesuffix("s")):
        return Column(header, platform)
    prefix, _, rest = header.partition(".")
    name, _, kind = rest.partition(":")
    if prefix.lower() != "attributes" or not 1 <= len(name) <= LONGEST_NAME or (kind or "text") not in KINDS:
        known = ", ".join((*FIELDS, *(f"{each}s" for each in TOKENS), "attributes.NAME"))
        raise Refused(f"There is no column {header[:LONGEST_NAME]!r}; there are {known}[:number or :boolean].")
    return Column(header, "attribute", name, kind or "text")


def _scope(found: tuple[Column, ...]) -> Scope:
    whats = {each.what for each in found}
    fields = whats & {"phone", "timezone", "opt_out"} | ({"quiet_hours"} if "quiet_from" in whats else set())
    attributes = tuple(each.name for each in found if each.what == "attribute")
    return Scope(frozenset(fields), tuple(each for each in TOKENS.values() if each in whats), attributes)


def item(columns: Columns, values: list[str]) -> dict[str, Any]:
    """A row as the fields of `contract.NewRecipient`. Raises Refused."""
    if len(values) != len(columns.columns):
        raise Refused(f"The row has {len(values)} cells, and the header {len(columns.columns)}.")
    raw: dict[str, Any] = {"devices": [], "attributes": {}}
    hours = {}
    for column, value in zip(columns.columns, map(str.strip, values), strict=True):
        if column.what == "attribute":
            raw["attributes"][column.name] = _typed(column, value)
        elif not value:
            continue
        elif column.what in ("quiet_from", "quiet_to"):
            hours[column.what.removeprefix("quiet_")] = value
        elif column.what == "opt_out":
            raw["opt_out"] = _parts(value)
        elif column.what in FIELDS:
            raw[column.what] = value
        else:
            raw["devices"] += [{"platform": column.what, "token": each} for each in _parts(value)]
    return {**raw, "quiet_hours": hours} if hours else raw


def column(columns: Columns, raw: dict[str, Any], field: str | None) -> str | None:
    """The header of the column that a field came from: quiet_to of quiet_hours.to."""
    if field is None or field in FIELDS:
        return field
    what = field
    if field.startswith("quiet_hours"):
        what = f"quiet_{field.partition('.')[2] or 'from'}"
    elif number := re.match(r"devices\[(\d+)", field):
        what = raw["devices"][int(number[1])]["platform"]
    return next((each.header for each in columns.columns if each.what == what), field)


def _parts(value: str) -> list[str]:
    return [part for each in value.split(";") if (part := each.strip())]


def _typed(column: Column, value: str) -> Any:
    if column.kind == "text" or not value:
        return value or None
    if column.kind == "boolean":
        if value.lower() not in TRUE + FALSE:
            raise Refused("A cell of a :boolean is true, false, yes, no, 1 or 0.", column.header)
        return value.lower() in TRUE
    if not re.fullmatch(r"-?\d{1,20}(\.\d{1,20})?", value, re.ASCII):
        raise Refused("A cell of a :number is as -12 or 12.5.", column.header)
    return float(value) if "." in value else int(value)
