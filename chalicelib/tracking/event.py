"""One tracked event as it is queued, counted and archived, and what a refused one leaves behind."""

from typing import Any

import msgspec

MAX_EVENT_BYTES = 32 * 1024
MAX_BATCH_BYTES = 500 * 1024
MAX_BEACON_BYTES = 64 * 1024
MAX_RAW_CHARACTERS = 2000

TYPES = ("track", "identify", "page", "screen", "group", "alias")
KINDS = {"i": "impression", "c": "click", "s": "submit", "v": "conversion"}

# Names of `track` events, in any case. Any other name is archived and not counted.
KIND_BY_NAME = {
    "image impression": "i",
    "image viewed": "i",
    "impression": "i",
    "image clicked": "c",
    "click": "c",
    "form submitted": "s",
    "submit": "s",
    "goal reached": "v",
    "conversion": "v",
}
KIND_BY_NAME |= {name.title(): kind for name, kind in KIND_BY_NAME.items()}  # as they are nearly always written


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A valid event.

    id: the client's message id, at most 100 characters, or one made from the event's own bytes.
    received: when it came; at: when it happened, corrected for the client's clock; frozen: the client's own clock
    unchanged, hence the same on every retry (`received` where it sent none). All in milliseconds since 1970.
    event: the name of a track event, or of the page or screen. kind: a letter of KINDS for what is counted.
    ip: a network (/24 or /48), never an address. agent: at most 300 characters. url: at most 2,000.
    group, previous: `groupId` of a group call and `previousId` of an alias call.
    """

    id: str
    type: str
    account: str
    key: str
    received: int
    at: int
    frozen: int
    event: str | None = None
    kind: str | None = None
    image: str | None = None
    ranking: str | None = None
    position: int | None = None
    anonymous: str | None = None
    user: str | None = None
    bot: bool = False
    ip: str | None = None
    agent: str | None = None
    url: str | None = None
    properties: dict[str, Any] = {}
    traits: dict[str, Any] = {}
    group: str | None = None
    previous: str | None = None


class Rejected(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refused event, for the quarantine.

    reason: names the field where there is one. raw: the start of what came, with addresses cut.
    """

    id: str | None
    reason: str
    raw: str
    account: str
    key: str
    received: int


def kind_of(name: str) -> str | None:
    """The letter of KINDS that a track event of this name counts as."""
    return KIND_BY_NAME.get(name) or KIND_BY_NAME.get(name.lower())
