from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.push.quiet import Hours, _zone_names, minutes, quiet_until, zone_name

NIGHT = Hours("22:00", "07:00")
BERLIN = "Europe/Berlin"
ZONES = sorted(_zone_names())
readings = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
spans = st.tuples(readings, readings).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: Hours(*pair))


def at(text: str, zone: str = BERLIN, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def minute_of_day(moment: float, zone: str) -> int:
    local = datetime.fromtimestamp(moment, ZoneInfo(zone))
    return local.hour * 60 + local.minute


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-22T21:59:59", None),
        ("2026-11-22T22:00:00", "2026-11-23T07:00:00"),
        ("2026-11-23T00:00:00", "2026-11-23T07:00:00"),
        ("2026-11-23T06:59:59", "2026-11-23T07:00:00"),
        ("2026-11-23T07:00:00", None),
    ],
)
def test_a_night_spans_midnight(now, until):
    assert quiet_until(at(now), BERLIN, NIGHT) == (until and at(until))


def test_the_hours_are_those_of_the_recipients_own_zone():
    noon_in_tokyo = at("2026-11-22T12:00", "Asia/Tokyo")
    assert quiet_until(noon_in_tokyo, "Asia/Tokyo", NIGHT) is None
    assert quiet_until(noon_in_tokyo, "America/New_York", NIGHT) == at("2026-11-22T07:00", "America/New_York")


def test_a_night_is_an_hour_shorter_when_clocks_go_forward():
    start = at("2026-03-28T22:00")
    assert (quiet_until(start, BERLIN, NIGHT) or 0) - start == 8 * 3600


def test_a_night_is_an_hour_longer_when_clocks_go_back():
    start = at("2026-10-24T22:00")
    assert (quiet_until(start, BERLIN, NIGHT) or 0) - start == 10 * 3600


def test_an_end_that_the_clock_leaps_over_comes_later_by_the_leap():
    assert quiet_until(at("2026-03-29T01:30"), BERLIN, Hours("22:00", "02:30")) == at("2026-03-29T03:30")


def test_an_end_that_comes_twice_ends_both_times():
    hours = Hours("02:10", "02:30")
    assert quiet_until(at("2026-10-25T02:15"), BERLIN, hours) == at("2026-10-25T02:30")
    assert quiet_until(at("2026-10-25T02:15", fold=1), BERLIN, hours) == at("2026-10-25T02:30", fold=1)


def test_a_day_that_a_country_skipped_is_no_trouble():
    before = at("2011-12-29T23:00", "Pacific/Apia")
    assert quiet_until(before, "Pacific/Apia", NIGHT) == at("2011-12-31T07:00", "Pacific/Apia")


@given(st.floats(0, 4e9), st.sampled_from(ZONES), spans)
def test_quiet_hours_end_outside_quiet_hours_within_two_days(now, zone, hours):
    until = quiet_until(now, zone, hours)
    assert hours.hold(minute_of_day(now, zone)) == (until is not None)
    if until is not None:
        assert not hours.hold(minute_of_day(until, zone))
        assert now < until <= now + timedelta(hours=49).total_seconds()
        assert quiet_until(until, zone, hours) is None


@given(st.floats(0, 4e9), spans)
def test_where_clocks_never_change_the_end_is_the_next_such_reading(now, hours):
    until = quiet_until(now, "UTC", hours)
    if until is not None:
        assert 0 < until - now <= 24 * 3600
        assert until % (24 * 3600) == minutes(hours.end) * 60


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Asia/Kathmandu", "Etc/GMT+5"]
)
def test_a_zone_of_the_database_is_taken(name):
    assert zone_name(name) == name
    assert quiet_until(0, name, NIGHT) is None or quiet_until(0, name, NIGHT) > 0


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Europe",
        "europe/berlin",
        "Mars/Olympus",
        "../../etc/passwd",
        "localtime",
        "Factory",
        "CEST",
        "x" * 500,
        "a\0b",
    ],
)
def test_another_zone_is_refused(name):
    with pytest.raises(ValueError, match="no time zone"):
        zone_name(name)
    with pytest.raises(ValueError, match="no time zone"):
        quiet_until(0, name, NIGHT)


def test_the_zone_that_was_meant_is_named():
    with pytest.raises(ValueError, match="Did you mean Europe/Berlin"):
        zone_name("europe/berln")


def test_every_zone_opens():
    assert all(zone_name(name) and ZoneInfo(name) for name in ZONES)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ('{"from":"22:00","to":"24:00"}', r"\$\.to"),
        ('{"from":"9:00","to":"10:00"}', r"\$\.from"),
        ('{"from":"22:00\\n","to":"10:00"}', r"\$\.from"),
        ('{"from":"22:00","to":"22:00"}', "another time"),
        ('{"from":"22:00"}', "`to`"),
        ('{"from":22,"to":7}', r"\$\.from"),
        ('{"from":"22:00","to":"07:00","days":[1]}', "days"),
    ],
)
def test_hours_that_are_none_are_refused_by_field(sent, field):
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.json.decode(sent, type=Hours)


def test_hours_are_written_as_they_were_read():
    sent = b'{"from":"22:00","to":"07:00"}'
    assert msgspec.json.encode(msgspec.json.decode(sent, type=Hours)) == sent
