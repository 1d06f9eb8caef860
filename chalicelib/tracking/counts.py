"""From events to sets of digests, and from sets to counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from chalicelib.tracking import pages
from chalicelib.tracking.pages import Layout, Page, Sets

KINDS = "icsv"
Four = list[int]  # impressions, clicks, submits, conversions
Tallies = dict[str, Four]

EVERYTHING = ""  # the subject of the whole account


class Counted(msgspec.Struct, frozen=True, gc=False):
    """What counting needs of an `event.Event`; a decoder passes over the rest."""

    id: str
    received: int
    frozen: int
    kind: str | None = None
    image: str | None = None
    ranking: str | None = None
    bot: bool = False


class Untimed(msgspec.Struct, frozen=True):
    """An event whose id holds no time. second: where it shall count unless its id was claimed for another one."""

    digest: bytes
    second: int
    attribute: str


class Collected(msgspec.Struct):
    """The digests of one account's events by page and attribute, ready to be added.

    late: how many are outside the horizon, which compaction alone counts. doubles: how many were in here already.
    """

    layouts: Sequence[Layout]
    pages: dict[Page, Sets] = {}
    untimed: list[Untimed] = []
    late: int = 0
    doubles: int = 0

    def size(self) -> int:
        """How many digests there are."""
        return sum(len(digests) for sets in self.pages.values() for digests in sets.values())

    def digests(self, second: int, attribute: str) -> set[bytes]:
        """The set that an event of that second belongs to."""
        page = pages.page_of(pages.layout_at(self.layouts, second), second, pages.image_of(attribute))
        sets = self.pages.get(page)
        if sets is None:
            sets = self.pages[page] = {}
        return sets.setdefault(attribute, set())


def collect(account: str, events: Iterable[Counted], layouts: Sequence[Layout]) -> Collected:
    """Bots do not count, nor does what is not about an image. layouts: oldest first."""
    collected, entered, late = Collected(layouts), 0, 0
    # What lies within 10 s is in one page, for every width is a multiple of that.
    windows: dict[int, Sets] = {}
    for event in events:
        if event.bot or (name := pages.attribute(event.kind, event.image, event.ranking)) is None:
            continue
        moment, digest = pages.read_id(event.id, account)
        if moment is None:
            collected.untimed.append(_untimed(event, digest, name))
        elif not pages.within_horizon(second := moment // 1000, event.received // 1000):
            late += 1
        else:
            window = windows.get(second // 10)
            if window is None:
                window = windows[second // 10] = {}
            digests = window.get(name)
            if digests is None:
                digests = window[name] = collected.digests(second, name)
            digests.add(digest)
            entered += 1
    collected.late, collected.doubles = late, entered - collected.size()
    return collected


def _untimed(event: Counted, digest: bytes, attribute: str) -> Untimed:
    second, received = event.frozen // 1000, event.received // 1000
    return Untimed(digest, second if pages.within_horizon(second, received) else received, attribute)


def proposals(collected: Collected) -> dict[bytes, int]:
    """The second to claim for each id without a time."""
    return {event.digest: event.second for event in reversed(collected.untimed)}


def settle(collected: Collected, claimed: Mapping[bytes, int]) -> None:
    """Put the events without a time where their ids' claims say."""
    before = collected.size()
    for event in collected.untimed:
        collected.digests(claimed[event.digest], event.attribute).add(event.digest)
    collected.doubles += len(collected.untimed) - (collected.size() - before)


def drop_expired(collected: Collected, now: float) -> None:
    """Leave out pages so old that they may be gone, or go while they are written: their events are late."""
    for page in [page for page in collected.pages if not pages.is_kept(page.hour, now)]:
        collected.late += sum(map(len, collected.pages.pop(page).values()))


# Counts


def united(parts: Iterable[Mapping[str, set[bytes]]]) -> dict[str, int]:
    """How many digests each set of one page has; a digest that stands in two parts of the page is one."""
    whole: Sets = {}
    for part in parts:
        for name, digests in part.items():
            known = whole.get(name)
            whole[name] = digests if known is None else known | digests
    return {name: len(digests) for name, digests in whole.items()}


def tally(sizes: Iterable[tuple[str, int]]) -> Tallies:
    """Counts by subject, from (attribute name, number of events). The pages of an hour may name a set many times."""
    tallies: Tallies = {}
    for name, size in sizes:
        kind, image, ranking = pages.parts(name)
        place = KINDS.index(kind)
        for subject in _subjects(image, ranking):
            tallies.setdefault(subject, [0, 0, 0, 0])[place] += size
    return tallies


def _subjects(image: str, ranking: str) -> tuple[str, ...]:
    alone = EVERYTHING, image_subject(image)
    return (*alone, ranking_subject(ranking), ranking_subject(ranking, image)) if ranking else alone


def image_subject(image: str) -> str:
    return f"i{image}"


def ranking_subject(ranking: str, image: str = "") -> str:
    """A ranking as a whole, or one image in it."""
    return f"r{ranking}{image}"


def add(into: Four, more: Sequence[int]) -> None:
    for place, value in enumerate(more):
        into[place] += value


def merge(into: Tallies, more: Tallies) -> None:
    for subject, four in more.items():
        add(into.setdefault(subject, [0, 0, 0, 0]), four)
