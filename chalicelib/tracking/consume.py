"""The consumer of tracked events: an SQS batch into the archive, the quarantine and the counters.

    archive ──> quarantine ──> claims ──> marks ──> additions

Every step can be done again without harm, so there is nothing to undo: a batch that failed anywhere, or that SQS
delivers twice, is counted once. Only a failure of AWS is raised; a message that cannot be read is put aside.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from chalicelib import log
from chalicelib.store import AccountStore, ConditionFailed, Item, ItemFull
from chalicelib.tracking import archive, counts, pages, quarantine, rollup
from chalicelib.tracking.counts import Collected, Counted
from chalicelib.tracking.event import Rejected
from chalicelib.tracking.pages import Page, Sets

# DynamoDB takes 300 operators, and 4 kB of expression, in an update.
ATTRIBUTES_AN_UPDATE = 280
PARALLEL_CLAIMS = 24  # the client keeps 32 connections
PARALLEL_FROM = 50

Claims = list[tuple[str, int]]  # (digest in hexadecimal, Unix second)


class Message(msgspec.Struct, frozen=True):
    """What `envelope` packed, as far as counting needs it."""

    v: Literal[1]
    account: str
    events: list[Counted]
    rejected: list[Rejected] = []


class Texts(msgspec.Struct, frozen=True):
    """The same message with its events as they stand in it, which is how the archive keeps them."""

    events: list[msgspec.Raw]


class Parcel(msgspec.Struct):
    """What a batch holds of one account. texts: its events by the hour of their arrival (hours since 1970)."""

    account: str
    messages: list[str] = []
    events: list[Counted] = []
    texts: dict[int, list[msgspec.Raw]] = {}
    rejected: list[Rejected] = []

    def put(self, identifier: str, message: Message, texts: list[msgspec.Raw]) -> None:
        self.messages.append(identifier)
        self.events += message.events
        self.rejected += message.rejected
        if message.events:
            # A message is one request or a part of one: its events arrived together.
            self.texts.setdefault(message.events[0].received // 3_600_000, []).extend(texts)


READ = msgspec.json.Decoder(Message)
READ_TEXTS = msgspec.json.Decoder(Texts)


def count(bodies: Sequence[str], message_ids: Sequence[str], now: float) -> None:
    """Take in a batch of queue messages. now: when the consumer began, Unix seconds.

    Raises what AWS answers when it fails; then the whole batch is to be delivered again.
    """
    began = time.monotonic()
    parcels, unreadable = sort(bodies, message_ids)
    if unreadable:
        log.metric("EventsUnreadable", len(unreadable))
        identifiers, texts, reasons = zip(*unreadable, strict=True)
        quarantine.keep_unreadable(texts, reasons, archive.batch_digest(identifiers), int(now * 1000))
    for parcel in parcels:
        collected = _take(parcel, now)
        _measure(parcel, collected, now + time.monotonic() - began)


def sort(bodies: Sequence[str], message_ids: Sequence[str]) -> tuple[list[Parcel], list[tuple[str, str, str]]]:
    """A parcel for each account, and (message id, text, reason) of what cannot be read."""
    parcels: dict[str, Parcel] = {}
    unreadable: list[tuple[str, str, str]] = []
    for body, identifier in zip(bodies, message_ids, strict=True):
        try:
            message, texts = READ.decode(body), READ_TEXTS.decode(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            unreadable.append((identifier, body, str(error)))
            continue
        parcel = parcels.get(message.account) or parcels.setdefault(message.account, Parcel(message.account))
        parcel.put(identifier, message, texts.events)
    return list(parcels.values()), unreadable


def _take(parcel: Parcel, now: float) -> Collected:
    batch = archive.batch_digest(parcel.messages)
    for key, body in archived(parcel, batch):
        archive.put(key, body)
    quarantine.keep(parcel.account, parcel.rejected, batch)
    store = AccountStore(parcel.account)
    collected = counts.collect(parcel.account, parcel.events, rollup.layouts(store))
    counts.settle(collected, claim(store, counts.proposals(collected), now))
    counts.drop_expired(collected, now)
    rollup.mark(store, {page.hour for page in collected.pages}, now)
    for page in sorted(collected.pages):
        for sets in pages.runs(collected.pages[page], ATTRIBUTES_AN_UPDATE):
            add(store, page, sets)
    return collected


def archived(parcel: Parcel, batch: str) -> Iterable[tuple[str, bytes]]:
    """(key, body) of an object for each hour in which events of the parcel arrived."""
    for hour, texts in parcel.texts.items():
        yield archive.raw_key(parcel.account, hour * pages.HOUR, batch), archive.packed(texts)


def claim(store: AccountStore, proposed: Mapping[bytes, int], now: float) -> dict[bytes, int]:
    """The second that each id without a time counts at: the first that was ever claimed for it.

    A claim never changes, so what a batched read finds is settled; only the rest costs a write each.
    """
    names = {digest.hex(): digest for digest in proposed}
    known = {_name(item): int(item["second"]) for item in store.get_many("seen", names)}
    missing = [(name, proposed[digest]) for name, digest in names.items() if name not in known]
    expires = int(now) + pages.KEPT_SECONDS
    known.update(_claim_each(missing, lambda name, second: _claim(store, name, second, expires)))
    return {digest: known[name] for name, digest in names.items()}


def _name(item: Item) -> str:
    return str(item["pk"]).rpartition("/")[2]


def _claim_each(missing: Claims, one: Callable[[str, int], int]) -> Claims:
    """The same with the seconds that count. A full batch holds 14,000 ids, too many to wait for one by one."""
    if len(missing) < PARALLEL_FROM:
        return [(name, one(name, second)) for name, second in missing]
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    def some(start: int) -> Claims:
        return [(name, one(name, second)) for name, second in missing[start::PARALLEL_CLAIMS]]

    with ThreadPoolExecutor(PARALLEL_CLAIMS) as pool:
        # Each thread with a copy of this context: what it asks of AWS belongs to this invocation.
        shares = [pool.submit(copy_context().run, some, start) for start in range(PARALLEL_CLAIMS)]
    return [claimed for share in shares for claimed in share.result()]


def _claim(store: AccountStore, name: str, second: int, expires: int) -> int:
    try:
        store.put("seen", name, {"second": second, "expires": expires}, new=True)
    except ConditionFailed:
        item = store.get("seen", name)
        return _claim(store, name, second, expires) if item is None else int(item["second"])
    return second


def add(store: AccountStore, page: Page, sets: Sets, part: str = "") -> None:
    """Add to a page. A part of it that is full leads to 16 more, by the last digits of the digests.

    Readers unite the parts, so it does not matter in which of them a digest stands, nor whether in two.
    """
    key = rollup.page_key(page.hour, page.group)
    try:
        store.add("page", key, f"{page.start}#{part}", sets, pages.expires(page.hour))
    except ItemFull:
        log.metric("PagesFull")
        for digit, some in sorted(pages.split(sets, len(part)).items()):
            add(store, page, some, digit + part)


def _measure(parcel: Parcel, collected: Collected, counted_at: float) -> None:
    """The lag is the oldest event's, from its arrival until readers see it (Unix seconds)."""
    if not parcel.events:
        return
    lag = counted_at - min(event.received for event in parcel.events) / 1000
    log.metrics(
        EventsCounted=(collected.size(), "Count"),
        EventsDoubledInBatch=(collected.doubles, "Count"),
        EventsLate=(collected.late, "Count"),
        CounterLagSeconds=(max(0.0, lag), "Seconds"),
    )
