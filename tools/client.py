"""A client of the API: upload photos, wait for them, rank them.

    client = Client("http://127.0.0.1:8000", token)
    sent = client.upload(paths)
    ranked = client.rank([photo.image for photo in sent if photo.image])

Every method raises `tools.transport.ApiError`, whose message is one line for a person.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import requests

from chalicelib import contract
from chalicelib.images import sniff
from chalicelib.images.limits import MAX_BYTES
from tools.transport import ApiError, Refused, Stalled, Transport

SLOTS_A_CALL = 100
MOST_IN_A_RANKING = 200
THREADS = 8
POLL_SECONDS = 0.5
TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}

# Called with how many are done, and of how many.
Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Sent:
    """A file and its image id, or the reason why it was not accepted. at: Unix time of the end of its upload."""

    file: Path
    image: str | None
    reason: str | None = None
    at: float = 0.0


@dataclass(frozen=True)
class Ranked:
    """Entries best first, failed ones last; and the ids of the rankings that were made for them."""

    entries: list[contract.Entry]
    rankings: list[str] = field(default_factory=list)


def ignore(_done: int, _total: int) -> None:
    """Watch nothing."""


class Client:
    """One account's view of the API. Safe to share between threads.

    token: a Cognito ID or access token, or an API key
    patience: seconds without any progress after which waiting ends with Stalled
    """

    def __init__(self, base_url: str, token: str, *, patience: float = 900.0):
        self.patience = patience
        self._api = Transport(base_url, token)

    # Upload

    def upload(
        self, files: Sequence[Path], collection: str | None = None, watch: Watch = ignore, threads: int = THREADS
    ) -> list[Sent]:
        """Send the files straight to the bucket, several at once; the answers are in the order of `files`.

        A file that cannot be read, or that the bucket refuses, gets its reason; the others are not held up.
        """
        sent: dict[Path, Sent] = {}
        with ThreadPoolExecutor(threads) as pool:
            running = [
                pool.submit(self._send, file, kind, slot)
                for chunk in _chunks(list(_sendable(files, sent)), SLOTS_A_CALL)
                for (file, kind, _size), slot in zip(chunk, self._slots(chunk, collection), strict=True)
            ]
            for done in _watched(running, len(files), len(sent), watch):
                sent[done.file] = done
        return [sent[file] for file in files]

    def _slots(self, chunk: Sequence[tuple[Path, str, int]], collection: str | None) -> list[contract.Slot]:
        files = [{"name": plain(file.name)[-200:], "content_type": kind, "size": size} for file, kind, size in chunk]
        # No Idempotency-Key: a slot that is opened twice and never used ends by itself.
        return self._api.call("POST", "/images", contract.Slots, {"files": files, "collection": collection}).items

    def _send(self, file: Path, kind: str, slot: contract.Slot) -> Sent:
        try:
            part = ("photo", file.read_bytes(), kind)
        except OSError as error:
            return Sent(file, None, f"The file cannot be read: {error.strerror}.")
        answer = self._api.reach("POST", slot.upload.url, data=slot.upload.fields, files={"file": part})
        if not answer.ok:
            return Sent(file, None, f"The bucket refused the upload: {_bucket_message(answer)}")
        return Sent(file, slot.id, at=time.time())

    # Wait and rank

    def wait(self, images: Iterable[str], model: str = "general", watch: Watch = ignore) -> list[contract.Image]:
        """Wait until each image has its score by `model` or has failed. Raises Stalled."""
        wanted = list(images)
        final: dict[str, contract.Image] = {}

        def look() -> int:
            for image in wanted:
                if image not in final:
                    seen = self.image(image)
                    if seen.state == "failed" or model in seen.scores:
                        final[image] = seen
            return len(final)

        self._until(look, len(wanted), watch)
        return [final[image] for image in wanted]

    def rank(
        self, images: Sequence[str], model: str = "general", name: str | None = None, watch: Watch = ignore
    ) -> Ranked:
        """Rank any number of images and wait for the result.

        A ranking holds 200 images. More are ranked in several rankings and merged by score, which is a percentile among
        the model's training images and so means the same in each of them. The merged order is then ranked once more, in
        windows that overlap by one image, so that `beats_next` is known for every pair of neighbors.
        One image alone is no ranking for the API: its score is the answer.
        """
        if len(images) == 1:
            return Ranked([_alone(self.wait(images, model, watch)[0], model)])
        rankings = [self._create(chunk, model, name) for chunk in _even(images, MOST_IN_A_RANKING)]
        self._await(rankings, len(images), watch)
        answers = [self.ranking(ranking).entries for ranking in rankings]
        if len(answers) > 1:
            answers = [self._merge(answers, model, name, rankings)]
        return Ranked(_renumbered(answers[0]), rankings)

    def _merge(
        self, answers: list[list[contract.Entry]], model: str, name: str | None, rankings: list[str]
    ) -> list[contract.Entry]:
        """One list of all entries; the rankings that this needs are added to `rankings`."""
        scored = [[entry for entry in entries if entry.score is not None] for entries in answers]
        failed = [entry for entries in answers for entry in entries if entry.score is None]
        # Each list is in the order of unrounded scores, which a merge keeps.
        order = list(heapq.merge(*scored, key=lambda entry: -(entry.score or 0.0)))
        merged = order[:1]
        for part in _chunks(order[1:], MOST_IN_A_RANKING - 1):
            window = [str(entry.image) for entry in (merged[-1], *part)]
            rankings.append(self._create(window, model, name))
            self._await(rankings[-1:], len(window), ignore)
            merged = joined(merged, self.ranking(rankings[-1]).entries)
        return merged + failed

    def _create(self, images: Sequence[str], model: str, name: str | None) -> str:
        body = {"images": list(images), "model": model, "name": name}
        return self._api.call("POST", "/rankings", contract.RankingAccepted, body, once=True).id

    def _await(self, rankings: list[str], total: int, watch: Watch) -> None:
        """Wait until the rankings are final. Summaries are asked for: full rankings would cost the API much more."""

        def look() -> int:
            page = self._api.call("GET", "/rankings?limit=100", contract.Rankings).items
            known = {summary.id: summary for summary in page}
            seen = [known.get(ranking) or self.ranking(ranking) for ranking in rankings]
            done = sum(summary.progress.done for summary in seen)
            # The last update of a ranking, which makes it final, comes after its progress is full.
            return done if all(summary.state != "pending" for summary in seen) else min(done, total - 1)

        self._until(look, total, watch)

    def _until(self, look: Callable[[], int], total: int, watch: Watch) -> None:
        """Look again and again until all are done."""
        before, moved = -1, time.monotonic()
        while True:
            done = look()
            watch(done, total)
            if done >= total:
                return
            if done != before:
                before, moved = done, time.monotonic()
            elif time.monotonic() - moved > self.patience:
                raise Stalled(f"No progress for {self.patience:.0f} s: {done} of {total} are done.")
            time.sleep(POLL_SECONDS)

    # Models

    def dataset(self, file: Path) -> str:
        """Upload a file of posts, CSV or JSON lines by its name; the id of the data set. Raises ApiError."""
        data = _content(file)
        format = "csv" if file.suffix.lower() == ".csv" else "jsonl"
        body = {"name": plain(file.name)[-200:], "format": format, "size": len(data)}
        slot = self._api.call("POST", "/datasets", contract.DataSetSlot, body)
        self._upload(slot.upload, data)
        return slot.id

    def _upload(self, upload: contract.Upload, data: bytes) -> None:
        answer = self._api.reach("POST", upload.url, data=upload.fields, files={"file": data})
        if not answer.ok:
            raise ApiError(f"The bucket refused the upload: {_bucket_message(answer)}")

    def learn(self, name: str, posts: Sequence[Mapping[str, Any]], watch: Watch = ignore) -> contract.Model:
        """Train a model on posts (see `contract.NewPost`) and wait until it scores, or cannot be had."""
        source = {"type": "posts", "items": [dict(post) for post in posts]}
        begun = self._api.call("POST", "/models", contract.Model, {"name": name, "source": source}, once=True)
        self._until(lambda: int(self.model(begun.id).state not in ("queued", "training")), 1, watch)
        return self.model(begun.id)

    def model(self, model: str) -> contract.Model:
        return self._api.call("GET", f"/models/{model}", contract.Model)

    # Recipients

    def import_recipients(self, file: Path, watch: Watch = ignore) -> contract.ImportView:
        """Upload a CSV file of recipients, and wait until it has been read. Raises ApiError."""
        data = _content(file)
        body = {"name": plain(file.name)[-200:], "size": len(data)}
        slot = self._api.call("POST", "/imports", contract.ImportSlot, body)
        self._upload(slot.upload, data)
        self._until(lambda: self._imported(slot.id), len(data) + 1, watch)
        return self.imported(slot.id)

    def _imported(self, name: str) -> int:
        """Bytes that were read, and one for the end."""
        found = self.imported(name)
        return found.size + 1 if found.state in ("done", "failed") else found.read

    def imported(self, name: str) -> contract.ImportView:
        return self._api.call("GET", f"/imports/{name}", contract.ImportView)

    # Read and remove

    def image(self, image: str) -> contract.Image:
        return self._api.call("GET", f"/images/{image}", contract.Image)

    def images(self, collection: str | None = None, state: contract.State | None = None) -> Iterator[contract.Image]:
        """All images, or those of a collection or state, newest first."""
        wanted = {name: value for name, value in (("collection", collection), ("state", state)) if value}
        cursor: str | None = ""
        while cursor is not None:
            query = {**wanted, "limit": 200, **({"cursor": cursor} if cursor else {})}
            page = self._api.call("GET", "/images", contract.Images, query=query)
            yield from page.items
            cursor = page.next

    def process(self, image: str) -> contract.Accepted:
        """Ask for all properties of an image again."""
        return self._api.call("POST", f"/images/{image}/process", contract.Accepted, {})

    def address(self, source: str, operations: str, format: str) -> str:
        """The signed URL of an image or source original at a size."""
        body = {"source": source, "operations": operations, "format": format}
        return self._api.call("POST", "/urls", contract.Url, body).url

    def write_key(self, name: str) -> str:
        """A new public key to send events with."""
        return self._api.call("POST", "/write-keys", contract.WriteKey, {"name": name}).key

    def impressions(self) -> int:
        """What the account has counted in the last days."""
        return self._api.call("GET", "/stats", contract.Stats).totals.impressions

    def ranking(self, ranking: str) -> contract.Ranking:
        return self._api.call("GET", f"/rankings/{ranking}", contract.Ranking)

    def rankings(self) -> list[contract.RankingSummary]:
        """The newest rankings."""
        return self._api.call("GET", "/rankings", contract.Rankings).items

    def models(self) -> list[contract.Model]:
        return self._api.call("GET", "/models?limit=200", contract.Models).items

    def remove(self, images: Iterable[str], rankings: Iterable[str] = (), watch: Watch = ignore) -> None:
        """Delete images and rankings; what is gone already is no error."""
        for ranking in rankings:
            self._delete(f"/rankings/{ranking}")
        with ThreadPoolExecutor(THREADS) as pool:
            running = [pool.submit(self._delete, f"/images/{image}") for image in images]
            for _ in _watched(running, len(running), 0, watch):
                pass

    def _delete(self, path: str) -> None:
        try:
            self._api.call("DELETE", path, None)
        except Refused as refused:
            if refused.status != 404:
                raise


def plain(name: str) -> str:
    """A file name as valid Unicode: bytes that are no UTF-8 become the replacement character."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def joined(above: list[contract.Entry], window: list[contract.Entry]) -> list[contract.Entry]:
    """The entries so far and the next window, which holds the last of them again.

    Where equal rounded scores made another image the first of the window, it is not known what the one above beats.
    """
    last, kept = above[-1], above[:-1]
    if kept and window[0].image != last.image:
        kept[-1] = msgspec.structs.replace(kept[-1], beats_next=None)
    return kept + window


