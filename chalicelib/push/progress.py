"""How far a campaign is: one query of its head and 8 progress shards, whatever the number of recipients."""

from __future__ import annotations

import msgspec

from chalicelib.store import AccountStore, Item

# In the order of the contract; the first also holds what is just being sent.
FINAL = ("sent", "failed", "skipped", "unknown", "cancelled")
OPEN_STATES = ("planned", "sending")
ACTIVE = ("planning", "sending")
# Sort key of what last kept a worker from sending, so that the query of the progress reads it as well.
HELD_UP = "campaign$heldup"
# How long that is worth telling: workers who are refused come back within half a minute and note it again.
HELD_UP_SECONDS = 300


class Counts(msgspec.Struct, frozen=True):
    """Messages by state. total is the sum of the others; planned includes what is just being sent."""

    total: int = 0
    planned: int = 0
    sent: int = 0
    failed: int = 0
    skipped: int = 0
    unknown: int = 0
    cancelled: int = 0


class Progress(Counts, frozen=True):
    """channels: the same by channel, "sms" and "push".

    total_is_final: whether all is planned. rate_per_second: messages sent or tried since the start, without pauses;
    None before the first and when it has ended. eta_seconds: None unless it is running and all is planned.
    """

    total_is_final: bool = False
    rate_per_second: float | None = None
    eta_seconds: int | None = None
    channels: dict[str, Counts] = {}

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to send, nor to plan."""
        return self.total_is_final and not self.planned


def read(store: AccountStore, campaign: str, now: float) -> Progress | None:
    """A consistent sum of what the chunks counted; None if there is no such campaign.

    Reads of the head: `state`, `planned_at` (set once all is planned), `started_at` and `paused_seconds`; Unix seconds.
    """
    items = store.partition("campaign", campaign, prefix="campaign")
    heads = [item for item in items if item["sk"] == "campaign"]
    return of(heads[0], [item for item in items if item["sk"] != "campaign"], now) if heads else None


def of(head: Item, shards: list[Item], now: float) -> Progress:
    channels = {channel: _counts(shards, channel) for channel in ("sms", "push")}
    whole = _sum(list(channels.values()))
    rate = _rate(head, whole, now)
    running = rate and head["state"] in ACTIVE and "planned_at" in head
    return Progress(
        **msgspec.structs.asdict(whole),
        total_is_final="planned_at" in head,
        rate_per_second=rate and round(rate, 3),
        eta_seconds=round(whole.planned / rate) if rate and running else None,
        channels={channel: counts for channel, counts in channels.items() if counts.total},
    )


def hold_up(store: AccountStore, campaign: str, reason: str, now: float) -> None:
    """Note why a worker stopped before its end, in the words of SNS."""
    store.put("campaign", campaign, {"reason": reason, "at": int(now)}, sk=HELD_UP)


def _counts(shards: list[Item], channel: str) -> Counts:
    found = {state: sum(shard.get(f"{channel}_{state}", 0) for shard in shards) for state in (*FINAL, *OPEN_STATES)}
    planned = sum(found.pop(state) for state in OPEN_STATES)
    return Counts(total=planned + sum(found.values()), planned=planned, **found)


def _sum(each: list[Counts]) -> Counts:
    return Counts(**{name: sum(getattr(counts, name) for counts in each) for name in Counts.__struct_fields__})


def _rate(head: Item, whole: Counts, now: float) -> float | None:
    tried = whole.sent + whole.failed + whole.unknown
    if head["state"] not in ACTIVE or "started_at" not in head or not tried:
        return None
    seconds: float = now - head["started_at"] - head.get("paused_seconds", 0)
    return tried / max(seconds, 1.0)
