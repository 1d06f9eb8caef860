"""Which page of a counter an event's digest goes to. Pure: the same id always leads to the same page.

A page holds sets of digests, one set for each (kind, image, ranking), and is only ever added to. A set union does not
mind duplicates, reordering or repetition, so a count is the size of a set, whatever the queue and the consumers did.

    id ──> time inside it (or the claimed one) ──> hour ──> the hour's layout ──> start of the page
    image ──────────────────────────────────────────────────────────────────────> group

A write is billed by the whole item, so pages are short in time; how many groups an hour has follows from its volume.
An hour's layout is never changed once events may have been counted in it.
"""

from __future__ import annotations

import struct
from binascii import a2b_hex
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any
from zlib import crc32

import msgspec

from chalicelib.ids import is_id
from chalicelib.tracking.moments import id_time

HOUR = 3600
DAY = 24 * HOUR
# An event counts at once when the time in its id is within these of its arrival; else only compaction counts it.
PAST_SECONDS = 48 * HOUR
FUTURE_SECONDS = 600
# A page outlives every message that may still bring events for it: the horizon, SQS's longest retention, and a day.
KEPT_SECONDS = PAST_SECONDS + 14 * DAY + DAY

DIGEST_BYTES = 10
UUID_BYTES = struct.Struct(">HI10s")  # of version 7: 48 bits of milliseconds, then DIGEST_BYTES
ID_LENGTH = 26

WIDTH_SECONDS = 60
MAX_GROUPS = 64
PAGE_BYTES = 6 * 1024  # what a full page should have


class Layout(msgspec.Struct, frozen=True):
    """How pages are cut from the hour `start` on (Unix seconds): width in seconds, a divisor of 3600."""

    start: int = 0
    width: int = WIDTH_SECONDS
    groups: int = 1


class Page(msgspec.Struct, frozen=True, order=True):
    """start: Unix seconds. group: of the images whose digests it holds."""

    start: int
    group: int

    @property
    def hour(self) -> int:
        return hour_of(self.start)


Sets = dict[str, set[bytes]]

FIRST_LAYOUT = Layout()


def hour_of(second: int) -> int:
    return second - second % HOUR


def layout_at(layouts: Sequence[Layout], second: int) -> Layout:
    """The layout of the hour in which this second lies. layouts: oldest first, each from a full hour on."""
    for layout in reversed(layouts):
        if layout.start <= second:
            return layout
    return FIRST_LAYOUT


def page_of(layout: Layout, second: int, image: str) -> Page:
    return Page(second - second % layout.width, group_of(image, layout.groups))


def group_of(image: str, groups: int) -> int:
    return crc32(image.encode()) % groups


def within_horizon(second: int, received: int) -> bool:
    """Whether an event of that second, received then (Unix seconds), is counted at once."""
    return -FUTURE_SECONDS <= received - second <= PAST_SECONDS


def expires(hour: int) -> int:
    return hour + HOUR + KEPT_SECONDS


def is_kept(hour: int, now: float) -> bool:
    """Whether the hour's pages are certainly still there, and will be for another day."""
    return now < expires(hour) - DAY


# Ids


def read_id(identifier: str, account: str) -> tuple[int | None, bytes]:
    """The milliseconds inside a message id, if it holds a time, and the DIGEST_BYTES bytes that stand for it.

    A UUIDv7 ends in 74 random bits; other ids are hashed, and `moments` knows where their times are.
    """
    # Nearly every id is a UUIDv7, and this is a third of what the consumer does: quicker than `moments`, and the same.
    if len(identifier) == 36 and identifier[8:24:5] == "----":
        try:
            high, low, digest = UUID_BYTES.unpack(a2b_hex(identifier.replace("-", "")))
            if digest[0] >> 4 == 7 and digest[2] >> 6 == 2:
                return high << 32 | low, digest
        except (ValueError, struct.error):
            pass  # no UUID
    return id_time(identifier), _hashed(identifier, account)


def _hashed(identifier: str, account: str) -> bytes:
    hasher = _keyed(account).copy()
    hasher.update(identifier.encode())
    return bytes(hasher.digest())


@cache
def _keyed(account: str) -> Any:
    from hashlib import blake2b

    return blake2b(digest_size=DIGEST_BYTES, key=account.encode())


# Attributes


@lru_cache(maxsize=1 << 17)
def attribute(kind: str | None, image: str | None, ranking: str | None) -> str | None:
    """The name of the set for this kind (a letter), image and ranking; None for what is not about an image.

    Ids have one length, so the parts need no separator: what is not an id can never be asked for, nor be mistaken.
    """
    if kind is None or image is None or not is_id(image):
        return None
    return kind + image + (ranking if ranking and is_id(ranking) else "")


def parts(name: str) -> tuple[str, str, str]:
    """(kind, image, ranking or "") of a set's name."""
    return name[0], image_of(name), name[1 + ID_LENGTH :]


def image_of(name: str) -> str:
    return name[1 : 1 + ID_LENGTH]


# Sizes


def page_bytes(sizes: Mapping[str, int]) -> int:
    """At most what DynamoDB bills for a page, from the number of digests in each set.

    "DynamoDB item sizes and formats": names count as UTF-8, lists cost 3 bytes and each element one more than its own;
    of sets nothing is said.
    """
    key_and_time = 2 + 45 + 2 + 12 + 7 + 6
    return key_and_time + sum(len(name) + 3 + size * (DIGEST_BYTES + 1) for name, size in sizes.items())


def next_layout(hour: int, hour_bytes: int, before: Layout) -> Layout:
    """The layout from `hour` on, for hours as large as one whose pages took `hour_bytes` in all.

    It grows at once and shrinks only when half would do, so that it does not change with every hour.
    """
    a_page = hour_bytes * WIDTH_SECONDS // HOUR
    wanted = min(MAX_GROUPS, 1 << max(0, (a_page - 1) // PAGE_BYTES).bit_length())
    if before.groups // 2 <= wanted <= before.groups:
        wanted = before.groups
    return Layout(hour, WIDTH_SECONDS, wanted)


def split(sets: Sets, depth: int) -> dict[str, Sets]:
    """The sets in up to 16 parts, by the hexadecimal digit of each digest that is `depth` from its end (0: the last).

    The first digits of a UUIDv7's digest are not random.
    """
    halves: dict[str, Sets] = {}
    for name, digests in sets.items():
        for each in digests:
            digit = each.hex()[-1 - depth]
            halves.setdefault(digit, {}).setdefault(name, set()).add(each)
    return halves


def runs(sets: Sets, most: int) -> Iterable[Sets]:
    """The sets in portions of at most `most` attributes, in the order of their names."""
    names = sorted(sets)
    for start in range(0, len(names), most):
        yield {name: sets[name] for name in names[start : start + most]}
