"""Quiet hours: the part of a recipient's day in which nothing is sent to them.

Clock readings of their own time zone, from the first up to but without the second; they may span midnight. Where a
clock is set back, a reading that comes twice is quiet twice; where it is set forward over the end, the quiet ends as
much later as the clock jumped.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Annotated

import msgspec

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Reading = Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]
MINUTES_OF_DAY = 24 * 60


class Hours(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """{"from": "22:00", "to": "07:00"}: 00:00 to 23:59, and never the same twice."""

    start: Reading
    end: Reading

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError("Quiet hours end at another time than they start; leave them out for none.")

    def hold(self, minute: int) -> bool:
        """Whether a minute of the day, 0-1439, is quiet."""
        start, end = minutes(self.start), minutes(self.end)
        return (minute - start) % MINUTES_OF_DAY < (end - start) % MINUTES_OF_DAY


def minutes(reading: str) -> int:
    """Minutes since midnight of "22:30"."""
    return int(reading[:2]) * 60 + int(reading[3:])


def zone_name(text: str) -> str:
    """The name of a time zone, if it is one of the IANA database. Raises ValueError."""
    if text not in _zone_names():
        raise ValueError(f"There is no time zone {text[:40]!r}; its name is as Europe/Berlin or UTC.{_similar(text)}")
    return text


def quiet_until(now: float, timezone: str, hours: Hours) -> float | None:
    """When the quiet hours that hold now end, in seconds since 1970; None outside them.

    Raises ValueError for an unknown zone.
    """
    zone = _zone(timezone)
    if not _quiet(now, zone, hours):
        return None
    return next(end for end in _ends(now, zone, hours) if end > now and not _quiet(end, zone, hours))


def _quiet(moment: float, zone: ZoneInfo, hours: Hours) -> bool:
    local = datetime.fromtimestamp(moment, zone)
    return hours.hold(local.hour * 60 + local.minute)


def _ends(now: float, zone: ZoneInfo, hours: Hours) -> list[float]:
    """Every moment of this day and the next two at which the clock reads the end: none, one or two a day, ascending."""
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    readings = [today + timedelta(days=day, minutes=minutes(hours.end)) for day in range(3)]
    return sorted(reading.replace(fold=fold).timestamp() for reading in readings for fold in (0, 1))


@cache
def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo

    return ZoneInfo(zone_name(name))


@cache
def _zone_names() -> frozenset[str]:
    """Of the package tzdata, so that every machine knows the same ones; a system's own may be old, or not there."""
    from importlib.resources import files

    return frozenset(files("tzdata").joinpath("zones").read_text().split()) - {"Factory"}


def _similar(text: str) -> str:
    from difflib import get_close_matches

    by_lower = {name.lower(): name for name in _zone_names()}
    close = get_close_matches(text[:40].lower(), by_lower, n=1, cutoff=0.8)
    return f" Did you mean {by_lower[close[0]]}?" if close else ""
