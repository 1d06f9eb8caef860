"""What a customer knows of the images: posts with their engagement, from a request, from a file or from tracked events.

Every row ends as a Post or as a Problem, never as both and never as neither; one bad row costs no other. Only of rows
after the first MAX_POSTS a single Problem speaks for all.

A CSV file is UTF-8 (a byte order mark does no harm) with a header; commas, semicolons or tabs part its fields. A
JSON-lines file has one object a line. Both have the columns `image` and `engagement`, may have `impressions` and
`posted_at`, and every other named column is metadata. JSON lines may also carry it as an object `metadata`, as the
API does.

`posted_at` is ISO 8601, in UTC unless it has an offset, or Unix seconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from chalicelib.tracking.labels import Label

MAX_POSTS = 50_000
MAX_FIELD = 131_072  # characters of a CSV field (Python's own limit), bytes of a JSON line
MAX_IMAGE = 100
MAX_COUNT = 1e15  # above, neighboring whole numbers are no longer told apart
MAX_METADATA = 50
CLOCK_SKEW = 300.0  # seconds
EARLIEST = 631_152_000.0  # 1990: what is older is a serial date or a mistake
KNOWN = ("image", "engagement", "impressions", "posted_at")
DELIMITERS = (",", ";", "\t")
MISSING = frozenset({"", "nan", "na", "n/a", "null"})
WRONG_HEADER = (
    "The first line must name the columns image and engagement, each column once, and the file must be UTF-8."
)

Value = str | float | bool
Fields = Mapping[str, Any]


class Post(msgspec.Struct, frozen=True):
    """One image with its engagement.

    row: 0-based index of the item, or the line of the file. engagement: a count, a rate or what else is more when it
    is better; 0 to 1e15. impressions: how often it was shown, above 0 and not below engagement. posted_at: Unix
    seconds, None where nobody said. weight: 0-1, how far to trust the engagement.
    """

    row: int
    image: str
    engagement: float
    impressions: float | None = None
    posted_at: float | None = None
    metadata: dict[str, Value] = {}
    weight: float = 1.0


class Problem(msgspec.Struct, frozen=True):
    """A row that was not used, and why. image: at most MAX_IMAGE characters, None where the row names none."""

    row: int
    image: str | None
    reason: str


class _Unusable(Exception):
    """The message is the reason of a Problem."""


def from_items(items: Sequence[Fields | msgspec.Struct], now: float) -> tuple[list[Post], list[Problem]]:
    """Items of a request, as structs or mappings with the fields of a Post. now: Unix seconds."""
    return _sift(enumerate(map(_plain, items)), now)


def from_csv(data: bytes, now: float) -> tuple[list[Post], list[Problem]]:
    """`row` is the line that a row begins on, the header being line 1."""
    text = data.decode("utf-8-sig", "surrogateescape")
    for delimiter in DELIMITERS:
        lines = _csv_lines(text, delimiter)
        header = _header(next(lines, (1, ""))[1])
        if header:
            return _sift(((row, _named(header, cells)) for row, cells in lines), now)
    return [], [Problem(1, None, WRONG_HEADER)]


def from_jsonl(data: bytes, now: float) -> tuple[list[Post], list[Problem]]:
    """`row` is the line, from 1. Empty lines count but are no rows."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        return [], [Problem(1, None, "The file is empty.")]
    lines = enumerate(data.split(b"\n"), 1)
    return _sift(((row, _json_fields(line)) for row, line in lines if line.strip()), now)


def from_labels(labels: Sequence[Label]) -> list[Post]:
    """Tracked images. They have no moment of publication, so hour and weekday tell nothing of them."""
    return [Post(row, label.image, label.engagement, weight=label.weight) for row, label in enumerate(labels)]


def _plain(item: Fields | msgspec.Struct) -> Fields:
    fields = msgspec.structs.asdict(item) if isinstance(item, msgspec.Struct) else item
    return {name: value for name, value in fields.items() if value is not msgspec.UNSET}


def _sift(rows: Iterable[tuple[int, Fields | str]], now: float) -> tuple[list[Post], list[Problem]]:
    """rows: each with its fields, or with the reason why it has none."""
    posts, problems = [], []
    for number, (row, fields) in enumerate(rows):
        if number == MAX_POSTS:
            problems.append(Problem(row, None, f"Only the first {MAX_POSTS:,} rows were read, not those from here on."))
            break
        found = Problem(row, None, fields) if isinstance(fields, str) else _read(row, fields, now)
        if isinstance(found, Post):
            posts.append(found)
        else:
            problems.append(found)
    return posts, problems


def _read(row: int, fields: Fields, now: float) -> Post | Problem:
    try:
        return _post(row, fields, now)
    except _Unusable as reason:
        image = fields.get("image")
        return Problem(row, image[:MAX_IMAGE] if isinstance(image, str) and image else None, str(reason))


