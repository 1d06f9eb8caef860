"""Images as a caller sees them: one, or a page of them, newest first."""

from chalicelib import contract
from chalicelib.images import lifecycle, record
from chalicelib.store import AccountStore


def view(store: AccountStore, image: str) -> contract.Image:
    return record.view(store.account, lifecycle.get(store, image))


def page(store: AccountStore, query: contract.ImageQuery) -> contract.Images:
    found = store.page(
        "image", query.limit, query.cursor or None, collection=query.collection or None, state=query.state or None
    )
    return contract.Images(items=[record.view(store.account, item) for item in found.items], next=found.next)
