"""One event's bytes -> the event, or why it is refused. No event knows of its neighbors."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import msgspec

from chalicelib.tracking.bots import is_bot
from chalicelib.tracking.event import MAX_EVENT_BYTES, MAX_RAW_CHARACTERS, Event, Rejected, kind_of
from chalicelib.tracking.privacy import (
    MAX_KNOWN,
    cut,
    is_known,
    is_private,
    known_url,
    mask,
    mask_url,
    masked_id,
    without_addresses,
)
from chalicelib.tracking.sent import LOOSE, NAMED, Context, Loose, Sent, happened, milliseconds, moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from chalicelib.tracking.intake import Source

MAX_NESTING = 32  # of what is kept: an event's properties are its second level
MAX_POSITION = 10_000
MAX_AGENT_CHARACTERS = 300
MAX_URL_CHARACTERS = 2000
# A number may be longer when it is written again (1e15 becomes 1000000000000000.0), at most four times.
MAX_WRITTEN_BYTES = 60 * 1024
ALWAYS_FITS = MAX_WRITTEN_BYTES // 5

IDENTIFIER = re.compile(r"[0-9A-Za-z_-]{1,64}")
FIELD = re.compile(r"(.*) - at `\$\.?(.*)`", re.S)
CONTAINERS = frozenset({dict, list})
WRITER = msgspec.json.Encoder()


class Request(msgspec.Struct, frozen=True):
    """What the events of a request have in common, for those that do not say it themselves.

    ip: cut already. type: where the route says it. salt: what stands beside an event's bytes in an id made of them.
    """

    source: Source
    ip: str | None
    agent: str | None
    url: str | None
    bot: bool
    sent_at: int | None
    type: str | None = None
    salt: str = ""


def accept(text: bytes, request: Request) -> Event:
    """Raises ValueError, or RecursionError from the parser."""
    if len(text) > MAX_EVENT_BYTES:
        raise ValueError(f"event: has {len(text):,} bytes; at most {MAX_EVENT_BYTES:,} are taken")
    event = normalize(tighten(LOOSE.decode(text), text, request), request)
    if len(text) > ALWAYS_FITS and len(WRITER.encode(event)) > MAX_WRITTEN_BYTES:
        raise ValueError(f"event: takes over {MAX_WRITTEN_BYTES:,} bytes when its numbers are written out")
    return event


def tighten(loose: Loose, text: bytes, request: Request) -> Sent:
    """Ids as texts, times as moments, properties without what is not kept. Raises ValueError."""
    return Sent(
        message_id=loose.message_id or made_id(text, request),
        type=loose.type,
        event=loose.event,
        name=loose.name,
        context=loose.context,
        user_id=text_of(loose.user_id),
        anonymous_id=text_of(loose.anonymous_id),
        group_id=text_of(loose.group_id),
        previous_id=text_of(loose.previous_id),
        timestamp=moment_of("timestamp", loose.timestamp),
        original_timestamp=moment_of("originalTimestamp", loose.original_timestamp),
        sent_at=moment_of("sentAt", loose.sent_at),
        properties=fit_to_keep("properties", loose.properties),
        traits=fit_to_keep("traits", loose.traits),
    )


def refuse(text: bytes, error: Exception, source: Source) -> Rejected:
    return Rejected(
        id=claimed_id(text),
        reason=mask(reason_of(error)),
        raw=start_of(text),
        account=source.account,
        key=source.key,
        received=source.received,
    )


def normalize(sent: Sent, request: Request) -> Event:
    """Raises ValueError. Most of a request's time is spent here, hence few calls and no keywords."""
    source = request.source
    type_ = request.type or sent.type
    name = name_of(sent, type_)
    if not (sent.user_id or sent.anonymous_id or sent.group_id or sent.previous_id):
        raise ValueError("userId: one of userId and anonymousId is needed")
    properties: dict[str, Any] = sent.properties or {}
    traits: dict[str, Any] = sent.traits or {}
    if not ((is_known(properties) or is_private(properties)) and (not traits or is_private(traits))):
        properties, traits = without_addresses(properties), without_addresses(traits)
    image, ranking, position = about(properties)
    agent, bot, ip, url = surroundings(sent.context, request)
    frozen, at = moments(sent, request)
    return Event(
        sent.message_id,
        type_,  # type: ignore[arg-type] # name_of has refused None
        source.account,
        source.key,
        source.received,
        at,
        frozen,
        name,
        kind_of(name) if name and type_ == "track" else None,
        image,
        ranking,
        position,
        masked_id(sent.anonymous_id) if sent.anonymous_id else None,
        masked_id(sent.user_id) if sent.user_id else None,
        bot,
        ip,
        agent,
        url,
        properties,
        traits,
        masked_id(sent.group_id) if sent.group_id else None,
        masked_id(sent.previous_id) if sent.previous_id else None,
    )