def _post(row: int, fields: Fields, now: float) -> Post:
    image, engagement = _image(fields.get("image")), _count("engagement", fields.get("engagement"))
    if engagement is None:
        raise _Unusable("engagement is missing.")
    impressions = _count("impressions", fields.get("impressions"))
    if impressions == 0:
        raise _Unusable("impressions is 0: what nobody saw says nothing.")
    if impressions is not None and impressions < engagement:
        raise _Unusable("impressions is lower than engagement.")
    moment = _moment(fields.get("posted_at"), now)
    return Post(row, image, engagement, impressions, moment, _metadata(fields.get("metadata")))


def _image(value: Any) -> str:
    if value is None or value == "":
        raise _Unusable("image is missing.")
    if not isinstance(value, str) or len(value) > MAX_IMAGE:
        raise _Unusable("image is not the id of an image.")
    return value


def _count(name: str, value: Any) -> float | None:
    if value is None or value == "":
        return None
    number = _number(value)
    if number is None:
        raise _Unusable(f"{name} is not a number.")
    if not math.isfinite(number):
        raise _Unusable(f"{name} is not finite.")
    if number < 0:
        raise _Unusable(f"{name} is negative.")
    if number > MAX_COUNT:
        raise _Unusable(f"{name} is above {MAX_COUNT:.0e}.")
    return number


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf


def _moment(value: Any, now: float) -> float | None:
    if value is None or value == "":
        return None
    seconds = _seconds(value)
    if seconds is None or not math.isfinite(seconds):
        raise _Unusable("posted_at is neither ISO 8601 nor Unix seconds.")
    if seconds > now + CLOCK_SKEW:
        raise _Unusable("posted_at lies in the future (Unix times are in seconds).")
    if seconds < EARLIEST:
        raise _Unusable("posted_at lies before 1990.")
    return seconds


def _seconds(value: Any) -> float | None:
    # Eight digits are a date, 20260401: as seconds they would lie in 1970.
    number = None if isinstance(value, str) and re.fullmatch(r"\d{8}", value) else _number(value)
    if number is not None:
        return number
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _metadata(values: Any) -> dict[str, Value]:
    if values is not None and not isinstance(values, Mapping):
        raise _Unusable("metadata is not an object.")
    given = {name: value for name, value in (values or {}).items() if value is not None}
    if len(given) > MAX_METADATA:
        raise _Unusable(f"It has more than {MAX_METADATA} metadata columns.")
    return {name: _metadatum(name, value) for name, value in given.items()}


def _metadatum(name: str, value: Any) -> Value:
    if isinstance(value, str | bool):
        return value
    number = _number(value)
    if number is None or not math.isfinite(number):
        raise _Unusable(f"metadata {name[:MAX_IMAGE]!r} is neither text nor a finite number nor true or false.")
    return number


# CSV


def _csv_lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """The line that each record begins on, and its fields, or why it has none. Empty lines are no records."""
    import csv
    import io

    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        row = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield row, f"It is not CSV: {error}."
            continue
        if cells is None:
            return
        if cells:
            yield row, cells


def _header(cells: list[str] | str) -> list[str] | None:
    """Names of the columns, "" for those without; None where it is not the header of a data set."""
    if isinstance(cells, str) or not _is_text(cells):
        return None
    names = [name.strip() for name in cells]
    names = [name.lower() if name.lower() in KNOWN else name for name in names]
    named = [name for name in names if name]
    return names if len(named) == len(set(named)) and {"image", "engagement"} <= set(named) else None


def _named(header: list[str], cells: list[str] | str) -> Fields | str:
    if isinstance(cells, str):
        return cells
    if not _is_text(cells):
        return "It is not UTF-8."
    if len(cells) != len(header):
        return f"It has {len(cells)} fields, the header has {len(header)}."
    fields = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if name}
    others = {name: _typed(cell) for name, cell in fields.items() if name not in KNOWN}
    return {**{name: fields[name] for name in KNOWN if name in fields}, "metadata": others}


def _is_text(cells: list[str]) -> bool:
    """False where a byte that is not UTF-8 was kept as half a surrogate."""
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True


def _typed(cell: str) -> Value | None:
    if cell.lower() in MISSING:
        return None
    if cell.lower() in ("true", "false"):
        return cell.lower() == "true"
    number = _number(cell)
    return number if number is not None and math.isfinite(number) else cell


# JSON lines


def _json_fields(line: bytes) -> Fields | str:
    if len(line) > MAX_FIELD:
        return f"It is longer than {MAX_FIELD:,} bytes."
    try:
        fields = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return "It is not JSON in UTF-8."
    if not isinstance(fields, dict):
        return "It is not a JSON object."
    inner = fields.pop("metadata", None)
    if inner is not None and not isinstance(inner, dict):
        return "metadata is not an object."
    others = {name: value for name, value in fields.items() if name not in KNOWN}
    return {**{name: fields[name] for name in KNOWN if name in fields}, "metadata": {**others, **(inner or {})}}
