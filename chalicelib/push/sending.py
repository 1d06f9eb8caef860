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
from chalicelib.push import chunks, gateway, platforms, progress, quiet
from chalicelib.push.chunks import Move, Row
from chalicelib.settings import settings
from chalicelib.store import AccountStore, Item

if TYPE_CHECKING:
    from chalicelib.push.recipients import Device, Recipient

# A turn ends before the function's time does, and its lease after: 120 s, see infra/functions.yaml.
RUN_SECONDS = 90
LEASE_SECONDS = 150
GROUP = 5
GROUP_SECONDS = 0.5  # what a group takes at most at the channel's rate
LOOK_ROWS = 50  # after which the campaign's state and the recipients are read again,
LOOK_SECONDS = 2.0  # or after this time, if that is sooner
THROTTLES = 5  # in a row, after which somebody else may try
BREAK_SECONDS = 30
TRIES = 5  # of at_least_once, as long as it is unsure
LONGEST_DELAY = 900  # of SQS


class Pace:
    """At most so many a second, evenly."""

    def __init__(self, per_second: float, clock: Callable[[], float], sleep: Callable[[float], None]):
        self.per_second, self.clock, self.sleep = per_second, clock, sleep
        self.next = clock()

    def wait(self) -> None:
        now, apart = self.clock(), 1 / self.per_second
        # No longer than one message takes: a clock that was set back does not stop the channel.
        due = min(max(self.next, now), now + apart)
        if due > now:
            self.sleep(due - now)
        self.next = due + apart


class Turn(msgspec.Struct):
    """One worker at one chunk. quiet_until: when somebody's quiet hours end. pause: why it stopped, as seconds."""

    store: AccountStore
    chunk: str
    campaign: Item
    holder: str
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    until: float
    pace: Pace
    claims: int = 0
    throttles: int = 0
    settled: float = 0.0
    quiet_until: float | None = None
    pause: float | None = None
    again: list[Row] = []
    learned: list[Callable[[], None]] = []

    @property
    def state(self) -> str:
        return str(self.campaign["state"])

    @property
    def at_least_once(self) -> bool:
        return bool(self.campaign["delivery"] == "at_least_once")

    def is_over(self) -> bool:
        if self.pause is None and self.clock() >= self.until:
            self.pause = 0
        return self.pause is not None

    def token(self) -> str:
        """New with every claim: a request that is late by minutes cannot touch a later one's row."""
        self.claims += 1
        return f"{self.holder}.{self.claims}"

    def group(self) -> int:
        return max(1, min(GROUP, int(self.pace.per_second * GROUP_SECONDS)))


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
    holder = ids.new_id(now)
    try:
        head = chunks.claim(store, chunk, holder, now, LEASE_SECONDS)
    except chunks.Held as held:
        chunks.deliver(store, chunk, _delay(held.until - now))
        return
    if head is not None:
        pace = Pace(rate(chunks.channel_of(chunk)), clock, sleep)
        _work(Turn(store, chunk, campaign, holder, clock, sleep, now + seconds, pace, settled=now), head)


def rate(channel: str) -> float:
    """Messages a second of one worker."""
    now = settings()
    if channel == "sms":
        return now.sms_per_second / now.sms_workers
    return now.push_per_second / now.push_workers


def again(store: AccountStore, chunk: str) -> None:
    """For the sweeper: the chunk stands still, so its message may be lost."""
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
    left, now = any(state in counts for state in chunks.OPEN), turn.clock()
    quiet = turn.quiet_until if turn.pause is None else None
    chunks.release(store, chunk, turn.holder, now, again_at=quiet if left else None)
    if not left:
        _complete(turn)
    elif turn.state in progress.ACTIVE:
        _come_again(turn, quiet, now)


def _come_again(turn: Turn, quiet: float | None, now: float) -> None:
    """By the queue; or by the sweeper, if that is further away than a queue can keep a message."""
    if quiet is None:
        # Nothing stopped this turn, yet there are rows that are open: a worker from before claimed them meanwhile.
        chunks.deliver(turn.store, turn.chunk, _delay(LEASE_SECONDS if turn.pause is None else turn.pause))
    elif quiet - now <= LONGEST_DELAY:
        chunks.deliver(turn.store, turn.chunk, _delay(quiet - now))


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
    _move(turn, [_from(row, _unsent(row, "cancelled"), at, reason="cancelled") for row in left])


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
        _move(turn, [_from(row, "unknown", int(turn.clock()), reason="worker lost") for row in stale])
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
        reason = unreachable(recipient, chunks.channel_of(turn.chunk))
        if recipient is None or reason:
            records.append(_from(row, _unsent(row, "skipped"), int(now), reason=reason))
        elif end := _quiet_until(recipient, now):
            turn.quiet_until = min(end, turn.quiet_until or end)
        else:
            ready.append(row)
    return records, ready


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
    if chunks.channel_of(turn.chunk) == "push":
        _leave_in_inboxes(turn, rows)
    token, at = turn.token(), int(turn.clock())
    # A row that a dead worker left may have been published: another try of it.
    tries = [row.tries + (row.state == "sending") for row in rows]
    claims = [_from(row, "sending", at, new_token=token, tries=n or None) for row, n in zip(rows, tries, strict=True)]
    made = _move(turn, records + claims)[len(records) :]
    claimed = [
        msgspec.structs.replace(row, state="sending", token=token, tries=n)
        for row, n, done in zip(rows, tries, made, strict=True)
        if done
    ]
    return [_publish(turn, row, known[row.recipient]) for row in claimed]


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
    late = sum(move.to == "sent" and not done for move, done in zip(moves, made, strict=True))
    if late:
        # Somebody took the rows over because this worker outlived its lease, and may have sent them too.
        log.metric("SentTwice", late, channel=chunks.channel_of(turn.chunk))
    return made


