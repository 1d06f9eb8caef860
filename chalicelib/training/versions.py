"""A model of an account and its versions: one for each training, and one for each time that an old one was taken back.

| state of a version | means                                                                                |
|--------------------|--------------------------------------------------------------------------------------|
| training           | it is waited for or worked on                                                        |
| ready              | it scores                                                                            |
| superseded         | it did score, until a later one took its place                                       |
| not_enough_signal  | the posts do not show that it knows more than chance                                 |
| not_better         | it learned something, but no more than the one that scores                           |
| failed             | it could not be trained, with a reason                                               |

The row of the model says what a caller is shown, and which version is in training (`training`), which scores (`live`)
and whose end has not been told yet (`untold`). The highest version that was ever released is the one that scores.
"""

from __future__ import annotations

from chalicelib.errors import NotFound
from chalicelib.store import AccountStore, Item

PREFIX = "version#"
LEAVING = "leaving"


def row(number: int) -> str:
    """The sort key of a version."""
    return f"{PREFIX}{number:06d}"


def model(store: AccountStore, identifier: str) -> Item:
    item = store.get("model", identifier)
    if item is None or "deleting" in item:
        raise NotFound("There is no such model.")
    return item


def get(store: AccountStore, identifier: str, number: int) -> Item | None:
    return store.get("model", identifier, row(number))


def every(store: AccountStore, identifier: str) -> list[Item]:
    """All versions, the first one first."""
    return store.partition("model", identifier, PREFIX)


def at_sagemaker(version: Item) -> bool:
    """Whether something of it is there, or may be: what is on its way out is asked no more, but may not be gone."""
    return version["backend"] == "sagemaker" or LEAVING in version
