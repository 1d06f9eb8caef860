"""The game: points for tracked events, levels and badges for points, seasons.

    {"points": {"click": 1, "Goal Reached": 50, "refund": -20},
     "levels": [{"name": "Bronze", "from_points": 0}, {"name": "Silver", "from_points": 500}],
     "badges": [{"name": "Century", "points": 100}, {"name": "Regular", "event": "click", "count": 30}],
     "seasons": [{"name": "Winter", "starts": "2026-12-01", "ends": "2027-02-28"}]}

Events are told apart by `event_key`: their kind where the tracking counts one ("click" and "Image Clicked" are one),
else their name in small letters. Points sum up and may fall below zero. Whoever has fewer points than the first level
asks for has no level. A badge is held while its condition holds. With seasons, only the days of the present one count,
or of the last one between two; days are of UTC, the first and the last included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from itertools import pairwise
from typing import Annotated

import msgspec

from chalicelib.tracking.event import KINDS, kind_of

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"\S")]
Points = Annotated[int, msgspec.Meta(ge=-1000, le=1000)]
Threshold = Annotated[int, msgspec.Meta(ge=0, le=10**12)]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the rules: an unknown field is refused."""


class Badge(Rule, frozen=True):
    """For so many points, or for an event that happened so often: one of the two."""

    name: Name
    points: Annotated[int, msgspec.Meta(ge=1, le=10**12)] | None = None
    event: Name | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=10**12)] | None = None

    def __post_init__(self) -> None:
        if (self.event is None) != (self.count is None) or (self.points is None) == (self.event is None):
            raise ValueError(f"The badge {self.name!r} needs either points, or event and count")


class Level(Rule, frozen=True):
    name: Name
    from_points: Threshold


class Season(Rule, frozen=True):
    """starts, ends: days of UTC, both included."""

    name: Name
    starts: date
    ends: date

    def __post_init__(self) -> None:
        if self.ends < self.starts:
            raise ValueError(f"The season {self.name!r} ends on {self.ends}, before it starts on {self.starts}")


class Rules(Rule, frozen=True):
    """See the module. Levels stand in rising order; names are unique in each list; seasons share no day."""

    points: Annotated[dict[Name, Points], msgspec.Meta(max_length=200)] = {}
    badges: Annotated[list[Badge], msgspec.Meta(max_length=100)] = []
    levels: Annotated[list[Level], msgspec.Meta(max_length=100)] = []
    seasons: Annotated[list[Season], msgspec.Meta(max_length=100)] = []

    def __post_init__(self) -> None:
        _refuse_one_event_twice(self.points)
        for field, names in (("badges", self.badges), ("levels", self.levels), ("seasons", self.seasons)):
            _refuse_twice(field, [each.name for each in names])
        _refuse_falling(self.levels)
        _refuse_overlap(self.seasons)


class Score(msgspec.Struct, frozen=True):
    points: int
    level: str | None
    badges: tuple[str, ...]


class Standing(msgspec.Struct, frozen=True):
    """One recipient in a snapshot. rank: from 1. movement: places climbed since the one before; None for newcomers."""

    points: int
    rank: int
    level: str | None = None
    badges: tuple[str, ...] = ()
    movement: int | None = None


def event_key(name: str) -> str:
    """Under which an event is tallied: "click", "impression", "submit", "conversion", or its name in small letters."""
    name = name.strip()
    return KINDS.get(kind_of(name) or "") or name.lower()


def scorer(rules: Rules) -> Callable[[Mapping[str, int]], Score]:
    """What turns a recipient's tally, {event_key: count}, into their score."""
    worth = {event_key(name): points for name, points in rules.points.items()}
    badges = [(badge, event_key(badge.event or "")) for badge in rules.badges]

    def score(tally: Mapping[str, int]) -> Score:
        points = sum(each * tally.get(key, 0) for key, each in worth.items())
        held = tuple(badge.name for badge, key in badges if _holds(badge, points, tally.get(key, 0)))
        return Score(points, level_of(rules, points), held)

    return score


def level_of(rules: Rules, points: int) -> str | None:
    return next((level.name for level in reversed(rules.levels) if points >= level.from_points), None)


def season_of(rules: Rules, today: date) -> Season | None:
    """The season of this day, or the last one before it; None before the first, and where there are none."""
    begun = [season for season in rules.seasons if season.starts <= today]
    return max(begun, key=lambda season: season.starts, default=None)


def ranks(points: Iterable[int]) -> Iterator[int]:
    """Ranks of points that come from the most to the fewest: 9, 7, 7, 5 are 1, 2, 2, 4 ("1224").

    Raises ValueError for points that rise.
    """
    rank, before = 0, None
    for place, each in enumerate(points, 1):
        if before is not None and each > before:
            raise ValueError("Ranks need the points from the most to the fewest.")
        if each != before:
            rank, before = place, each
        yield rank


def movement(before: int | None, now: int) -> int | None:
    """Places climbed (below zero: fallen) from one rank to another; None for whoever had no rank."""
    return None if before is None else before - now


def _holds(badge: Badge, points: int, count: int) -> bool:
    if badge.points is not None:
        return points >= badge.points
    return badge.count is not None and count >= badge.count


def _refuse_one_event_twice(points: Mapping[str, int]) -> None:
    seen: dict[str, str] = {}
    for name in points:
        if (other := seen.setdefault(event_key(name), name)) != name:
            raise ValueError(f"In `points`, {other!r} and {name!r} are the same event")


def _refuse_twice(field: str, names: list[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"In `{field}`, the name {twice[0]!r} stands more than once")


def _refuse_falling(levels: list[Level]) -> None:
    for place, (low, high) in enumerate(pairwise(levels), 1):
        if high.from_points <= low.from_points:
            field = f"`levels[{place}].from_points`"
            raise ValueError(f"{field} is {high.from_points}, and must be more than the {low.from_points} before it")


def _refuse_overlap(seasons: list[Season]) -> None:
    for first, second in pairwise(sorted(seasons, key=lambda season: season.starts)):
        if second.starts <= first.ends:
            raise ValueError(f"In `seasons`, {first.name!r} and {second.name!r} share {second.starts}")