def _sendable(files: Sequence[Path], unsendable: dict[Path, Sent]) -> Iterator[tuple[Path, str, int]]:
    """Each file with its type and size; what the API would refuse together with a whole call is sorted out before."""
    for file in files:
        try:
            size = file.stat().st_size
            with file.open("rb") as opened:
                head = opened.read(1024)
        except OSError as error:
            unsendable[file] = Sent(file, None, f"The file cannot be read: {error.strerror}.")
            continue
        kind = content_type(file, head)
        if not size or kind is None:
            unsendable[file] = Sent(file, None, sniff.refusal(head))
        elif size > MAX_BYTES:
            unsendable[file] = Sent(file, None, "An image takes at most 25 MB.")
        else:
            yield file, kind, size


def content_type(file: Path, head: bytes) -> str | None:
    """What the first bytes say; else what the name says, for then the API is the one to judge; else None."""
    kind = sniff.accepted(head)
    return f"image/{kind}" if kind else TYPES.get(file.suffix.lower())


def _watched[Result](running: list[Future[Result]], total: int, before: int, watch: Watch) -> Iterator[Result]:
    """Results as they come; an exception drops what has not begun."""
    watch(before, total)
    try:
        for done, future in enumerate(as_completed(running), start=before + 1):
            yield future.result()
            watch(done, total)
    except BaseException:
        for future in running:
            future.cancel()
        raise


