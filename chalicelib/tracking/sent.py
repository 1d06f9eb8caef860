"""What trackers send: Segment's fields, as far as they are read, and their moments in time."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct, ValidationError, convert, json

MessageId = Annotated[str, Meta(min_length=1, max_length=100)]
Person = Annotated[str, Meta(max_length=255)]
Number = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Type = Literal["track", "identify", "page", "screen", "group", "alias"]
Plain = str | int | float | bool | None

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOCAL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - of moments without a zone, which are taken as UTC
MILLISECOND = timedelta(milliseconds=1)
FIRST_MOMENT, LAST_MOMENT = -62_135_596_800_000, 253_402_300_799_999  # ms: the years 1 to 9999
FIRST_MILLISECONDS = 100_000_000_000  # as milliseconds in March 1973; anything less is seconds
CLOCK_TOLERANCE = 60_000  # milliseconds that an event may be later than the moment it was sent at


class Page(Struct, gc=False):
    url: str | None = None


class Context(Struct, rename="camel", gc=False):
    ip: str | None = None
    user_agent: str | None = None
    page: Page | None = None


class Call(Struct, rename="camel", gc=False, kw_only=True):
    type: Type | None = None
    event: str | None = None
    name: str | None = None
    context: Context | None = None


class Sent(Call):
    """One event as nearly all come, and as the others are brought to (there, properties may hold lists and objects)."""

    message_id: MessageId
    user_id: Person | None = None
    anonymous_id: Person | None = None
    group_id: Person | None = None
    previous_id: Person | None = None
    timestamp: datetime | None = None
    original_timestamp: datetime | None = None
    sent_at: datetime | None = None
    properties: dict[str, Plain] | None = None
    traits: dict[str, Plain] | None = None


class Loose(Call):
    """One event in any way that is understood."""

    message_id: Annotated[str, Meta(max_length=100)] | None = None
    user_id: Person | Number | None = None
    anonymous_id: Person | Number | None = None
    group_id: Person | Number | None = None
    previous_id: Person | Number | None = None
    timestamp: str | int | float | None = None
    original_timestamp: str | int | float | None = None
    sent_at: str | int | float | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None


class Frame(Struct, rename="camel", gc=False):
    """What stands around the events; of a single event, what may stand in it."""

    batch: list[Raw]
    context: Context | None = None
    sent_at: Any = None


class Whole(Struct, rename="camel", gc=False):
    """A batch read at once, where all events are as nearly all come."""

    batch: list[Sent]
    context: Context | None = None
    sent_at: Any = None


class Keyed(Struct, rename="camel", gc=False):
    write_key: Any = None


class Named(Struct, rename="camel", gc=False):
    message_id: Any = None


FRAME = json.Decoder(Frame)
KEYED = json.Decoder(Keyed)
NAMED = json.Decoder(Named)
WHOLE = json.Decoder(Whole)
LOOSE = json.Decoder(Loose)


def moment(value: Any) -> datetime | None:
    """value: ISO 8601, or seconds or milliseconds since 1970; None is None. Raises ValueError."""
    if value is None:
        return None
    if isinstance(value, str):
        return rfc3339(value) or datetime.fromisoformat(value)
    if not isinstance(value, int | float):
        raise ValueError("no moment in time")  # noqa: TRY004 - of the same kind as all that is wrong with a value
    since_1970 = value if abs(value) >= FIRST_MILLISECONDS else value * 1000
    if not FIRST_MOMENT <= since_1970 <= LAST_MOMENT:
        raise ValueError("no moment in time")
    return EPOCH + round(since_1970) * MILLISECOND


def rfc3339(text: str) -> datetime | None:
    """As the parser of whole batches reads it, to the microsecond."""
    try:
        return convert(text, datetime)
    except ValidationError:
        return None


def milliseconds(value: datetime) -> int:
    """Since 1970; a moment that names no zone is taken as UTC."""
    return (value - EPOCH if value.tzinfo else value - LOCAL_EPOCH) // MILLISECOND


def happened(frozen: int, sent_at: int | None, received: int) -> int:
    """When it happened by our clock, between 1970 and `received`, in ms.

    The client's clock shows `sent_at` when ours shows `received`; so what it says about an event is off by the
    difference. An event after it was sent (beyond a minute) is no matter of skew, and its own time stands.
    """
    at = frozen
    if sent_at is not None and sent_at - frozen >= -CLOCK_TOLERANCE:
        at = received - (sent_at - frozen)
    if at > received:
        return received
    return at if at > 0 else 0
