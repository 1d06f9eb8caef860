"""The events of a batch as slices of its bytes, for where a parser gives up on the whole.

Python's `json`, hence Segment's Python library, writes NaN and Infinity, which are not JSON; and a parser dies of deep
nesting. Only strings, brackets and commas matter here, so one such event is cut out without touching its neighbors.
"""

import re
from typing import NamedTuple

TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.S)
SPACE = b" \t\r\n"
MEMBER = re.compile(rb'"batch"[ \t\r\n]*:[ \t\r\n]*\[')


class Batch(NamedTuple):
    """frame: the body with its batch emptied. events: the bytes of each, without the white space around it."""

    frame: bytes
    events: list[bytes]


def split(body: bytes) -> Batch:
    """The items of the array `batch` of an object. Raises ValueError where brackets or strings do not match."""
    start = len(body) - len(body.lstrip(SPACE))
    members, _ = items(body, start)
    found = [at for at, end in members if MEMBER.match(body, at, end)]
    if not found:
        raise ValueError("There is no array `batch`.")
    opening = body.index(b"[", found[-1])
    events, end = items(body, opening)
    return Batch(body[:opening] + b"[]" + body[end:], [body[at:until] for at, until in events])


def items(body: bytes, opening: int) -> tuple[list[tuple[int, int]], int]:
    """Where the members of the container opened there begin and end, and where it ends itself."""
    spans = []
    depth, begin = 0, opening + 1
    for token in TOKEN.finditer(body, opening):
        mark = token[0]
        if mark in b"{[":
            depth += 1
        elif mark in b"}]":
            depth -= 1
        elif mark == b'"':
            break
        if depth == 0 or (depth == 1 and mark == b","):
            spans.append(trimmed(body, begin, token.start()))
            begin = token.end()
        if depth == 0:
            return whole(spans), token.end()
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
