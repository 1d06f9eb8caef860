"""One message of a campaign to a phone, however many recipients have its number.

A list that was imported anew under other ids has every customer twice. So the first recipient whose turn comes takes
the number for the campaign, by an item that is written once; the others are skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.store import AccountStore

KEPT_SECONDS = 90 * 86400


def taken(store: AccountStore, campaign: str, phones: Mapping[str, str], now: float) -> set[str]:
    """Take the numbers for these recipients (phones: E.164 by recipient); those of them whose number another has."""
    keys = {recipient: _key(campaign, phone) for recipient, phone in phones.items()}
    first = {key: recipient for recipient, key in reversed(keys.items())}
    expires = int(now) + KEPT_SECONDS
    items = [(key, "number", {"recipient": recipient, "expires": expires}) for key, recipient in first.items()]
    answers = store.insert_many("number", items)
    # Not new: another's, or this one's from an earlier try.
    there = [key for (key, _, _), answer in zip(items, answers, strict=True) if not answer.done]
    owners = first | {item["pk"].rpartition("/")[2]: item["recipient"] for item in store.get_many("number", there)}
    return {recipient for recipient, key in keys.items() if owners[key] != recipient}


def _key(campaign: str, phone: str) -> str:
    """Nothing that is kept for long shows the number itself."""
    import hashlib

    return hashlib.sha256(f"{campaign}\n{phone}".encode()).hexdigest()[:40]