def _chunks[Thing](things: Sequence[Thing], most: int) -> Iterator[Sequence[Thing]]:
    return (things[start : start + most] for start in range(0, len(things), most))


def _even[Thing](things: Sequence[Thing], most: int) -> Iterator[Sequence[Thing]]:
    """As few parts as possible, alike in size, so that none is too small to be a ranking."""
    parts = -(-len(things) // most)
    return _chunks(things, -(-len(things) // parts))


def _alone(image: contract.Image, model: str) -> contract.Entry:
    score = image.scores.get(model)
    return contract.Entry(
        rank=1,
        image=image.id,
        score=score.score if score else None,
        interval=score.interval if score else None,
        beats_next=None,
        reasons=score.reasons if score else [],
        similar=[],
        domain=score.domain if score else None,
        reason=image.reason,
        urls=image.urls,
    )


def _renumbered(entries: list[contract.Entry]) -> list[contract.Entry]:
    return [msgspec.structs.replace(entry, rank=rank) for rank, entry in enumerate(entries, start=1)]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ApiError(f"{file} cannot be read: {error.strerror}.") from error


def _bucket_message(answer: requests.Response) -> str:
    try:
        message = ElementTree.fromstring(answer.content).findtext("Message")  # noqa: S314 - from our own bucket
    except ElementTree.ParseError:
        message = None
    return message or f"status {answer.status_code}."
