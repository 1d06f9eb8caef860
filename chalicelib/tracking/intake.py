"""One request of a tracker -> what is accepted and what is refused, each event on its own.

    read_batch(body, source)            {"batch": [event, ...], "context"?, "sentAt"?, "writeKey"?}: /v1/batch, /v1/e
    read_one(body, "track", source)     the event itself: /v1/track, /v1/identify, ...
    read_pixel(body, source)            one event, `type` included: /v1/pixel.gif, its body by `pixel_body`

What cannot be read at all raises BadRequest: no JSON, no UTF-8, over a limit of size. The rest is a success, as with
Segment, and what is wrong with single events stands in `rejected`. An event needs a type, a name where it is a track
event, and one of userId, anonymousId, groupId and previousId (Segment's documentation asks for one of the first two;
its library for Node sends group and alias calls without). Unknown fields are dropped. Of `context` are kept the user
agent, the page's URL and the network of the address; a batch's `context` and `sentAt` hold for events without.

A missing message id is made from the event's bytes, so that a retry of the same bytes has the same id. A pixel's is
made from the moment as well: nothing retries an image, while people do open a letter twice.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.errors import BadRequest
from chalicelib.tracking import slices
from chalicelib.tracking.bots import is_bot
from chalicelib.tracking.event import MAX_BATCH_BYTES, MAX_BEACON_BYTES, MAX_EVENT_BYTES, Event, Rejected
from chalicelib.tracking.privacy import cut
from chalicelib.tracking.sent import FRAME, KEYED, WHOLE, Context, Frame, milliseconds, moment
from chalicelib.tracking.verdict import (
    ALWAYS_FITS,
    MAX_AGENT_CHARACTERS,
    Request,
    accept,
    agent_kept,
    normalize,
    page_url,
    reason_of,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_EVENTS = 2500  # in a batch; events of 200 bytes fill its 500 kB
# What base64 makes of an event, with room for its padding.
MAX_PIXEL_CHARACTERS = MAX_EVENT_BYTES * 4 // 3 + 4
WRITE_KEY = re.compile(rb'"writeKey"[ \t\r\n]*+:[ \t\r\n]*+"([ !#-\[\]-~]{1,64}+)"')
STANDARD_ALPHABET = str.maketrans("-_", "+/")


class Source(msgspec.Struct, frozen=True):
    """Where a request came from. ip: the sender's full address, never kept. received: ms since 1970."""

    account: str
    key: str
    ip: str | None
    agent: str
    received: int


class Intake(msgspec.Struct, frozen=True):
    """What became of one request: accepted and rejected add up to what was sent."""

    events: list[Event]
    rejected: list[Rejected]


def read_batch(body: bytes, source: Source) -> Intake:
    """A batch of at most 500 kB and 2,500 events. Raises BadRequest."""
    check_text(body, MAX_BATCH_BYTES, "batch")
    if (intake := take_at_once(body, source)) and len(intake.events) <= MAX_EVENTS:
        return intake
    frame, events = open_batch(body)
    return take(events, request_of(source, frame.context, frame.sent_at))


def read_one(body: bytes, type: str, source: Source) -> Intake:  # noqa: A002 - Segment's word
    """An event of at most 32 kB, of the type that its route names. Raises BadRequest."""
    check_event(body)
    return take([body.strip()], msgspec.structs.replace(request_of(source), type=type))


def read_pixel(body: bytes, source: Source) -> Intake:
    """The event of a pixel. Raises BadRequest."""
    check_event(body)
    return take([body.strip()], msgspec.structs.replace(request_of(source), salt=str(source.received)))


def pixel_body(text: str) -> bytes:
    """The bytes in base64url, padded or not. Raises BadRequest, also for more than an event may have."""
    if len(text) > MAX_PIXEL_CHARACTERS:
        raise BadRequest(f"The event of a pixel has at most {MAX_EVENT_BYTES:,} bytes.", field="d")
    digits = text.rstrip("=").translate(STANDARD_ALPHABET)
    try:
        return b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except ValueError:
        raise BadRequest("The event of a pixel is JSON in base64url.", field="d") from None


def check_size(size: int, limit: int, name: str) -> None:
    """The first look at a request, before its key. Raises BadRequest; size and limit are in bytes."""
    if size > limit:
        raise BadRequest(f"The {name} has {size:,} bytes; at most {limit:,} are taken.", field=name)


