"""Planning a campaign: the audience becomes rows in chunks, a page of at most 250 recipients after the other.

Each of 32 segments has a message of its own and an item of its own, which says how far it is:

    page 0, after ""  ──freeze: to, recipients──>  page 0, frozen  ──rows, chunk, message──>  page 1, after = to  ...
                                                                                              closed

Who belongs to a page is frozen by a conditional write before the first of its rows is written. Whoever comes upon a
frozen page, after a death or as a duplicate, writes the very same rows into the very same chunk, each if it is not
there yet. So no recipient is ever in two chunks, whoever else registers or is deleted meanwhile, and planning again
adds nothing, not even by a worker that was gone for hours: all rows of a page that was passed are there.

Nobody freezes a page of a paused or cancelled campaign; one that is frozen is finished, and its rows are not sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import bus, ids
from chalicelib.push import campaigns, chunks, launch, progress, spend
from chalicelib.push.addressees import Addressees
from chalicelib.push.composing import CHANNELS, Composer
from chalicelib.store import AccountStore, ConditionFailed, Item

if TYPE_CHECKING:
    from chalicelib.push.recipients import Recipient

# A turn ends before the function's time does.
RUN_SECONDS = 60
# Recipients read in search of a page: few may match.
MOST_READ = 5000
# A page with fewer places left than this is full, for a read of a few recipients costs as much as one of many.
FULL = 50


class Turn(msgspec.Struct):
    """One worker at one segment. people: those of the page that this worker froze, as it read them."""

    store: AccountStore
    campaign: str
    segment: int
    addressees: Addressees
    composer: Composer
    clock: Callable[[], float]
    token: str
    people: dict[str, Recipient] = {}

    @property
    def sk(self) -> str:
        return f"segment#{campaigns.segment_name(self.segment)}"


def plan(
    message: dict[str, Any],
    _attempt: int = 1,
    *,
    clock: Callable[[], float] = time.time,
    seconds: float = RUN_SECONDS,
) -> None:
    """Plan one segment for so many seconds, and put the message back if there is more. Safe at any time and twice."""
    store, campaign, segment = AccountStore(message["account"]), message["campaign"], message["segment"]
    head = store.get("campaign", campaign)
    if head is None:
        return
    until = clock() + seconds
    if message.get("again"):
        deliver_again(store, campaign, segment)
    is_open = campaigns.segment_name(segment) in head.get("segments", ())
    if is_open and not _work(_turn(store, head, segment, clock), until):
        bus.deliver("plan", campaigns.message(store, campaign, segment))
    else:
        campaigns.advance(store, campaign, clock())


def _turn(store: AccountStore, head: Item, segment: int, clock: Callable[[], float]) -> Turn:
    request = launch.asked(store, head["id"])
    composer = Composer(request)
    needed = composer.needs_standing or request.audience.needs_standing
    addressees = Addressees(store, request.audience, head.get("snapshot") if needed else None)
    return Turn(store, head["id"], segment, addressees, composer, clock, ids.new_id(clock()))


def _work(turn: Turn, until: float) -> bool:
    """Whether nothing is left to do for this worker."""
    page: Item | None = _page(turn)
    while page is not None and "closed" not in page:
        if turn.clock() >= until:
            return False
        page = _step(turn, page)
    if page is not None:
        campaigns.segment_planned(turn.store, turn.campaign, turn.segment)
    return True


def _page(turn: Turn) -> Item:
    """How far the segment is."""
    found = turn.store.get("campaign", turn.campaign, turn.sk)
    if found is not None:
        return found
    with suppress(ConditionFailed):
        turn.store.put("campaign", turn.campaign, {"page": 0, "after": ""}, sk=turn.sk, new=True)
    return _page(turn)


def _step(turn: Turn, page: Item) -> Item | None:
    """The segment after one more step; None when this worker has to stop: paused, or another one is at it."""
    if "to" in page:
        return _finish(turn, page)
    head = turn.store.get("campaign", turn.campaign)
    if head is None or head["state"] == "cancelled":
        return _close(turn, page)
    if head["state"] not in progress.ACTIVE or "started_at" not in head:
        return None
    return _freeze(turn, page)


def _freeze(turn: Turn, page: Item) -> Item | None:
    """Settle who is in the next page."""
    matched, to = _search(turn, page["after"])
    if not matched and to is None:
        return _close(turn, page)
    turn.people = {each.id: each for each in matched}
    frozen = {"to": to or matched[-1].id, "ids": msgspec.json.encode(list(turn.people)), "token": turn.token}
    return _change(
        turn,
        "SET #to = :to, #ids = :ids, #token = :token",
        {**frozen, "page": page["page"]},
        "#page = :page AND attribute_not_exists(#to) AND attribute_not_exists(#closed)",
    )


def _search(turn: Turn, after: str) -> tuple[list[Recipient], str | None]:
    """The next who match, at most 250, and where the search ended; None for the end of the segment."""
    found: list[Recipient] = []
    at: str | None = after
    read = 0
    while at is not None and read < MOST_READ and (room := chunks.MOST_ROWS - len(found)) >= FULL:
        matched, at = turn.addressees.page(turn.segment, at, room)
        found += matched
        read += room
    return found, at


def _finish(turn: Turn, page: Item) -> Item | None:
    """Write a frozen page's rows, send its chunks on their way, and go on to the next page."""
    names = msgspec.json.decode(page["ids"], type=list[str])
    for channel in turn.composer.channels if names else ():
        chunk = chunks.key(turn.campaign, turn.segment, page["page"], channel)
        _write(turn, chunk, channel, names)
        chunks.deliver(turn.store, chunk)
    turn.people = {}
    return _change(
        turn,
        "SET #page = :following, #after = :to, #token = :token REMOVE #to, #ids",
        {"following": page["page"] + 1, "to": page["to"], "page": page["page"], "token": turn.token},
        "#page = :page AND attribute_exists(#to)",
    )


