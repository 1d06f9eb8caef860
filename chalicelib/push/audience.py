"""Who a campaign is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from chalicelib.push.game import Standing

Scalar = Annotated[str, msgspec.Meta(max_length=500)] | int | float | bool
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Addressee(Protocol):
    """What of a recipient is looked at."""

    @property
    def id(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, Any]: ...


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All that is given must hold; nothing given is everybody.

    attributes: {"city": "Berlin", "tier": ["gold", "silver"]}; a list means any of these. Kinds are told apart: "1",
    1 and true differ, while 1 and 1.0 are one number, as in JSON. An attribute that is a list has each of its values.
    level, badge: names of the game. max_rank: 10 for the first ten and whoever ties with the tenth.
    Whoever has no standing fits no filter on standings.
    """

    ids: Annotated[frozenset[Id], msgspec.Meta(min_length=1, max_length=10_000)] | None = None
    attributes: Annotated[
        dict[Name, Scalar | Annotated[list[Scalar], msgspec.Meta(min_length=1, max_length=100)]],
        msgspec.Meta(min_length=1, max_length=20),
    ] | None = None  # fmt: skip
    level: Name | None = None
    badge: Name | None = None
    min_points: Annotated[int, msgspec.Meta(ge=-(10**15), le=10**15)] | None = None
    max_rank: Annotated[int, msgspec.Meta(ge=1, le=10**9)] | None = None

    @property
    def needs_standing(self) -> bool:
        return any(each is not None for each in (self.level, self.badge, self.min_points, self.max_rank))


def matches(wanted: Filter, recipient: Addressee, standing: Standing | None) -> bool:
    if wanted.ids is not None and recipient.id not in wanted.ids:
        return False
    if wanted.needs_standing and not (standing is not None and _stands(wanted, standing)):
        return False
    return all(
        not _told_apart(value).isdisjoint(_told_apart(recipient.attributes.get(name)))
        for name, value in (wanted.attributes or {}).items()
    )


def _stands(wanted: Filter, standing: Standing) -> bool:
    return (
        (wanted.level is None or standing.level == wanted.level)
        and (wanted.badge is None or wanted.badge in standing.badges)
        and (wanted.min_points is None or standing.points >= wanted.min_points)
        and (wanted.max_rank is None or standing.rank <= wanted.max_rank)
    )


def _told_apart(value: Any) -> frozenset[tuple[str, Any]]:
    """The values of an attribute with their kinds, since True == 1 in Python; none of null or a mapping."""
    values = value if isinstance(value, list | tuple) else [value]
    return frozenset((_kind(each), each) for each in values if isinstance(each, str | int | float))


def _kind(value: str | float) -> str:
    if isinstance(value, bool):
        return "bool"
    return "text" if isinstance(value, str) else "number"
