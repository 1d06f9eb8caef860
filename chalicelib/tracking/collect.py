"""One request with events: whose key is it, may this site use it, and is everything in SQS before we say yes.

Nothing is written for an event here: what is accepted and what is put aside travels in the same messages, and one
request is one message unless it is too large. Whoever gets no 2xx sends again, with the same ids. What reads events is
loaded with the first of them, not in every cold start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from chalicelib import contract, log
from chalicelib.errors import BadRequest, Forbidden, Unauthorized
from chalicelib.store import AccountStore
from chalicelib.tracking import limit
from chalicelib.tracking.event import MAX_BATCH_BYTES, MAX_EVENT_BYTES

if TYPE_CHECKING:
    from chalicelib.tracking.intake import Intake, Source

WRITE_KEY_LENGTH = 2 + 17 + 16
KNOWN_SECONDS = 60
PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00"
    b"\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


class Request(Protocol):
    """What came: the raw body, the headers and the sender's address, as `http.Call` has them."""

    @property
    def raw(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def ip(self) -> str: ...


class Outcome(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes = b""


class WriteKey(msgspec.Struct, frozen=True):
    allowed_origins: tuple[str, ...]
    read_at: float


_known: dict[str, WriteKey] = {}


def batch(request: Request, now: float) -> contract.Received:
    """`POST /v1/batch`. Raises BadRequest, Unauthorized, Forbidden, TooManyRequests, Unavailable."""
    from chalicelib.tracking import intake

    body = unpacked(request, MAX_BATCH_BYTES, "batch")
    key = intake.basic_key(request.headers.get("authorization")) or intake.body_key(body)
    return _take(key, request, now, lambda source: intake.read_batch(body, source))


def one(kind: str, request: Request, now: float) -> contract.Received:
    """`POST /v1/track` and its like."""
    from chalicelib.tracking import intake

    body = unpacked(request, MAX_EVENT_BYTES, "event")
    key = intake.basic_key(request.headers.get("authorization")) or intake.body_key(body)
    return _take(key, request, now, lambda source: intake.read_one(body, kind, source))


def beacon(request: Request, now: float) -> None:
    """`POST /v1/e`: a batch whose key is in the body, since a beacon has no headers of its own."""
    from chalicelib.tracking import intake

    intake.check_beacon(request.raw)
    _take(intake.body_key(request.raw), request, now, lambda source: intake.read_batch(request.raw, source))


def pixel(text: str, request: Request, now: float) -> Outcome:
    """`GET /v1/pixel.gif?d=`. text: one event in base64url, its key inside."""
    from chalicelib.tracking import intake

    body = intake.pixel_body(text)
    _take(intake.body_key(body), request, now, lambda source: intake.read_pixel(body, source))
    return Outcome(200, {"Content-Type": "image/gif", "Cache-Control": "no-store"}, PIXEL)


def unpacked(request: Request, limit: int, name: str) -> bytes:
    """The body of at most `limit` bytes, unpacked where it came as gzip, and no further. Raises BadRequest."""
    from chalicelib.tracking import intake

    intake.check_size(len(request.raw), limit, name)
    if request.headers.get("content-encoding", "identity").lower() != "gzip":
        return request.raw
    import zlib

    try:
        body = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(request.raw, limit + 1)
    except zlib.error:
        raise BadRequest("The body is not gzip.", field="Content-Encoding") from None
    if len(body) > limit:
        raise BadRequest(f"The {name} has over {limit:,} bytes when it is unpacked.", field=name)
    return body


def _take(key: str | None, request: Request, now: float, read: Callable[[Source], Intake]) -> contract.Received:
    from chalicelib.tracking import envelope, privacy, queue
    from chalicelib.tracking.intake import Source

    account = admit(key, request.headers.get("origin"), now)
    milliseconds = int(now * 1000)
    agent = request.headers.get("user-agent", "")
    taken = read(Source(account, str(key), request.ip, agent, milliseconds))
    if privacy.opted_out(request.headers):
        # Asked not to be tracked: nothing is kept, and there is nothing to send again.
        log.metric("EventsOptedOut", len(taken.events))
        return contract.Received(success=True, accepted=0, rejected=0)
    if taken.events or taken.rejected:
        limit.spend(account, str(key), len(taken.events) + len(taken.rejected), now)
        queue.send(envelope.pack(account, taken))
    log.metrics(
        EventsAccepted=(len(taken.events), "Count"),
        EventsRejected=(len(taken.rejected), "Count"),
        EventsBot=(sum(event.bot for event in taken.events), "Count"),
    )
    return contract.Received(success=True, accepted=len(taken.events), rejected=len(taken.rejected))


def admit(key: str | None, origin: str | None, now: float) -> str:
    """The account of a write key. Raises Unauthorized, or Forbidden for a site that the key is not for."""
    known = _write_key(key or "", now)
    if known is None:
        raise Unauthorized("A valid write key is needed, as the user of basic authorization or as `writeKey`.")
    if origin is not None and known.allowed_origins and origin not in known.allowed_origins:
        raise Forbidden("This write key is not for this site.", field="Origin")
    return account_of(str(key))


def account_of(key: str) -> str:
    """The account that stands in a write key: `wk`, the account, 16 random digits."""
    return key[2:19]


def _write_key(key: str, now: float) -> WriteKey | None:
    """The key as the account keeps it; asked for once a minute, so a revoked key works for a minute more."""
    if len(key) != WRITE_KEY_LENGTH or not (key.startswith("wk") and key.isascii() and key.isalnum()):
        return None
    known = _known.get(key)
    if known is None or now - known.read_at > KNOWN_SECONDS:
        item = AccountStore(account_of(key)).get("write-keys", "", key)
        if item is None:
            _known.pop(key, None)
            return None
        known = _known[key] = WriteKey(tuple(item["allowed_origins"]), now)
    return known
