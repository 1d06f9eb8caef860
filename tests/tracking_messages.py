"""Messages of the tracking queue, read in full: the consumer itself reads only what counting needs."""

from __future__ import annotations

from typing import Literal

import msgspec

from chalicelib.tracking.event import Event, Rejected


class Opened(msgspec.Struct, frozen=True):
    v: Literal[1]
    account: str
    events: list[Event]
    rejected: list[Rejected]


def opened(text: str) -> Opened:
    return msgspec.json.decode(text, type=Opened)
