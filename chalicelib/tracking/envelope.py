"""What one request left, as bodies of queue messages.

    {"v": 1, "account": "a...", "events": [Event, ...], "rejected": [Rejected, ...]}

The queue bills every 64 kB begun, so a message stays below that and holds as much as it can. A request nearly always
fits into one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from chalicelib.tracking.event import Event, Rejected
    from chalicelib.tracking.intake import Intake

MAX_MESSAGE_BYTES = 64 * 1024


class Message(msgspec.Struct, frozen=True):
    """`consume` reads as much of it as it needs."""

    v: Literal[1]
    account: str
    events: list[Event]
    rejected: list[Rejected]


ENCODER = msgspec.json.Encoder()


def pack(account: str, intake: Intake) -> list[str]:
    """JSON texts of at most MAX_MESSAGE_BYTES of UTF-8 each, events in their order; none for nothing.

    Raises ValueError for an event too large for any message; the intake lets none through.
    """
    if not (intake.events or intake.rejected):
        return []
    whole = ENCODER.encode(Message(1, account, intake.events, intake.rejected))
    if len(whole) <= MAX_MESSAGE_BYTES:
        return [whole.decode()]
    return [text.decode() for text in split(account, intake)]


def split(account: str, intake: Intake) -> Iterator[bytes]:
    """Fills one message after the other; those with events come first."""
    frame = ENCODER.encode(Message(1, account, [], []))
    room = MAX_MESSAGE_BYTES - len(frame)
    for rows in fill(intake.events, room):
        yield frame.replace(b'"events":[]', b'"events":[' + rows + b"]")
    for rows in fill(intake.rejected, room):
        yield frame.replace(b'"rejected":[]', b'"rejected":[' + rows + b"]")


def fill(rows: list[Event] | list[Rejected], room: int) -> Iterator[bytes]:
    """The rows as JSON joined by commas, in runs of at most `room` bytes."""
    run: list[bytes] = []
    used = 0
    for row in rows:
        text = ENCODER.encode(row)
        if len(text) > room:
            raise ValueError(f"One row takes {len(text)} bytes; a message has room for {room}.")
        if run and used + len(text) > room:
            yield b",".join(run)
            run, used = [], 0
        run.append(text)
        used += len(text) + 1
    if run:
        yield b",".join(run)