def _write(turn: Turn, chunk: str, channel: str, names: list[str]) -> None:
    people, standings = _people(turn, names), turn.addressees.standings(turn.segment)
    rows = [turn.composer.row(channel, name, people.get(name), standings.get(name)) for name in names]
    if channel == "sms":
        prices = [spend.sms(people[row.recipient].phone or "", row.parts) for row in rows if row.text is not None]
        spend.note(turn.store, chunk, sum(prices))
    chunks.write(turn.store, chunk, rows, turn.clock())


def _people(turn: Turn, names: list[str]) -> dict[str, Recipient]:
    """Those of a frozen page, as this worker read them for it or as they are now; who was deleted lacks."""
    from chalicelib.push import recipients

    if list(turn.people) != names:
        turn.people = recipients.load(turn.store, names)
    return turn.people


def _close(turn: Turn, page: Item) -> Item | None:
    return _change(
        turn,
        "SET #closed = :one",
        {"one": 1, "page": page["page"]},
        "#page = :page AND attribute_not_exists(#to)",
    )


def _change(turn: Turn, update: str, values: Item, condition: str) -> Item | None:
    """The segment after the change; None if another worker was first, whose message will see to the rest."""
    try:
        return turn.store.update("campaign", turn.campaign, update, values, condition=condition, sk=turn.sk)
    except ConditionFailed:
        found = _page(turn)
        # Our own write, whose answer was lost and which boto3 tried again; or the end, however it came about.
        return found if found.get("token") == turn.token or "closed" in found else None


# Chunks that are there already


def deliver_again(store: AccountStore, campaign: str, segment: int) -> None:
    """Send the messages of a segment's chunks that are not done: they were let go while the campaign was paused."""
    names = chunk_names(store, campaign, segment)
    for head in store.get_many("chunk", names):
        if "sweep_pk" in head:
            chunks.deliver(store, head["id"])


def chunk_names(store: AccountStore, campaign: str, segment: int) -> list[str]:
    """All chunks of a segment that there can be, in the order of their planning."""
    head, page = store.get("campaign", campaign), store.get("campaign", campaign, f"segment#{segment:02}")
    if head is None or page is None:
        return []
    count = page["page"] + ("to" in page)
    return [
        chunks.key(campaign, segment, number, channel)
        for number in range(count)
        for channel in CHANNELS[head["channel"]]
    ]
