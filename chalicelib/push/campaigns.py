"""Campaigns: a template, an audience, one or two channels, and the states between their start and their end.

| from              | to        | when                                                                  |
|-------------------|-----------|-----------------------------------------------------------------------|
| (created)         | planning  | at once; its planning begins at `starts_at`                           |
| planning          | sending   | every segment is planned; chunks are sent from the first one on       |
| planning, sending | paused    | asked for, or the budget is used up                                   |
| paused            | planning, sending | asked for; messages of all that is unfinished go out again    |
| planning, sending, paused | cancelled | asked for; what was not claimed yet is never sent             |
| planning, sending, paused | completed | all is planned, and every row is final: told once             |

Every change is one conditional write, together with its row of the audit where a person made it. What follows from a
change - messages on queues, a notice - is repeated by the sweeper until it has had its effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from chalicelib import bus, contract, notices
from chalicelib.errors import Conflict, NotFound, Unavailable
from chalicelib.images import record
from chalicelib.push import audit, chunks, progress, spend
from chalicelib.push.addressees import SEGMENTS
from chalicelib.store import AccountStore, Cancelled, ConditionFailed, Item, Write

PATIENCE_SECONDS = 300
TRIES = 8
ENDED = ("cancelled", "completed")
OPEN = "(#state = :planning OR #state = :sending OR #state = :paused)"
OPEN_STATES = {"planning": "planning", "sending": "sending", "paused": "paused"}

# What to set of a campaign's head, and with which values; None where nothing has to change.
Change = tuple[str, Item] | None


def put(store: AccountStore, user: str, head: Item, now: float) -> None:
    """A new campaign's head, if it is not there yet."""
    identifier = head["id"]
    item = {
        **head,
        "state": "planning",
        "version": 0,
        "segments": {segment_name(number) for number in range(SEGMENTS)},
        "attempts": 0,
        "created_at": record.timestamp(now),
        "list_pk": store.pk("campaign"),
        "list_sk": identifier,
        **record.due(identifier, head.get("starts_at", now)),
    }
    made = Write("campaign", identifier, item)
    try:
        store.transact(made, audit.entry(store, user, "campaign.created", identifier, now, name=head["name"]))
    except Cancelled:
        return


def segment_name(segment: int) -> str:
    return f"{segment:02}"


# What a person asks for


def pause(store: AccountStore, user: str, identifier: str, now: float, *, reason: str | None = None) -> None:
    """Stop planning and sending, at the latest a few messages on. Raises NotFound, and Conflict when it has ended."""

    def change(head: Item) -> Change:
        if head["state"] == "paused":
            return None
        _refuse_ended(head)
        why = ", #reason = :reason" if reason else ""
        return f"SET #state = :to, #paused_at = :now{why}", {"to": "paused", "now": int(now), "reason": reason}

    _change(store, user, "campaign.paused", identifier, now, change)


def resume(store: AccountStore, user: str, identifier: str, now: float, *, max_dollars: float | None = None) -> None:
    """Go on. On one that was not paused, and has not ended, this sends its messages again. Raises as `pause`."""

    def change(head: Item) -> Change:
        _refuse_ended(head)
        if head["state"] != "paused" and max_dollars is None:
            return None
        limit = ", #max_micros = :most" if max_dollars is not None else ""
        values = {**_resumed(head, now), "most": max_dollars is not None and spend.micros(max_dollars)}
        sets = ", ".join(f"#{name} = :{name}" for name in ("to_state", "paused_seconds", "attempts", "sweep_at"))
        return f"SET {sets}{limit} REMOVE #paused_at, #reason".replace("#to_state", "#state"), values

    head = _change(store, user, "campaign.resumed", identifier, now, change)
    if "started_at" in head:
        deliver(store, head, again=True)
    elif head.get("starts_at", 0) <= now:
        begin(store, head, now)


def _resumed(head: Item, now: float) -> Item:
    paused = max(0, int(now) - head.get("paused_at", int(now))) if "started_at" in head else 0
    sweep_at = int(now) + PATIENCE_SECONDS if "started_at" in head else max(int(now), head.get("starts_at", 0))
    return {
        "to_state": "sending" if "planned_at" in head else "planning",
        "paused_seconds": head.get("paused_seconds", 0) + paused,
        "attempts": 0,
        "sweep_at": sweep_at,
    }


