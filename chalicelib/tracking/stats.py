"""`GET /stats`: what was counted of an image, a ranking, a collection or the whole account.

A day that compaction has confirmed is read from its own rows, every other one from its hours; a dirty hour from its
pages, every other one from its rows. Marks are read first: an hour found clean has its rows, whatever happens then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from chalicelib import contract
from chalicelib.errors import BadRequest, NotFound
from chalicelib.store import AccountStore
from chalicelib.tracking import counts, pages, rollup
from chalicelib.tracking.counts import Four, Tallies
from chalicelib.tracking.pages import DAY, HOUR

DEFAULT_SECONDS = 7 * DAY
MAX_DAYS = 400
MAX_DAYS_BY_HOUR = 62  # 1,488 points
MAX_DAYS_BY_HOUR_OF_COLLECTION = 14  # its images may be in every shard, each of which is read


class Scope(msgspec.Struct, frozen=True):
    """Whose counts are asked for. images: in whose groups of pages they are; None for all."""

    subjects: frozenset[str]
    images: frozenset[str] | None = None

    def shards(self) -> list[str]:
        return sorted({rollup.shard_of(subject) for subject in self.subjects})

    def groups(self, number: int) -> list[int]:
        if self.images is None:
            return list(range(number))
        return sorted({pages.group_of(image, number) for image in self.images})


class Span(msgspec.Struct, frozen=True):
    """first, last: Unix seconds, whole intervals of `step` seconds; `last` is excluded."""

    first: int
    last: int
    step: int

    def __contains__(self, second: int) -> bool:
        return self.first <= second < self.last


EVERYTHING = Scope(frozenset({counts.EVERYTHING}))


def stats(store: AccountStore, query: contract.StatsQuery, now: float) -> contract.Stats:
    """Raises BadRequest, and NotFound for an image or a ranking that the account does not have."""
    scope, span = scope_of(store, query), span_of(query, now)
    series = {second: [0, 0, 0, 0] for second in range(span.first, span.last, span.step)}
    for by_subject in read(store, scope, span).values():
        for second, four in by_subject.items():
            counts.add(series[second - second % span.step], four)
    totals = [sum(column) for column in zip(*series.values(), strict=True)]
    return contract.Stats(
        series=[_point(_moment(second), *four) for second, four in series.items()],
        totals=contract.Counts(*totals),
        ctr=totals[1] / totals[0] if totals[0] else None,
        # Hours are told by the live counters, which never see what came too late.
        exact_until=exact_until(store) if span.step == DAY else None,
    )


def _point(at: str, impressions: int, clicks: int, submits: int, conversions: int) -> contract.StatsPoint:
    return contract.StatsPoint(at=at, impressions=impressions, clicks=clicks, submits=submits, conversions=conversions)


def exact_until(store: AccountStore) -> str | None:
    """The end of the last day that compaction has confirmed."""
    newest = store.newest("counts", rollup.TOTAL, "D#")
    return _moment(rollup.second_of(newest["sk"][2:]) + DAY) if newest else None


def sums(store: AccountStore, scope: Scope, first: float, last: float) -> Tallies:
    """The counts of each of the scope's subjects in the whole days that touch the time from `first` to `last`."""
    span = Span(int(first // DAY) * DAY, -int(-last // DAY) * DAY, DAY)
    return {subject: _sum(by_time.values()) for subject, by_time in read(store, scope, span).items()}


def image_scope(images: Iterable[str]) -> Scope:
    known = frozenset(images)
    return Scope(frozenset(map(counts.image_subject, known)), known)


def ranking_scope(ranking: str, images: Iterable[str] = ()) -> Scope:
    """A ranking as a whole; or, with `images`, each of them in this ranking (`counts.ranking_subject`)."""
    inside = frozenset(counts.ranking_subject(ranking, image) for image in images)
    return Scope(inside or frozenset({counts.ranking_subject(ranking)}))


# What is asked for


def scope_of(store: AccountStore, query: contract.StatsQuery) -> Scope:
    if sum(bool(each) for each in (query.image, query.ranking, query.collection)) > 1:
        raise BadRequest("Ask for an image, a ranking or a collection, not for two of them.", field="image")
    if query.image:
        return image_scope([_known(store, "image", query.image)])
    if query.ranking:
        return ranking_scope(_known(store, "ranking", query.ranking))
    if query.collection:
        return image_scope(store.every_key("image", query.collection))
    return EVERYTHING


def _known(store: AccountStore, kind: str, identifier: str) -> str:
    if "/" in identifier or store.get(kind, identifier) is None:
        raise NotFound(f"There is no such {kind}.", field=kind)
    return identifier


def span_of(query: contract.StatsQuery, now: float) -> Span:
    step = HOUR if query.interval == "hour" else DAY
    last = _second(query.to, "to") if query.to else now
    first = _second(query.from_, "from") if query.from_ else last - DEFAULT_SECONDS
    span = Span(int(first // step) * step, -int(-last // step) * step, step)
    if first > last:
        raise BadRequest("`from` lies after `to`.", field="from")
    most = _most_days(query, step)
    if span.last - span.first > most * DAY + step:
        whose = " of a collection" if query.collection else ""
        raise BadRequest(f"At most {most} days by {query.interval}{whose}.", field="from")
    return span


def _most_days(query: contract.StatsQuery, step: int) -> int:
    if step == DAY:
        return MAX_DAYS
    return MAX_DAYS_BY_HOUR_OF_COLLECTION if query.collection else MAX_DAYS_BY_HOUR


def _second(text: str, field: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadRequest("Not a date or a time, such as 2026-11-22 or 2026-11-22T10:00Z.", field=field) from None


def _moment(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z")


# Reading

# The counts of each subject by the second at which their hour or day begins.
BySubject = dict[str, dict[int, Four]]


def read(store: AccountStore, scope: Scope, span: Span) -> BySubject:
    """The counts of the scope's subjects; those without any are left out. Days are taken where the step is a day."""
    found: BySubject = {}
    dirty = [hour for hour in rollup.dirty(store) if hour in span]
    days = _days(store, scope, span, found) if span.step == DAY else frozenset[int]()
    hours = [hour for hour in range(span.first, span.last, HOUR) if hour - hour % DAY not in days]
    if not hours:
        return found
    live = frozenset(dirty).intersection(hours)
    closed = frozenset(hours) - live
    for second, tallies in _rows(store, scope, "H#", hours[0], hours[-1], rollup.hour_name):
        if second in closed:
            _enter(found, scope, second, tallies)
    known = rollup.layouts(store) if live else []
    for hour in live:
        groups = scope.groups(pages.layout_at(known, hour).groups)
        for sizes in rollup.set_sizes(store, hour, groups):
            _enter(found, scope, hour, counts.tally(sizes.items()))
    return found


def _days(store: AccountStore, scope: Scope, span: Span, found: BySubject) -> frozenset[int]:
    """Enter the counts of the days that compaction has confirmed, and say which they are."""
    last = span.last - DAY
    canonical = frozenset(day for day, _ in _rows(store, EVERYTHING, "D#", span.first, last, rollup.day_name))
    if canonical:
        for day, tallies in _rows(store, scope, "D#", span.first, last, rollup.day_name):
            if day in canonical:
                _enter(found, scope, day, tallies)
    return canonical


def _rows(
    store: AccountStore, scope: Scope, prefix: str, first: int, last: int, name: Callable[[int], str]
) -> Iterator[tuple[int, Tallies]]:
    """(second, counts) of the rows that hold the scope's subjects, for the hours or days from `first` to `last`."""
    for shard in scope.shards():
        for item in store.between("counts", shard, prefix + name(first), f"{prefix}{name(last)}#~"):
            yield rollup.second_of(item["sk"].split("#")[1]), rollup.unpack(item)


def _enter(found: BySubject, scope: Scope, second: int, tallies: Mapping[str, Four]) -> None:
    for subject in scope.subjects & tallies.keys():
        counts.add(found.setdefault(subject, {}).setdefault(second, [0, 0, 0, 0]), tallies[subject])


def _sum(fours: Iterable[Four]) -> Four:
    return [sum(column) for column in zip(*fours, strict=True)]
