"""What text messages cost, and the guard that stops a campaign before its budget.

A chunk's price is written down when it is planned. Before its first message is sent, the whole of it is set aside from
the account's month and from the campaign's own limit, in one transaction that marks the chunk: once, however often the
chunk comes. What is set aside for messages that are skipped or fail afterwards is not given back, so the guard errs on
the safe side. Amounts are whole millionths of a dollar.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import msgspec

from chalicelib.push import phone
from chalicelib.settings import settings
from chalicelib.store import AccountStore, Cancelled, ConditionFailed, Item, Write

MICROS = 1_000_000
PRICE = "price"  # sort key, beside the chunk's head
# Sort key of what a campaign has set aside, so that the query of its progress reads it as well.
SET_ASIDE = "campaign$spend"


def micros(dollars: float) -> int:
    return round(dollars * MICROS)


def dollars(amount: float) -> float:
    return round(amount / MICROS, 6)


def sms(number: str, parts: int) -> int:
    """What a text message to a number in E.164 costs."""
    prices = _prices()["sms_part"]
    try:
        country = phone.country(number)
    except ValueError:
        country = "default"
    return parts * micros(prices.get(country, prices["default"]))


def push(devices: int) -> float:
    return devices * float(_prices()["push_message"]) * MICROS


@cache
def _prices() -> Any:
    from pathlib import Path

    return msgspec.json.decode(Path(__file__).with_name("prices.json").read_bytes())


# The guard


def note(store: AccountStore, chunk: str, amount: int) -> None:
    """What a chunk costs; the first note counts."""
    try:
        store.put("chunk", chunk, {"micros": amount}, sk=PRICE, new=True)
    except ConditionFailed:
        return


def reserve(store: AccountStore, campaign: Item, chunk: str, now: float) -> str | None:
    """Set aside what a chunk costs, once: None, or which limit it would pass: "budget" or "max_dollars"."""
    noted = store.get("chunk", chunk, PRICE)
    if noted is None or "month" in noted:
        return None
    month, amount = month_of(now), noted["micros"]
    limits = {"budget": micros(settings().sms_budget_dollars), "max_dollars": campaign.get("max_micros")}
    if over := next((name for name, limit in limits.items() if limit is not None and amount > limit), None):
        return over
    writes = [
        _mark(chunk, month),
        _addition("spend", month, "spend", amount, limits["budget"]),
        _addition("campaign", campaign["id"], SET_ASIDE, amount, limits["max_dollars"]),
    ]
    refused = _transact(store, writes)
    return None if not refused or 0 in refused else list(limits)[refused[0] - 1]


def _transact(store: AccountStore, writes: list[Write]) -> list[int]:
    """The numbers of the writes that were refused, none if all were made. Raises Unavailable."""
    try:
        store.transact(*writes)
    except Cancelled as refusal:
        return refusal.failed
    return []


def month_of(now: float) -> str:
    """Of UTC, as 2026-11."""
    return time.strftime("%Y-%m", time.gmtime(now))


def spent(store: AccountStore, now: float) -> int:
    """What the account has set aside this month."""
    return int((store.get("spend", month_of(now)) or {}).get("micros", 0))


def _mark(chunk: str, month: str) -> Write:
    unmarked = "attribute_not_exists(#month)"
    return Write("chunk", chunk, sk=PRICE, update="SET #month = :month", values={"month": month}, condition=unmarked)


def _addition(kind: str, key: str, sk: str, amount: int, limit: int | None) -> Write:
    values: Item = {"amount": amount}
    condition = "attribute_not_exists(#deleted)"
    if limit is not None:
        values["room"] = limit - amount
        condition = "attribute_not_exists(#micros) OR #micros <= :room"
    return Write(kind, key, sk=sk, update="ADD #micros :amount", values=values, condition=condition)
