"""What a campaign would do: its messages composed as the real ones, but neither kept nor sent.

Segments are read one after the other until the time is up. All recipients are spread over the segments by a checksum
of their ids, so whole segments multiply to the whole; of 31,250 recipients, the numbers of one are good to about 1 %.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from chalicelib import contract
from chalicelib.push import parts, spend
from chalicelib.push.addressees import SEGMENTS, Addressees
from chalicelib.push.composing import Composer, known_names
from chalicelib.settings import settings
from chalicelib.store import AccountStore

if TYPE_CHECKING:
    from chalicelib.push.game import Standing
    from chalicelib.push.recipients import Recipient

PAGE = 250
SAMPLES = 3
HINTS = 10


class Tally(msgspec.Struct):
    messages: int = 0
    parts: int = 0
    micros: float = 0
    skipped: Counter[str] = msgspec.field(default_factory=Counter)


class Survey(msgspec.Struct):
    """recipients, tallies: of `segments` whole segments; or, if there is no whole one, of a piece of the first.

    names: attributes that somebody who was looked at has.
    """

    recipients: int = 0
    segments: int = 0
    tallies: dict[str, Tally] = {}
    names: set[str] = msgspec.field(default_factory=set)
    samples: list[str] = []
    hints: dict[str, str] = {}

    @property
    def factor(self) -> float:
        return SEGMENTS / max(1, self.segments)


def survey(
    store: AccountStore,
    request: contract.NewCampaign,
    composer: Composer,
    *,
    until: float,
    clock: Callable[[], float],
    most_read: int | None = None,
) -> Survey:
    """Read the audience until that time of the clock, or until so many matched."""
    addressees = Addressees(store, request.audience, _snapshot(store, request, composer))
    whole = Survey(tallies={channel: Tally() for channel in composer.channels})
    for segment in range(SEGMENTS):
        piece = Survey(
            tallies={channel: Tally() for channel in composer.channels},
            names=whole.names,
            samples=whole.samples,
            hints=whole.hints,
        )
        enough = float("inf") if most_read is None else most_read - whole.recipients
        ended = _read(piece, addressees, composer, segment, lambda: clock() >= until or piece.recipients >= enough)  # noqa: B023
        if ended or not segment:
            _add(whole, piece)
        if not ended:
            return whole
        whole.segments += 1
    return whole


def _snapshot(store: AccountStore, request: contract.NewCampaign, composer: Composer) -> str | None:
    if not (composer.needs_standing or request.audience.needs_standing):
        return None
    from chalicelib.push import snapshots

    return snapshots.latest(store)


def _read(piece: Survey, addressees: Addressees, composer: Composer, segment: int, is_over: Callable[[], bool]) -> bool:
    """Whether the segment was read to its end."""
    after: str | None = ""
    while after is not None:
        if is_over():
            return False
        matched, after = addressees.page(segment, after, PAGE)
        standings = addressees.standings(segment)
        for recipient in matched:
            _look(piece, composer, recipient, standings.get(recipient.id))
    return True


def _look(piece: Survey, composer: Composer, recipient: Recipient, standing: Standing | None) -> None:
    piece.recipients += 1
    piece.names |= known_names(recipient.attributes)
    for channel, tally in piece.tallies.items():
        row = composer.row(channel, recipient.id, recipient, standing)
        if row.text is None:
            tally.skipped[row.reason or ""] += 1
            continue
        tally.messages += 1
        if len(piece.samples) < SAMPLES:
            piece.samples.append(row.text)
        if channel == "sms":
            tally.parts += row.parts
            tally.micros += spend.sms(recipient.phone or "", row.parts)
            _hint(piece, row.text)
        else:
            tally.micros += spend.push(sum(not device.disabled for device in recipient.devices))


def _hint(piece: Survey, text: str) -> None:
    if text.isascii() or len(piece.hints) >= HINTS:
        return
    for hint in parts.parts(text).hints:
        instead = f"write {hint.instead!r} instead" if hint.instead is not None else "leave it out"
        piece.hints.setdefault(hint.character, f"{hint.character} ({hint.name.lower()}): {instead}")


def _add(whole: Survey, piece: Survey) -> None:
    whole.recipients += piece.recipients
    for channel, tally in piece.tallies.items():
        total = whole.tallies[channel]
        total.messages += tally.messages
        total.parts += tally.parts
        total.micros += tally.micros
        total.skipped.update(tally.skipped)


def estimate(store: AccountStore, request: contract.NewCampaign, found: Survey, now: float) -> contract.Estimate:
    factor = found.factor
    channels = {channel: _channel(tally, factor) for channel, tally in found.tallies.items()}
    sms = channels["sms"].dollars if "sms" in channels else 0.0
    return contract.Estimate(
        recipients=round(found.recipients * factor),
        exact=found.segments == SEGMENTS,
        segments_read=found.segments,
        channels=channels,
        dollars=round(sum(each.dollars for each in channels.values()), 6),
        within_budget=_is_within_budget(store, request, spend.micros(sms), now),
        duration_seconds=max((_seconds(channel, each.messages) for channel, each in channels.items()), default=0),
        samples=found.samples,
        hints=list(found.hints.values())[:HINTS],
    )


def _channel(tally: Tally, factor: float) -> contract.ChannelEstimate:
    return contract.ChannelEstimate(
        messages=round(tally.messages * factor),
        skipped={reason: round(number * factor) for reason, number in sorted(tally.skipped.items())},
        parts=round(tally.parts * factor),
        dollars=spend.dollars(tally.micros * factor),
    )


def _is_within_budget(store: AccountStore, request: contract.NewCampaign, micros: int, now: float) -> bool:
    left = spend.micros(settings().sms_budget_dollars) - spend.spent(store, now)
    own = left if request.max_dollars is None else spend.micros(request.max_dollars)
    return micros <= min(left, own)


def _seconds(channel: str, messages: int) -> int:
    """At the pace of the channel, if nothing else is sent."""
    rate = settings().sms_per_second if channel == "sms" else settings().push_per_second
    return -int(-messages // rate)