def cancel(store: AccountStore, user: str, identifier: str, now: float) -> None:
    """What was not claimed for sending yet never is, and becomes cancelled. Raises as `pause`."""

    def change(head: Item) -> Change:
        if head["state"] == "cancelled":
            return None
        _refuse_ended(head)
        values = {"to": "cancelled", "now": int(now), "zero": 0, "sweep": int(now) + PATIENCE_SECONDS}
        sets = "SET #state = :to, #ended_at = :now, #attempts = :zero, #sweep_at = :sweep"
        return f"{sets} REMOVE #paused_at, #reason", values

    head = _change(store, user, "campaign.cancelled", identifier, now, change)
    if "sweep_pk" in head:
        deliver(store, head, again=True)


def _refuse_ended(head: Item) -> None:
    if head["state"] in ENDED:
        raise Conflict(f"This campaign is {head['state']}.")


def _change(
    store: AccountStore, user: str, action: str, identifier: str, now: float, decide: Callable[[Item], Change]
) -> Item:
    """The head after the change that `decide` wants of it, which is written with its row of the audit."""
    for _ in range(TRIES):
        head = found(store, identifier)
        change = decide(head)
        if change is None:
            return head
        update, values = change
        seen = {"seen": head["state"], "version": head["version"], "following": head["version"] + 1}
        write = Write(
            "campaign",
            identifier,
            update=update.replace("SET ", "SET #version = :following, ", 1),
            values={name: value for name, value in values.items() if f":{name}" in update} | seen,
            condition="#state = :seen AND #version = :version",
        )
        try:
            store.transact(write, audit.entry(store, user, action, identifier, now))
        except Cancelled:
            continue
        return found(store, identifier)
    raise Unavailable("The campaign is being changed by others.")


def found(store: AccountStore, identifier: str) -> Item:
    """A campaign's head. Raises NotFound."""
    head = store.get("campaign", identifier)
    if head is None:
        raise NotFound("There is no such campaign.")
    return head


# What happens by itself


def begin(store: AccountStore, head: Item, now: float) -> None:
    """Freeze the standings that it is for, and plan. Safe to repeat."""
    from chalicelib.push import snapshots

    values = {"now": int(now), "snapshot": snapshots.latest(store), "zero": 0, "sweep": int(now) + PATIENCE_SECONDS}
    frozen = ", #snapshot = :snapshot" if values["snapshot"] else ""
    try:
        head = store.update(
            "campaign",
            head["id"],
            f"SET #started_at = :now, #attempts = :zero, #sweep_at = :sweep{frozen}",
            {name: value for name, value in values.items() if value is not None} | {"planning": "planning"},
            condition="#state = :planning AND attribute_not_exists(#started_at)",
        )
    except ConditionFailed:
        return
    deliver(store, head)


def deliver(store: AccountStore, head: Item, *, again: bool = False) -> None:
    """Messages of the segments that are not planned; with `again` of all, for the chunks that they have already."""
    numbers = range(SEGMENTS) if again else sorted(map(int, head.get("segments", ())))
    for number in numbers:
        bus.deliver("plan", message(store, head["id"], number, again=again))


def message(store: AccountStore, campaign: str, segment: int, *, again: bool = False) -> dict[str, Any]:
    return {"account": store.account, "campaign": campaign, "segment": segment, "again": again}


def segment_planned(store: AccountStore, campaign: str, segment: int) -> None:
    store.update(
        "campaign",
        campaign,
        "SET #attempts = :zero DELETE #segments :done",
        {"zero": 0, "done": {segment_name(segment)}},
        condition="attribute_exists(pk)",
    )


def advance(store: AccountStore, campaign: str, now: float) -> None:
    """Whatever the campaign can become by itself: planned, sending, completed. Safe at any time."""
    head = store.get("campaign", campaign)
    if head is None or "segments" in head:
        return
    _set(store, campaign, "SET #planned_at = :now", {"now": int(now)}, "attribute_not_exists(#planned_at)")
    _set(store, campaign, "SET #state = :to", {"to": "sending", "from": "planning"}, "#state = :from")
    read = progress.read(store, campaign, now)
    if read and read.is_done:
        complete(store, campaign, now)