def _from(row: Row, to: str, at: int, **more: Any) -> Move:
    """A move of the row as it was read: another worker may have planned it again after a try."""
    return Move(row.recipient, to, at, state=row.state, token=row.token, tried=row.tries, **more)


# Publishing


def _publish(turn: Turn, row: Row, recipient: Recipient) -> Move:
    """Publish one claimed row; what to record of it."""
    if turn.is_over():
        return _from(row, "planned", int(turn.clock()))
    turn.pace.wait()
    if chunks.channel_of(turn.chunk) == "sms":
        outcome = gateway.sms(recipient.phone or "", row.text or "")
        if isinstance(outcome, gateway.Refused) and outcome.why == "opted_out":
            turn.learned.append(_block(turn, recipient, outcome.reason))
    else:
        outcome = _push(turn, row, recipient)
    return _record(turn, row, outcome)


def _push(turn: Turn, row: Row, recipient: Recipient) -> gateway.Outcome:
    """To every device. The best outcome counts, but for unsure ones: a second try would reach that device again."""
    outcomes = []
    for device in recipient.devices:
        if device.disabled:
            continue
        outcome = _push_to(turn, row, device)
        if isinstance(outcome, gateway.Refused) and outcome.why == "disabled":
            turn.learned.append(_disable(turn, recipient, device, outcome.reason))
        outcomes.append(outcome)
    return min(outcomes, key=_rank)


def _push_to(turn: Turn, row: Row, device: Device) -> gateway.Outcome:
    campaign = turn.campaign["id"]
    try:
        body = platforms.message(device.platform, row.text or "", title=turn.campaign.get("title"), campaign=campaign)
    except ValueError as error:
        return gateway.Refused("invalid", str(error))
    return gateway.push(device.endpoint, body, platforms.attributes(device.platform, campaign))


def _rank(outcome: gateway.Outcome) -> int:
    if not isinstance(outcome, gateway.Refused):
        return int(isinstance(outcome, gateway.Unsure))
    return 2 + ("throttled", "invalid", "opted_out", "disabled").index(outcome.why)


def _record(turn: Turn, row: Row, outcome: gateway.Outcome) -> Move:
    at = int(turn.clock())
    if isinstance(outcome, gateway.Sent):
        turn.throttles = 0
        # By the token alone: whoever took this row for lost left the token where it was.
        return Move(row.recipient, "sent", at, token=row.token, message=outcome.message)
    if isinstance(outcome, gateway.Unsure):
        if turn.at_least_once and row.tries + 1 < TRIES:
            return _try_again(turn, row, tries=row.tries + 1, reason=outcome.reason)
        return Move(row.recipient, "unknown", at, token=row.token, reason=outcome.reason)
    if outcome.why == "throttled":
        _slow_down(turn, outcome.retry_after)
        return _try_again(turn, row, tries=row.tries, reason=outcome.reason)
    to = "failed" if outcome.why == "invalid" else "skipped"
    return Move(row.recipient, "unknown" if row.tries else to, at, token=row.token, reason=outcome.reason)


def _try_again(turn: Turn, row: Row, tries: int, reason: str) -> Move:
    turn.again.append(msgspec.structs.replace(row, state="planned", token=None, tries=tries))
    return _from(row, "planned", int(turn.clock()), tries=tries, reason=reason)


def _slow_down(turn: Turn, seconds: float) -> None:
    turn.throttles += 1
    seconds *= 2 ** (turn.throttles - 1)
    if turn.throttles >= THROTTLES or turn.clock() + seconds >= turn.until:
        turn.pause = max(BREAK_SECONDS, seconds)
    else:
        turn.sleep(seconds)


def _block(turn: Turn, recipient: Recipient, reason: str) -> Callable[[], None]:
    from chalicelib.push import recipients

    return lambda: recipients.block_sms(turn.store, recipient.id, reason, phone=recipient.phone)


def _disable(turn: Turn, recipient: Recipient, device: Device, reason: str) -> Callable[[], None]:
    from chalicelib.push import recipients

    return lambda: recipients.disable_device(turn.store, recipient.id, device.endpoint, reason)
