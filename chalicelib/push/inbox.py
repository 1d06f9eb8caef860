"""In-app messages: an inbox for every user and every recipient, and the account's own, which all its users see.

A message has two names. What it is about names its item, so that the same thing told twice is one message. When it came
names its place: the id that callers see, by which lists are ordered and up to which a user has read. Both are written
by one conditional put, so whatever comes later stands behind everything that was read before.

Messages are plain text, never HTML, and are gone after 90 days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from operator import itemgetter
from typing import Any

import msgspec

from chalicelib import contract, ids, log
from chalicelib.auth import Principal
from chalicelib.errors import Forbidden
from chalicelib.images.record import timestamp
from chalicelib.store import AccountStore, ConditionFailed, Item

KIND = "inbox"
READ = "read"
#: The inbox of the account itself.
EVERYBODY = ""
KEPT_SECONDS = 90 * 86_400
#: More than these are not counted.
MOST_UNREAD = 1000
#: How far the clocks of two workers may be apart.
CLOCKS_SECONDS = 60
LOWEST, HIGHEST = "0", "z"


class Message(msgspec.Struct, frozen=True):
    """id: what it is about, the same whenever it is told. user: or recipient. about: ids, by their kinds."""

    user: str
    id: str
    kind: str
    text: str
    about: Mapping[str, str]


def put(
    store: AccountStore,
    user: str,
    id: str,  # noqa: A002
    kind: str,
    text: str,
    about: Mapping[str, str],
    now: float,
) -> None:
    """Leave one message, unless it is there."""
    key, sk, item = _row(store, Message(user, id, kind, text, about), now)
    with suppress(ConditionFailed):
        store.put(KIND, key, item, sk=sk, new=True)


def put_many(store: AccountStore, messages: Iterable[Message], now: float) -> None:
    """Leave those that are not there, 25 in a request. Raises Unavailable; safe to repeat."""
    store.insert_many(KIND, [_row(store, message, now) for message in messages])


def _row(store: AccountStore, message: Message, now: float) -> tuple[str, str, Item]:
    item = {
        "kind": message.kind,
        "text": message.text,
        "about": dict(message.about),
        "list_pk": store.pk(KIND, message.user),
        "list_sk": ids.new_id(now),
        "expires": int(now) + KEPT_SECONDS,
    }
    return message.user, f"message#{message.id}", item


# Notices


def deliver(notice: Mapping[str, Any], now: float) -> None:
    """What a notice says, told to everybody in its account; nothing of what is deleted by now. See `notices`."""
    store, kind = AccountStore(notice["account"]), notice["kind"]
    if kind not in TELLING:
        log.info("unknown notice", kind=kind)
        return
    names, tell = TELLING[kind]
    text = tell(store, notice)
    if text is not None:
        about = {name: str(notice[name]) for name in names}
        put(store, EVERYBODY, "#".join((kind, *about.values())), kind, text, about, now)


def _ranking_complete(store: AccountStore, notice: Mapping[str, Any]) -> str | None:
    item = store.get("ranking", notice["ranking"])
    return f"The ranking{_named(item)} is complete." if item else None


ENDS = {
    "ready": "is ready",
    "not_enough_signal": "was not trained: its posts do not show enough",
    "not_better": "keeps its version: the new one is not better",
    "failed": "could not be trained",
}


def _model_trained(store: AccountStore, notice: Mapping[str, Any]) -> str | None:
    item = store.get("model", notice["model"])
    return f"The model{_named(item)} {ENDS[notice['state']]}." if item else None


def _campaign_completed(store: AccountStore, notice: Mapping[str, Any]) -> str | None:
    item = store.get("campaign", notice["campaign"])
    return f"The campaign{_named(item)} is completed." if item else None


def _named(item: Item) -> str:
    return f" “{item['name']}”" if item.get("name") else ""


Tell = Callable[[AccountStore, Mapping[str, Any]], str | None]
# By kind of notice: what of it names the message, and its text; None where there is nothing left to tell of.
TELLING: dict[str, tuple[tuple[str, ...], Tell]] = {
    "ranking_complete": (("ranking",), _ranking_complete),
    "model_trained": (("model", "model_version", "state"), _model_trained),
    "campaign_completed": (("campaign",), _campaign_completed),
}


# For callers


def page(principal: Principal, query: contract.InboxQuery, now: float) -> contract.Inbox:
    """The caller's own messages and the account's, newest first; or a recipient's. Raises Forbidden."""
    store, users = _whose(principal, query.recipient)
    read, oldest = _read(store, users[0]), _place(now - KEPT_SECONDS)
    found = _found(store, users, oldest, query)
    shown = found[: query.limit]
    return contract.Inbox(
        items=[_view(item, read) for item in shown],
        unread=_unread(store, users, oldest, read),
        next=shown[-1]["list_sk"] if len(found) > len(shown) else None,
    )


def _found(store: AccountStore, users: list[str], oldest: str, query: contract.InboxQuery) -> list[Item]:
    """One more than are to be shown, if there are so many."""
    cursor = query.cursor if isinstance(query.cursor, str) else HIGHEST
    last, limit = max(cursor, oldest), query.limit + 2  # one of them is the cursor's own
    found = [item for user in users for item in store.listed(KIND, user, oldest, last, limit)]
    found = sorted((each for each in found if each["list_sk"] < cursor), key=itemgetter("list_sk"), reverse=True)
    return found[: query.limit + 1]


def _unread(store: AccountStore, users: list[str], oldest: str, read: str) -> int:
    first = max(oldest, read + LOWEST)
    return min(MOST_UNREAD, sum(store.count_listed(KIND, user, first, HIGHEST, MOST_UNREAD) for user in users))


def mark_read(principal: Principal, request: contract.NewRead, now: float) -> contract.Unread:
    """All messages up to this one, of those that there are by now, are read.

    One that stands before what was read already changes nothing. Raises Forbidden.
    """
    store, users = _whose(principal, request.recipient)
    until = request.until if request.until < _place(now + CLOCKS_SECONDS) else ids.new_id(now)
    with suppress(ConditionFailed):
        store.update(
            KIND,
            users[0],
            "SET #until = :until",
            {"until": until},
            condition="attribute_not_exists(#until) OR #until < :until",
            sk=READ,
        )
    return contract.Unread(_unread(store, users, _place(now - KEPT_SECONDS), _read(store, users[0])))


def _whose(principal: Principal, recipient: Any) -> tuple[AccountStore, list[str]]:
    """Whose messages are asked for; what is read is noted for the first."""
    store = AccountStore(principal.account)
    if not isinstance(recipient, str):
        return store, [principal.user, EVERYBODY]
    if "admin" not in principal.roles:
        raise Forbidden("Recipients' inboxes are for admins.", field="recipient")
    return store, [recipient]


def _read(store: AccountStore, user: str) -> str:
    """The id up to which a user has read, empty for nothing."""
    return str((store.get(KIND, user, READ) or {}).get("until", ""))


def _place(moment: float) -> str:
    """What ids of that moment begin with, Unix seconds."""
    return ids.new_id(moment)[:10]


def _view(item: Item, read: str) -> contract.InboxMessage:
    at = timestamp(_seconds(item["list_sk"]))
    return contract.InboxMessage(
        id=item["list_sk"],
        kind=item["kind"],
        text=item["text"],
        at=at,
        read=item["list_sk"] <= read,
        about=item["about"],
    )


def _seconds(identifier: str) -> float:
    milliseconds = 0
    for character in identifier[:10]:
        milliseconds = milliseconds * 32 + ids.ALPHABET.index(character)
    return milliseconds / 1000
