"""One worker's turn at one chunk: what it knows, and how fast it may go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from chalicelib.push import chunks
from chalicelib.push.chunks import Move, Row
from chalicelib.settings import settings
from chalicelib.store import AccountStore, Item

GROUP = 5
GROUP_SECONDS = 0.5  # what a group takes at most at the channel's rate


class Pace:
    """At most so many a second, evenly."""

    def __init__(self, per_second: float, clock: Callable[[], float], sleep: Callable[[float], None]):
        self.per_second, self.clock, self.sleep = per_second, clock, sleep
        self.next = clock()

    def wait(self) -> None:
        now, apart = self.clock(), 1 / self.per_second
        # No longer than one message takes: a clock that was set back does not stop the channel.
        due = min(max(self.next, now), now + apart)
        if due > now:
            self.sleep(due - now)
        self.next = due + apart


class Turn(msgspec.Struct):
    """One worker at one chunk.

    quiet_until: when the first quiet hours end. pause: after how many seconds to go on, once it stopped before the end.
    held_up: why it stopped, if SNS refused several messages in a row, or one for a reason that all of them have.
    recorded: rows by the state that it brought them to. again: rows to try once more. learned: of recipients, to keep.
    """

    store: AccountStore
    chunk: str
    campaign: Item
    holder: str
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    until: float
    pace: Pace
    claims: int = 0
    throttles: int = 0
    settled: float = 0.0
    quiet_until: float | None = None
    pause: float | None = None
    held_up: str | None = None
    recorded: dict[str, int] = {}
    again: list[Row] = []
    learned: list[Callable[[], None]] = []

    @property
    def channel(self) -> str:
        return chunks.channel_of(self.chunk)

    @property
    def state(self) -> str:
        return str(self.campaign["state"])

    @property
    def at_least_once(self) -> bool:
        return bool(self.campaign["delivery"] == "at_least_once")

    def is_over(self) -> bool:
        if self.pause is None and self.clock() >= self.until:
            self.pause = 0
        return self.pause is not None

    def token(self) -> str:
        """New with every claim: a request that is late by minutes cannot touch a later one's row."""
        self.claims += 1
        return f"{self.holder}.{self.claims}"

    def group(self) -> int:
        return max(1, min(GROUP, int(self.pace.per_second * GROUP_SECONDS)))


def rate(channel: str) -> float:
    """Messages a second of one worker."""
    now = settings()
    if channel == "sms":
        return now.sms_per_second / now.sms_workers
    return now.push_per_second / now.push_workers


def moved(row: Row, to: str, at: int, **more: Any) -> Move:
    """A move of the row as it was read: another worker may have planned it again after a try."""
    return Move(row.recipient, to, at, state=row.state, token=row.token, tried=row.tries, **more)