def check_beacon(body: bytes) -> None:
    """Raises BadRequest for a beacon over 64 kB."""
    check_size(len(body), MAX_BEACON_BYTES, "beacon")


def body_key(body: bytes) -> str | None:
    """The `writeKey` in a body of any shape. Raises BadRequest for one that is no JSON object.

    Nothing is known yet of who sends it, so no time is spent on its events: where the parser gives up, the one key that
    the bytes name is taken, and a body that names none or several is not JSON.
    """
    try:
        key = KEYED.decode(body).write_key
    except msgspec.ValidationError:
        raise BadRequest("The body is not a JSON object.", field="body") from None
    except (ValueError, RecursionError):
        return named_key(body)
    return key if isinstance(key, str) else None


def named_key(body: bytes) -> str:
    named = {match[1] for match in WRITE_KEY.finditer(body)}
    if len(named) != 1:
        raise BadRequest("The body is not valid JSON.", field="body")
    return named.pop().decode()


def basic_key(header: str | None) -> str | None:
    """The write key of `Authorization: Basic base64(key:)`; None for anything else."""
    scheme, _, credentials = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(credentials.strip(), validate=True).decode().partition(":")[0] or None
    except (binascii.Error, ValueError):
        return None


def take_at_once(body: bytes, source: Source) -> Intake | None:
    """What comes of a batch without a fault, in half the time; None for any other."""
    try:
        if len(body) > ALWAYS_FITS and max(len(bytes(event)) for event in FRAME.decode(body).batch) > ALWAYS_FITS:
            return None
        whole = WHOLE.decode(body)
        request = request_of(source, whole.context, whole.sent_at)
        return Intake([normalize(sent, request) for sent in whole.batch], [])
    except (ValueError, RecursionError):
        return None


def check_text(body: bytes, limit: int, name: str) -> None:
    check_size(len(body), limit, name)
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8, at byte {error.start:,}.", field="body") from None


def check_event(body: bytes) -> None:
    check_text(body, MAX_EVENT_BYTES, "event")
    try:
        KEYED.decode(body)
    except RecursionError:
        return  # it is refused as one of a batch is
    except ValueError:
        raise BadRequest("The body is not a JSON object.", field="body") from None


def open_batch(body: bytes) -> tuple[Frame, list[bytes]]:
    """What stands around the events, and the bytes of each."""
    try:
        frame = FRAME.decode(body)
    except msgspec.ValidationError as error:
        raise wrong(error) from None
    except (ValueError, RecursionError):
        batch = cut_open(body)
        return FRAME.decode(batch.frame), batch.events
    if len(frame.batch) > MAX_EVENTS:
        raise too_many_events()
    return frame, [bytes(event) for event in frame.batch]


def cut_open(body: bytes) -> slices.Batch:
    """The events of a body that the parser refuses. Raises BadRequest if it is not only them who are at fault."""
    try:
        batch = slices.split(body, MAX_EVENTS)
        FRAME.decode(batch.frame)
    except slices.TooMany:
        raise too_many_events() from None
    except msgspec.ValidationError as error:
        raise wrong(error) from None
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON.", field="body") from None
    return batch


def too_many_events() -> BadRequest:
    return BadRequest(f"A batch has at most {MAX_EVENTS:,} events.", field="batch")


def wrong(error: msgspec.ValidationError) -> BadRequest:
    field, _, reason = reason_of(error).partition(": ")
    return BadRequest(reason, field="body" if field == "event" else field)


def request_of(source: Source, context: Context | None = None, sent_at: Any = None) -> Request:
    agent = (context and context.user_agent) or source.agent
    return Request(
        source=source,
        ip=cut((context and context.ip) or source.ip),
        agent=agent_kept(agent) or None,
        url=page_url(context),
        bot=is_bot(agent[:MAX_AGENT_CHARACTERS]),
        sent_at=usable(sent_at),
    )


def usable(sent_at: Any) -> int | None:
    """A batch's own moment, which helps and is not needed."""
    try:
        known = moment(sent_at)
    except ValueError:
        return None
    return None if known is None else milliseconds(known)


def take(texts: Iterable[bytes], request: Request) -> Intake:
    events: list[Event] = []
    rejected: list[Rejected] = []
    for text in texts:
        try:
            events.append(accept(text, request))
        except (ValueError, RecursionError) as error:
            rejected.append(refuse(text, error, request.source))
    return Intake(events, rejected)
