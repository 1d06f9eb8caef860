"""Recipients: an account's own customers, whom campaigns reach. The id is the `userId` of tracked events.

They lie in 32 segments by their ids, so that a campaign plans, and standings are computed, by primary key and in
parallel. A recipient is one text attribute beside a version: whoever changes it has read that version, and nobody
overwrites what another wrote meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from zlib import crc32

import msgspec

from chalicelib import contract
from chalicelib.errors import NotFound, Unavailable
from chalicelib.push.platforms import Platform
from chalicelib.push.quiet import Hours
from chalicelib.store import AccountStore, Change, ConditionFailed, Item

SEGMENTS = 32
KIND = "recipients"
TRIES = 5
LONGEST_REASON = 200


class Device(msgspec.Struct, frozen=True, omit_defaults=True):
    """An app on a phone. endpoint: ARN of SNS's platform endpoint. disabled: why it takes no more messages.

    claim: which time it is that a recipient has it; a removal of an earlier time does it no harm.
    """

    platform: Platform
    token: str
    endpoint: str
    disabled: str | None = None
    claim: str = ""


class Recipient(msgspec.Struct, frozen=True, omit_defaults=True):
    """sms_blocked: why SNS sends no text messages to this number, which another number clears.

    removed: devices that are not the recipient's any more, and whose endpoints have to be deleted still.
    imported: (import, line) of the file that wrote this last, so that a part that is read again changes nothing.
    """

    id: str
    phone: str | None = None
    devices: tuple[Device, ...] = ()
    attributes: dict[str, Any] = {}
    timezone: str | None = None
    quiet_hours: Hours | None = None
    opt_out: frozenset[str] = frozenset()
    sms_blocked: str | None = None
    removed: tuple[Device, ...] = ()
    imported: tuple[str, int] | None = None
    version: int = 0


def segment(recipient: str) -> int:
    """0 to 31."""
    return crc32(recipient.encode()) % SEGMENTS


def place(recipient: str) -> tuple[str, str]:
    """The key and the sort key of a recipient's item."""
    return f"{segment(recipient):02}", recipient


def load(store: AccountStore, ids: Iterable[str]) -> dict[str, Recipient]:
    """Those of these recipients that there are, as they are now."""
    return {each.id: each for each in map(decoded, store.get_rows(KIND, map(place, ids)))}


def segment_page(
    store: AccountStore, segment: int, after: str | None, to: str | None, limit: int
) -> tuple[list[Recipient], str | None]:
    """At most `limit` recipients of one segment in the order of their ids, behind `after` and up to `to` itself.

    The second is where to go on, None at the end. A recipient that stays is in exactly one page, whatever comes and
    goes meanwhile.
    """
    found = [decoded(item) for item in store.stretch(KIND, f"{segment:02}", limit, after=after, to=to)]
    return found, found[-1].id if len(found) == limit else None


def block_sms(store: AccountStore, id: str, reason: str, *, phone: str | None = None) -> None:  # noqa: A002
    """Remember that SNS sends no text messages to a recipient's number; to this one, where another may have come."""

    def blocked(known: Recipient) -> Recipient:
        if phone is not None and known.phone != phone:
            return known
        return msgspec.structs.replace(known, sms_blocked=reason[:LONGEST_REASON])

    change(store, id, blocked)


def disable_device(store: AccountStore, id: str, endpoint: str, reason: str) -> None:  # noqa: A002
    """Remember that an endpoint takes no more messages."""

    def disabled(known: Recipient) -> Recipient:
        devices = [
            msgspec.structs.replace(each, disabled=reason[:LONGEST_REASON]) if each.endpoint == endpoint else each
            for each in known.devices
        ]
        return msgspec.structs.replace(known, devices=tuple(devices))

    change(store, id, disabled)


def change(store: AccountStore, recipient: str, make: Callable[[Recipient], Recipient]) -> None:
    """Change a recipient as it is at this moment; nothing happens to one that is gone.

    Raises Unavailable when others change the same one all the time.
    """
    for _ in range(TRIES):
        known = load(store, [recipient]).get(recipient)
        if known is None or (changed := make(known)) == known:
            return
        update = Change(*place(recipient), sets=encoded(changed, known), where={"version": known.version})
        [answer] = store.change_many(KIND, [update])
        if answer.done:
            return
    raise Unavailable("This recipient is changed too often; try again soon.")


def encoded(recipient: Recipient, known: Recipient | None) -> Item:
    """The attributes of a recipient's item that shall follow `known`."""
    following = msgspec.structs.replace(recipient, version=known.version + 1 if known else 1)
    return {"recipient": msgspec.json.encode(following).decode(), "version": following.version}


def decoded(item: Item) -> Recipient:
    return msgspec.json.decode(item["recipient"], type=Recipient)


# For callers


def view(recipient: Recipient) -> contract.RecipientView:
    hours = recipient.quiet_hours
    return contract.RecipientView(
        id=recipient.id,
        phone=recipient.phone,
        devices=[
            contract.DeviceView(platform=each.platform, token=each.token, disabled=each.disabled)
            for each in recipient.devices
        ],
        attributes=recipient.attributes,
        timezone=recipient.timezone,
        quiet_hours=contract.QuietHours(start=hours.start, end=hours.end) if hours else None,
        opt_out=sorted(recipient.opt_out),  # type: ignore[arg-type]
        sms_blocked=recipient.sms_blocked,
    )


def read(store: AccountStore, recipient: str) -> contract.RecipientView:
    """Raises NotFound."""
    known = load(store, [recipient]).get(recipient)
    if known is None:
        raise NotFound("There is no such recipient.")
    return view(known)


def page(store: AccountStore, query: contract.RecipientQuery) -> contract.Recipients:
    """Segment after segment, each in the order of ids."""
    cursor = query.cursor if isinstance(query.cursor, str) else "00"
    number, after = int(cursor[:2]), cursor[2:] or None
    found: list[Recipient] = []
    while number < SEGMENTS and len(found) < query.limit:
        some, after = segment_page(store, number, after, None, query.limit - len(found))
        found += some
        number += after is None
    following = f"{number:02}{after or ''}" if number < SEGMENTS else None
    return contract.Recipients(items=[view(each) for each in found], next=following)


def delete(store: AccountStore, recipient: str) -> None:
    """Delete a recipient, its devices and its inbox; what was interrupted can be asked for again. Raises NotFound.

    Its devices get no more messages from the first moment; the recipient itself goes last. Raises Unavailable when
    somebody goes on changing it, or SNS is busy.
    """
    from chalicelib.push import devices

    for _ in range(TRIES):
        change(store, recipient, _without_devices)
        known = load(store, [recipient]).get(recipient)
        if known is None:
            raise NotFound("There is no such recipient.")
        devices.retire(store, recipient, known.removed)
        store.delete_partition("inbox", recipient)
        key, sk = place(recipient)
        try:
            store.remove(KIND, key, {"version": known.version}, condition="#version = :version", sk=sk)
        except ConditionFailed:
            continue
        return
    raise Unavailable("This recipient is being changed; try again soon.")


def _without_devices(recipient: Recipient) -> Recipient:
    return msgspec.structs.replace(recipient, devices=(), removed=(*recipient.removed, *recipient.devices))
