"""Sending a chunk: claim rows, publish, record; whatever happens in between, nobody gets a message twice unasked.

A few rows are claimed in one request, together with the records of the few before: with PartiQL a request for ten rows
takes the processor time of one. So a worker that dies leaves at most GROUP rows of which nobody knows whether they were
published, and fewer on a slow channel. Those become `unknown`, or are sent again where the campaign asks for
at_least_once.

The chunk's message is done with when all of its rows are final; else it is put on the queue again, for later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import ids, log
from chalicelib.push import chunks, numbers, progress, quiet
from chalicelib.push.chunks import Move, Row
from chalicelib.push.publishing import publish
from chalicelib.push.turn import Pace, Turn, moved, rate
from chalicelib.settings import settings
from chalicelib.store import AccountStore, Item

if TYPE_CHECKING:
    from chalicelib.push.recipients import Recipient

# A turn ends before the function's time does, and its lease after: 120 s, see infra/functions.yaml.
RUN_SECONDS = 90
LEASE_SECONDS = 150
TURN_OF_LEASE = 0.6  # where the settings make it shorter
LOOK_ROWS = 50  # after which the campaign's state and the recipients are read again,
LOOK_SECONDS = 2.0  # or after this time, if that is sooner
LONGEST_DELAY = 900  # of SQS


def send(
    message: dict[str, Any],
    _attempt: int = 1,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    seconds: float = RUN_SECONDS,
) -> None:
    """Take a turn at one chunk, of at most so many seconds. Safe at any time, twice, and by two at once."""
    store, chunk, now = AccountStore(message["account"]), message["chunk"], clock()
    campaign = store.get("campaign", message["campaign"])
    if campaign is None:
        return
    holder, lease = ids.new_id(now), lease_seconds()
    try:
        head = chunks.claim(store, chunk, holder, now, lease)
    except chunks.Held as held:
        chunks.deliver(store, chunk, _delay(held.until - now))
        return
    if head is not None:
        pace = Pace(rate(chunks.channel_of(chunk)), clock, sleep)
        until = now + min(seconds, TURN_OF_LEASE * lease)
        _work(Turn(store, chunk, campaign, holder, clock, sleep, until, pace, settled=now), head)


def lease_seconds() -> int:
    return min(LEASE_SECONDS, settings().lease_seconds)


def again(store: AccountStore, chunk: str) -> None:
    """For the sweeper: the chunk stands still, so its message may be lost. In a pause nothing is sent."""
    campaign = store.get("campaign", chunks.campaign_of(chunk))
    if campaign is not None and campaign["state"] != "paused":
        chunks.deliver(store, chunk)


def _work(turn: Turn, head: Item) -> None:
    from chalicelib.push import campaigns

    if head.get("not_before", 0) > turn.clock() and turn.state != "cancelled":
        turn.quiet_until = head["not_before"]
    elif turn.state in progress.ACTIVE:
        if campaigns.may_send(turn.store, turn.campaign, turn.chunk, turn.clock()):
            _send_rows(turn)
        else:
            _look(turn)
    if turn.state == "cancelled":
        _cancel(turn)
    _end(turn)


def _end(turn: Turn) -> None:
    """Count, and give the chunk back; for later if anything is left."""
    store, chunk = turn.store, turn.chunk
    counts = chunks.settle(store, chunk)
    _measure(turn)
    left, now = any(state in counts for state in chunks.OPEN), turn.clock()
    again_at = turn.quiet_until if turn.pause is None else None
    chunks.release(store, chunk, turn.holder, now, again_at=again_at if left else None)
    if turn.held_up:
        progress.hold_up(store, turn.campaign["id"], turn.held_up, now)
    if not left:
        _complete(turn)
    elif turn.state in progress.ACTIVE:
        _come_again(turn, again_at, now)


def _measure(turn: Turn) -> None:
    """MessagesSent, MessagesUnknown ...: what this turn recorded."""
    for state, number in turn.recorded.items():
        if state not in chunks.OPEN:
            log.metric(f"Messages{state.capitalize()}", number, channel=turn.channel)


def _come_again(turn: Turn, again_at: float | None, now: float) -> None:
    """By the queue; or by the sweeper, if that is further away than a queue can keep a message."""
    if again_at is None:
        # Nothing stopped this turn, yet there are rows that are open: a worker from before claimed them meanwhile.
        chunks.deliver(turn.store, turn.chunk, _delay(lease_seconds() if turn.pause is None else turn.pause))
    elif again_at - now <= LONGEST_DELAY:
        chunks.deliver(turn.store, turn.chunk, _delay(again_at - now))


def _delay(seconds: float) -> int:
    return max(0, min(LONGEST_DELAY, int(seconds) + (seconds > 0)))


def _complete(turn: Turn) -> None:
    from chalicelib.push import campaigns

    now = turn.clock()
    found = progress.read(turn.store, turn.campaign["id"], now)
    if found and found.is_done:
        campaigns.complete(turn.store, turn.campaign["id"], now)


def _cancel(turn: Turn) -> None:
    """What is planned is not sent any more; what a dead worker was sending, nobody knows."""
    at = int(turn.clock())
    left = [row for row in chunks.rows(turn.store, turn.chunk) if row.state in chunks.OPEN]
    _move(turn, [moved(row, _unsent(row, "cancelled"), at, reason="cancelled") for row in left])


def _unsent(row: Row, state: str) -> str:
    """The state of what is not sent by this worker: `unknown` where one before may have."""
    return "unknown" if row.tries or row.state == "sending" else state


# Rows


def _send_rows(turn: Turn) -> None:
    rows = chunks.rows(turn.store, turn.chunk)
    stale, waiting = ([row for row in rows if row.state == state] for state in ("sending", "planned"))
    if turn.at_least_once:
        waiting = stale + waiting
    else:
        _move(turn, [moved(row, "unknown", int(turn.clock()), reason="worker lost") for row in stale])
    while waiting and not turn.is_over() and _look(turn):
        waiting = _send_some(turn, waiting)
        if turn.clock() - turn.settled >= LOOK_SECONDS:
            chunks.settle(turn.store, turn.chunk)
            turn.settled = turn.clock()


def _look(turn: Turn) -> bool:
    """Whether the campaign still wants to be sent."""
    found = turn.store.get("campaign", turn.campaign["id"])
    turn.campaign = found or {**turn.campaign, "state": "deleted"}
    return turn.state in progress.ACTIVE


def _send_some(turn: Turn, waiting: list[Row]) -> list[Row]:
    """Send to the first of them, as recipients are now; the rows that are left."""
    from chalicelib.push import recipients

    looked, some = turn.clock(), waiting[:LOOK_ROWS]
    known = recipients.load(turn.store, [row.recipient for row in some])
    records, ready = _sort(turn, some, known)
    while ready and not turn.is_over() and abs(turn.clock() - looked) < LOOK_SECONDS:
        group, ready = ready[: turn.group()], ready[turn.group() :]
        records = _send_group(turn, group, known, records)
    _move(turn, records)
    for learn in turn.learned:
        learn()
    left = ready + waiting[LOOK_ROWS:] + turn.again
    turn.again, turn.learned = [], []
    return left


def _sort(turn: Turn, rows: list[Row], known: dict[str, Recipient]) -> tuple[list[Move], list[Row]]:
    """The records of those who shall get nothing, and the rows to send now; neither of those who have quiet hours."""
    records, ready, now = [], [], turn.clock()
    for row in rows:
        recipient = known.get(row.recipient)
        reason = unreachable(recipient, turn.channel)
        if recipient is None or reason:
            records.append(moved(row, _unsent(row, "skipped"), int(now), reason=reason))
        elif end := _quiet_until(recipient, now):
            turn.quiet_until = min(end, turn.quiet_until or end)
        else:
            ready.append(row)
    twice = _twice(turn, ready, known)
    records += [moved(row, _unsent(row, "skipped"), int(now), reason="same_number") for row in twice]
    return records, [row for row in ready if row not in twice]


def _twice(turn: Turn, rows: list[Row], known: dict[str, Recipient]) -> list[Row]:
    """Those whose number gets the message as another recipient's."""
    if turn.channel == "push" or not rows:
        return []
    phones = {row.recipient: known[row.recipient].phone or "" for row in rows}
    taken = numbers.taken(turn.store, turn.campaign["id"], phones, turn.clock())
    return [row for row in rows if row.recipient in taken]


