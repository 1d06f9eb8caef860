"""Who started, paused, resumed and cancelled what: rows that are written with the change itself or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib import contract, ids
from chalicelib.store import AccountStore, Item, Write

# Whom a change is laid to that the service makes by itself.
SERVICE = "proofsheet"


def entry(store: AccountStore, user: str, action: str, about: str, now: float, **details: str) -> Write:
    """The row as a part of the transaction that makes the change."""
    identifier = ids.new_id(now)
    item: Item = {"id": identifier, "user": user, "action": action, "about": about, "details": details}
    return Write("audit", identifier, {**item, "list_pk": store.pk("audit"), "list_sk": identifier, "at": int(now)})


def page(store: AccountStore, paging: contract.Paging) -> contract.Audit:
    found = store.page("audit", paging.limit, paging.cursor or None)
    return contract.Audit(items=[_view(item) for item in found.items], next=found.next)


def _view(item: Item) -> contract.AuditEntry:
    at = datetime.fromtimestamp(item["at"], UTC).isoformat().replace("+00:00", "Z")
    return contract.AuditEntry(
        id=item["id"], at=at, user=item["user"], action=item["action"], about=item["about"], details=item["details"]
    )