def name_of(sent: Sent, kind_of_call: str | None) -> str | None:
    if kind_of_call == "track":
        if not sent.event:
            raise ValueError("event: a track event needs a name")
        return sent.event
    if kind_of_call is None:
        raise ValueError("type: is missing")
    return sent.name or sent.event


def text_of(identity: str | int | None) -> str | None:
    """The id of a visitor or of a group; an empty one is none."""
    return str(identity) if isinstance(identity, int) else identity or None


def surroundings(context: Context | None, request: Request) -> tuple[str | None, bool, str | None, str | None]:
    """User agent, whether it is a bot's, network and page of one event. A server tells its visitors' in the context."""
    agent, bot, ip, url = request.agent, request.bot, request.ip, request.url
    if context is not None:
        if context.user_agent:
            agent = agent_kept(context.user_agent)
            bot = is_bot(context.user_agent[:MAX_AGENT_CHARACTERS])
        if context.ip:
            ip = cut(context.ip)
        if context.page is not None:
            url = page_url(context) or url
    return agent, bot, ip, url


def page_url(context: Context | None) -> str | None:
    if context is None or context.page is None or not context.page.url:
        return None
    url = context.page.url
    return known_url(url) if len(url) <= MAX_KNOWN else mask_url(url)[:MAX_URL_CHARACTERS]


def agent_kept(agent: str) -> str:
    """Masked before it is cut, since half an address would not be known as one."""
    return mask(agent)[:MAX_AGENT_CHARACTERS]


def moments(sent: Sent, request: Request) -> tuple[int, int]:
    """The client's own time, and when it happened by our clock."""
    received = request.source.received
    own = sent.original_timestamp or sent.timestamp
    if own is None:
        return received, received
    frozen = milliseconds(own)
    sent_at = request.sent_at if sent.sent_at is None else milliseconds(sent.sent_at)
    return frozen, happened(frozen, sent_at, received)


def moment_of(field: str, value: str | float | None) -> datetime | None:
    try:
        return moment(value)
    except ValueError:
        raise ValueError(f"{field}: is no moment in ISO 8601, nor in seconds or milliseconds") from None


def fit_to_keep(field: str, values: dict[str, Any] | None) -> dict[str, Any] | None:
    """Without addresses. Raises ValueError for what is nested too deep."""
    if nested_over(values, MAX_NESTING - 1):
        raise ValueError(f"{field}: nested more than {MAX_NESTING} deep")
    return cast("dict[str, Any] | None", without_addresses(values))


def nested_over(value: Any, limit: int) -> bool:
    level = [value] if value else []
    for _ in range(limit):
        level = [inner for outer in level for inner in members(outer) if type(inner) in CONTAINERS]
        if not level:
            return False
    return True


def members(container: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def about(properties: dict[str, Any]) -> tuple[str | None, str | None, int | None]:
    """Image, ranking and position. Raises ValueError."""
    image, ranking, position = properties.get("image"), properties.get("ranking"), properties.get("position")
    if image is not None and not (isinstance(image, str) and len(image) <= 64 and is_identifier(image)):
        raise ValueError("properties.image: must be 1 to 64 of the characters 0-9 A-Z a-z _ -")
    if ranking is not None and not (isinstance(ranking, str) and len(ranking) <= 64 and is_identifier(ranking)):
        raise ValueError("properties.ranking: must be 1 to 64 of the characters 0-9 A-Z a-z _ -")
    if position is not None and not (type(position) is int and 0 <= position <= MAX_POSITION):
        raise ValueError(f"properties.position: must be a whole number from 0 to {MAX_POSITION:,}")
    return image, ranking, position


@lru_cache(maxsize=4096)
def is_identifier(text: str) -> bool:
    """Remembered, since most events are about few images."""
    return IDENTIFIER.fullmatch(text) is not None


def made_id(text: bytes, request: Request) -> str:
    """The same for the same bytes under the same write key."""
    from hashlib import blake2b

    digest = blake2b(digest_size=16)
    for part in (request.source.key.encode(), request.salt.encode(), text):
        digest.update(len(part).to_bytes(4) + part)
    return f"made-{digest.hexdigest()}"


def claimed_id(text: bytes) -> str | None:
    try:
        name = NAMED.decode(text).message_id
    except (ValueError, RecursionError):
        return None
    return name if isinstance(name, str) and len(name) <= 100 else None


def reason_of(error: Exception) -> str:
    """`field: what is wrong with it`; `event` is the whole of it."""
    if isinstance(error, RecursionError):
        return f"event: is nested more than {MAX_NESTING} deep"
    if match := FIELD.fullmatch(str(error)):
        return f"{match[2] or 'event'}: {match[1]}"
    return f"event: {error}" if isinstance(error, msgspec.DecodeError) else str(error)


def start_of(text: bytes) -> str:
    """The beginning with addresses cut. A network is shorter than its address, at most by two thirds."""
    return mask_url(text[: 16 * MAX_RAW_CHARACTERS].decode(errors="replace"))[:MAX_RAW_CHARACTERS]
