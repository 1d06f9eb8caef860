"""Where the posts of a training come from: the request, a file or tracked events, and earlier trainings."""

from __future__ import annotations

import msgspec

from chalicelib.store import AccountStore, Item
from chalicelib.training import post, retraining, storage, versions
from chalicelib.training.post import MAX_POSTS, Post, Problem


class Unusable(Exception):
    """The training cannot succeed, and its model's owner is told why. problems: how many were written."""

    def __init__(self, reason: str, problems: int = 0):
        super().__init__(reason)
        self.problems = problems


def posts(store: AccountStore, item: Item, version: Item) -> tuple[list[Post], list[Problem]]:
    """What a version learns from, and the rows that are no posts.

    Raises Unusable where nothing came, or where a file has not one post in it.
    """
    source = retraining.source_of(version)
    if source["type"] == "tracked":
        return tracked(store, retraining.window(source, version["started_at"])), []
    folder = storage.folder(store.account, item["id"], version["number"])
    given, problems = _given(store.account, folder, source, version["started_at"])
    every = merge(_before(store, item["id"], version["number"]), given)
    storage.write(folder + storage.POSTS, msgspec.json.encode(every))
    return every, problems


def tracked(store: AccountStore, days: tuple[int, int]) -> list[Post]:
    """Every image that was shown, with its rate at the account's average place."""
    from chalicelib.tracking import labels

    found = labels.engagements(store, days)
    return post.from_labels(labels.shrink(found, sorted(found)))


def _given(account: str, folder: str, source: retraining.Source, now: int) -> tuple[list[Post], list[Problem]]:
    """What came with this training."""
    if source["type"] == "posts":
        items = storage.read(folder + storage.ITEMS)
        if items is None:
            raise Unusable("The posts have not arrived; send them again.")
        return post.from_items(msgspec.json.decode(items), now)
    if source["type"] == "file":
        return _of_file(account, folder, source, now)
    return [], []  # the same posts once more


def _of_file(account: str, folder: str, source: retraining.Source, now: int) -> tuple[list[Post], list[Problem]]:
    data = storage.read(storage.uploaded(account, source["dataset"]))
    if data is None:
        raise Unusable("The file is not there any more; upload it again.")
    read = post.from_csv if source["format"] == "csv" else post.from_jsonl
    found, problems = read(data, now)
    if not found:
        write_problems(folder, problems)
        raise Unusable(f"The file has no post in it. Line {problems[0].row}: {problems[0].reason}", len(problems))
    return found, problems


def _before(store: AccountStore, model: str, number: int) -> list[Post]:
    """The posts of the newest earlier training that could read its own."""
    for version in reversed(versions.every(store, model)):
        if version["number"] < number and "n" in version and "origin" not in version:
            kept = storage.read(storage.folder(store.account, model, version["number"]) + storage.POSTS)
            return msgspec.json.decode(kept, type=list[Post]) if kept else []
    return []


def merge(before: list[Post], given: list[Post]) -> list[Post]:
    """All posts, the last MAX_POSTS given; who sends one again, of the same image and moment, corrects it."""
    corrected = {(each.image, each.posted_at) for each in given}
    return [*(each for each in before if (each.image, each.posted_at) not in corrected), *given][-MAX_POSTS:]


def write_problems(folder: str, problems: list[Problem]) -> None:
    storage.write(folder + storage.PROBLEMS, b"\n".join(map(msgspec.json.encode, problems)))