def unreachable(recipient: Recipient | None, channel: str) -> str | None:
    """Why a recipient gets nothing by this channel, if so."""
    if recipient is None:
        return "deleted"
    if channel in recipient.opt_out:
        return "opted_out"
    if channel == "push":
        return None if any(not device.disabled for device in recipient.devices) else "no_device"
    if not recipient.phone:
        return "no_phone"
    return "sms_blocked" if recipient.sms_blocked else None


def _quiet_until(recipient: Recipient, now: float) -> float | None:
    if not (recipient.quiet_hours and recipient.timezone):
        return None
    return quiet.quiet_until(now, recipient.timezone, recipient.quiet_hours)


def _send_group(turn: Turn, rows: list[Row], known: dict[str, Recipient], records: list[Move]) -> list[Move]:
    """Record the group before, claim this one, publish what was claimed; the records of that."""
    if turn.channel == "push":
        _leave_in_inboxes(turn, rows)
    token, at = turn.token(), int(turn.clock())
    # A row that a dead worker left may have been published: another try of it.
    tries = [row.tries + (row.state == "sending") for row in rows]
    claims = [moved(row, "sending", at, new_token=token, tries=n or None) for row, n in zip(rows, tries, strict=True)]
    made = _move(turn, records + claims)[len(records) :]
    claimed = [
        msgspec.structs.replace(row, state="sending", token=token, tries=n)
        for row, n, done in zip(rows, tries, made, strict=True)
        if done
    ]
    return [publish(turn, row, known[row.recipient]) for row in claimed]


def _leave_in_inboxes(turn: Turn, rows: list[Row]) -> None:
    """Before they are claimed, for nobody comes back to a row that is final; each once, whoever else does."""
    from chalicelib.push import inbox

    campaign = turn.campaign["id"]
    inbox.put_many(
        turn.store,
        [
            inbox.Message(
                row.recipient, f"{campaign}#{row.recipient}", "campaign", row.text or "", {"campaign": campaign}
            )
            for row in rows
        ],
        turn.clock(),
    )


def _move(turn: Turn, moves: list[Move]) -> list[bool]:
    if not moves:
        return []
    made = chunks.move(turn.store, turn.chunk, moves)
    for move in moves:
        turn.recorded[move.to] = turn.recorded.get(move.to, 0) + 1
    late = sum(move.to == "sent" and not done for move, done in zip(moves, made, strict=True))
    if late:
        # Somebody took the rows over because this worker outlived its lease, and may have sent them too.
        log.metric("SentTwice", late, channel=turn.channel)
    return made
