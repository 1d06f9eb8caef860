"""The events of a batch as slices of its bytes, for where a parser gives up on the whole.

Python's `json`, hence Segment's Python library, writes NaN and Infinity, which are not JSON; and a parser dies of deep
nesting. Only strings, brackets and commas matter here, so one such event is cut out without touching its neighbors.
"""

import re
from typing import NamedTuple

STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
FLAT = rb'[\[{](?:[^"\[\]{}]++|' + STRING + rb")*+[\]}]"  # a container with no other inside
# All up to the next mark or run of brackets. It matches everywhere, at the end too: no byte is searched twice.
TOKEN = re.compile(rb'(?:[^"\[\]{},]++|' + STRING + rb"|" + FLAT + rb')*+([\[{]++|[\]}]++|[",]|\Z)', re.S)
SPACE = b" \t\r\n"
OPENING = b"[{"
ENDS = frozenset({b"", b'"'})  # the bytes are at an end, maybe within a string
MAX_MEMBERS = 100  # of the object around a batch; Segment's libraries send four
MEMBER = re.compile(rb'"batch"[ \t\r\n]*:[ \t\r\n]*\[')


class Batch(NamedTuple):
    """frame: the body with its batch emptied. events: the bytes of each, without the white space around it."""

    frame: bytes
    events: list[bytes]


class TooMany(ValueError):
    """More members than are taken. The rest has not been looked at."""


def split(body: bytes, most: int) -> Batch:
    """The items of the array `batch` of an object, at most that many.

    Raises TooMany, and ValueError where brackets or strings do not match or the object has over MAX_MEMBERS members.
    """
    start = len(body) - len(body.lstrip(SPACE))
    if body[start : start + 1] != b"{":
        raise ValueError("This is no object.")
    try:
        members, _ = items(body, start, MAX_MEMBERS)
    except TooMany:
        raise ValueError(f"An object around a batch has at most {MAX_MEMBERS} members.") from None
    found = [at for at, end in members if MEMBER.match(body, at, end)]
    if not found:
        raise ValueError("There is no array `batch`.")
    opening = body.index(b"[", found[-1])
    events, end = items(body, opening, most)
    return Batch(body[:opening] + b"[]" + body[end:], [body[at:until] for at, until in events])


def items(body: bytes, opening: int, most: int) -> tuple[list[tuple[int, int]], int]:
    """Where the members of the container opened there begin and end, and where it ends itself."""
    spans: list[tuple[int, int]] = []
    depth, begin = 1, opening + 1
    for token in TOKEN.finditer(body, begin):
        mark = token[1]
        if mark in ENDS:
            break
        if mark[0] in OPENING:
            depth += len(mark)
            continue
        if mark != b",":
            depth -= len(mark)
        if depth < 1 or (depth == 1 and mark == b","):
            if len(spans) == most:
                raise TooMany
            end = token.end() + min(depth, 0)  # of a run of brackets, some may belong to what is around
            spans.append(trimmed(body, begin, end - 1))
            begin = end
        if depth < 1:
            return whole(spans), begin
    raise ValueError("A string or a bracket is not closed.")


def trimmed(body: bytes, begin: int, end: int) -> tuple[int, int]:
    text = body[begin:end]
    return begin + len(text) - len(text.lstrip(SPACE)), end - (len(text) - len(text.rstrip(SPACE)))


def whole(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans; none for an empty container. Raises ValueError for one that is empty among others."""
    filled = [span for span in spans if span[0] < span[1]]
    if len(filled) < len(spans) > 1:
        raise ValueError("There is nothing between two commas.")
    return filled
