"""From posts to what is known of their images: vectors and hashes, read from the table a hundred at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from chalicelib import ids
from chalicelib.images import lifecycle, record
from chalicelib.store import BATCH_READ, AccountStore, Item
from chalicelib.training.post import Post, Problem

if TYPE_CHECKING:
    from chalicelib.training.dataset import Known

    Progress = Callable[[int, int], None]

# Enough that one waits for DynamoDB while others decode; more of them only wait for the interpreter.
READERS = 8
UNKNOWN = "There is no such image."
OUTDATED = "The image was processed by an older version; process it again."
NOT_READY = "The image was not ready in time."


class Gathered(msgspec.Struct, frozen=True):
    """known: the images that can be learned from. refused: the others, with the reason.

    waiting: those that may still become ready, which are neither.
    """

    known: dict[str, Known]
    refused: dict[str, str]
    waiting: frozenset[str]

    def problems(self, posts: Iterable[Post]) -> list[Problem]:
        """Why posts cannot be used; for what is still waiting, this is too late."""
        reasons = self.refused | dict.fromkeys(self.waiting, NOT_READY)
        return [Problem(post.row, post.image, reasons[post.image]) for post in posts if post.image in reasons]


def gather(store: AccountStore, images: Iterable[str], progress: Progress) -> Gathered:
    """What the account knows of these images; progress is called with how many are done, of how many."""
    wanted = sorted(set(images))
    known: dict[str, Known] = {}
    refused = {image: UNKNOWN for image in wanted if not ids.is_id(image)}
    waiting: set[str] = set()
    chunks = [wanted[start : start + BATCH_READ] for start in range(0, len(wanted), BATCH_READ)]
    for done, (found, reasons, late) in enumerate(_in_parallel(store, chunks), 1):
        known |= found
        refused |= reasons
        waiting |= late
        progress(min(done * BATCH_READ, len(wanted)), len(wanted))
    return Gathered(known, refused, frozenset(waiting))


Chunk = tuple[dict[str, "Known"], dict[str, str], set[str]]


def _in_parallel(store: AccountStore, chunks: Sequence[list[str]]) -> Iterator[Chunk]:
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    with ThreadPoolExecutor(READERS) as pool:
        # Each in its own copy of the context, by which requests are counted and logged.
        running = [pool.submit(copy_context().run, _read, store, chunk) for chunk in chunks]
        try:
            for each in running:
                yield each.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _read(store: AccountStore, images: list[str]) -> Chunk:
    items = {item["id"]: item for item in store.get_many("image", filter(ids.is_id, images))}
    embeddings = _embeddings(store, [item for item in items.values() if item["state"] == "ready"])
    refused = {image: UNKNOWN for image in images if image not in items}
    refused |= {image: item["reason"] for image, item in items.items() if item["state"] == "failed"}
    known = {}
    for image, embedding in embeddings.items():
        try:
            known[image] = _known(items[image], embedding)
        except KeyError:
            refused[image] = OUTDATED
    return known, refused, set(items) - set(known) - set(refused)


def _embeddings(store: AccountStore, items: list[Item]) -> dict[str, bytes]:
    rows = [(item["id"], lifecycle.embedding_row(item["etag"])) for item in items]
    return {row["pk"].rpartition("/")[2]: row["embedding"] for row in store.get_rows("image", rows)}


def _known(item: Item, embedding: bytes) -> Known:
    from chalicelib.training.dataset import Known

    phash = item.get("phash")
    created = datetime.fromisoformat(item["created_at"]).timestamp()
    return Known(record.vector(item, embedding), int.from_bytes(phash, "big") if phash else None, created)
