"""Publishing one claimed row, and what to record of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from chalicelib.push import gateway, platforms
from chalicelib.push.chunks import Move, Row
from chalicelib.push.turn import Turn, moved

if TYPE_CHECKING:
    from chalicelib.push.recipients import Device, Recipient

THROTTLES = 5  # in a row, after which somebody else may try
BREAK_SECONDS = 30
TRIES = 5  # of at_least_once, as long as it is unsure


def publish(turn: Turn, row: Row, recipient: Recipient) -> Move:
    """Publish one claimed row; what to record of it."""
    if turn.is_over():
        return moved(row, "planned", int(turn.clock()))
    turn.pace.wait()
    if turn.channel == "sms":
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
        _slow_down(turn, outcome)
        return _try_again(turn, row, tries=row.tries, reason=outcome.reason)
    to = "failed" if outcome.why == "invalid" else "skipped"
    return Move(row.recipient, "unknown" if row.tries else to, at, token=row.token, reason=outcome.reason)


def _try_again(turn: Turn, row: Row, tries: int, reason: str) -> Move:
    turn.again.append(msgspec.structs.replace(row, state="planned", token=None, tries=tries))
    return moved(row, "planned", int(turn.clock()), tries=tries, reason=reason)


def _slow_down(turn: Turn, refused: gateway.Refused) -> None:
    turn.throttles += 1
    seconds = refused.retry_after * 2 ** (turn.throttles - 1)
    # Nobody sleeps for long over rows that are claimed: meanwhile they may be paused, or their recipients opt out.
    if turn.throttles >= THROTTLES or seconds >= BREAK_SECONDS:
        turn.pause, turn.held_up = max(BREAK_SECONDS, seconds), refused.reason
    elif turn.clock() + seconds >= turn.until:
        turn.pause = BREAK_SECONDS
    else:
        turn.sleep(seconds)


def _block(turn: Turn, recipient: Recipient, reason: str) -> Callable[[], None]:
    from chalicelib.push import recipients

    return lambda: recipients.block_sms(turn.store, recipient.id, reason, phone=recipient.phone)


def _disable(turn: Turn, recipient: Recipient, device: Device, reason: str) -> Callable[[], None]:
    from chalicelib.push import recipients

    return lambda: recipients.disable_device(turn.store, recipient.id, device.endpoint, reason)