def complete(store: AccountStore, campaign: str, now: float | None = None) -> None:
    """End a campaign of which every row is final; the caller has looked. Only the one that ends it tells of it."""
    at = int(time.time() if now is None else now)
    values = {"to": "completed", "now": at, "zero": 0, "sweep": at + PATIENCE_SECONDS, **OPEN_STATES}
    sets = "SET #state = :to, #ended_at = :now, #attempts = :zero, #sweep_at = :sweep"
    if _set(store, campaign, f"{sets} REMOVE #paused_at, #reason", values, OPEN):
        _tell(store, campaign)
    else:
        _set(store, campaign, "REMOVE #sweep_pk, #sweep_at", {"cancelled": "cancelled"}, "#state = :cancelled")


def _tell(store: AccountStore, campaign: str) -> None:
    """Once more rather than never: readers know the notice by its id."""
    notices.campaign_completed(store.account, campaign)
    _set(store, campaign, "REMOVE #sweep_pk, #sweep_at", {"completed": "completed"}, "#state = :completed")


def _set(store: AccountStore, campaign: str, update: str, values: Item, condition: str) -> bool:
    try:
        store.update("campaign", campaign, update, values, condition=condition)
    except ConditionFailed:
        return False
    return True


def sweep(store: AccountStore, head: Item, now: float) -> None:
    """A campaign that stood still: whatever should have followed its last change, again."""
    state = head["state"]
    if state == "completed":
        _tell(store, head["id"])
    elif state == "planning" and "started_at" not in head:
        if head.get("starts_at", 0) <= now:
            begin(store, head, now)
    elif state != "paused":
        deliver(store, head)
        advance(store, head["id"], now)


def waits_for(head: Item) -> frozenset[str]:
    """The workers whose queues its messages may stand in."""
    planning = head["state"] in ("planning", "cancelled") and "started_at" in head and "segments" in head
    return frozenset({"plan"} if planning else ())


def may_send(store: AccountStore, campaign: Item, chunk: str, now: float) -> bool:
    """Whether a chunk's messages can be paid for; if not, the campaign is paused."""
    over = spend.reserve(store, campaign, chunk, now) if chunks.channel_of(chunk) == "sms" else None
    if over is None:
        return True
    with suppress(Conflict):  # it has ended meanwhile
        pause(store, audit.SERVICE, campaign["id"], now, reason=over)
    return False


# For callers


def page(store: AccountStore, paging: contract.Paging) -> contract.Campaigns:
    found = store.page("campaign", paging.limit, paging.cursor or None)
    return contract.Campaigns(
        items=[contract.CampaignSummary(**_summary(item)) for item in found.items], next=found.next
    )


def view(store: AccountStore, identifier: str, now: float) -> contract.Campaign:
    """One query. Raises NotFound."""
    items = {item["sk"]: item for item in store.partition("campaign", identifier, prefix="campaign")}
    head = items.pop("campaign", None)
    if head is None:
        raise NotFound("There is no such campaign.")
    reserved = items.get(spend.SET_ASIDE, {}).get("micros", 0)
    return contract.Campaign(
        **_summary(head),
        progress=_progress(progress.of(head, list(items.values()), now)),
        dollars=spend.dollars(reserved),
        max_dollars=spend.dollars(head["max_micros"]) if "max_micros" in head else None,
        held_up=_held_up(head, items.get(progress.HELD_UP), now),
    )


def _held_up(head: Item, noted: Item | None, now: float) -> contract.HeldUp | None:
    if noted is None or head["state"] not in progress.ACTIVE or now - noted["at"] >= progress.HELD_UP_SECONDS:
        return None
    return contract.HeldUp(reason=noted["reason"], at=record.timestamp(noted["at"]))


def _summary(head: Item) -> dict[str, Any]:
    times = {name: head.get(name) for name in ("starts_at", "started_at", "ended_at")}
    return {
        **{name: head.get(name) for name in ("id", "name", "channel", "delivery", "state", "reason", "created_at")},
        **{name: None if at is None else record.timestamp(at) for name, at in times.items()},
    }


def _progress(found: progress.Progress) -> contract.CampaignProgress:
    def counts(each: progress.Counts) -> dict[str, int]:
        return {name: getattr(each, name) for name in progress.Counts.__struct_fields__}

    return contract.CampaignProgress(
        **counts(found),
        total_is_final=found.total_is_final,
        rate_per_second=found.rate_per_second,
        eta_seconds=found.eta_seconds,
        channels={channel: contract.MessageCounts(**counts(each)) for channel, each in found.channels.items()},
    )
