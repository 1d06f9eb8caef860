"""The time inside a message id.

Every retry carries the same id, so a time read from it puts all of them into the same page of a counter.

| id                                     | where the time is                                            |
|----------------------------------------|--------------------------------------------------------------|
| UUID, version 7                        | first 48 bits: milliseconds since 1970                       |
| UUID, versions 1 and 6                 | 60 bits: 100 ns since 1582-10-15, in their two bit orders    |
| ULID                                   | first 10 characters: 48 bits of milliseconds                 |
| `ajs-next-{ms}-...` (analytics.js 2)   | decimal milliseconds                                         |
| `node-next-{ms}-...` (analytics-node)  | decimal milliseconds                                         |

RFC 9562 and the ULID specification. Random ids (UUID version 4, which Segment's Python library makes) have none.
"""

import re

UUID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-([167])([0-9a-f]{3})-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.A | re.I)
ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}")
SEGMENT = re.compile(r"(?:ajs|node)-next-([0-9]{12,14})-.+", re.S)

CROCKFORD = {character: value for value, character in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}
GREGORIAN_TO_UNIX = 12_219_292_800_000  # milliseconds from 1582-10-15 to 1970-01-01
TICKS_PER_MILLISECOND = 10_000


def id_time(identifier: str) -> int | None:
    """Milliseconds since 1970 (0 or more), or None where the id holds no time. Never raises."""
    if match := UUID.fullmatch(identifier):
        return uuid_time(*match.groups())
    if match := SEGMENT.fullmatch(identifier):
        return int(match[1])
    if ULID.fullmatch(identifier):
        return ulid_time(identifier)
    return None


def uuid_time(first: str, second: str, version: str, third: str) -> int | None:
    if version == "7":
        return int(first + second, 16)
    ticks = int(third + second + first if version == "1" else first + second + third, 16)
    return not_before_1970(ticks // TICKS_PER_MILLISECOND - GREGORIAN_TO_UNIX)


def ulid_time(identifier: str) -> int:
    milliseconds = 0
    for character in identifier[:10].upper():
        milliseconds = milliseconds << 5 | CROCKFORD[character]
    return milliseconds


def not_before_1970(milliseconds: int) -> int | None:
    return milliseconds if milliseconds >= 0 else None
