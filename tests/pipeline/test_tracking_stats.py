"""What may be asked of the counts, and what is told when a part of counting fails."""

from __future__ import annotations

import random
import time

import pytest
from botocore.exceptions import ClientError

from chalicelib import aws, contract, log
from chalicelib.errors import BadRequest, NotFound
from chalicelib.store import AccountStore
from chalicelib.tracking import consume, pages, rollup, stats
from tests.pipeline.tracking_world import ACCOUNT, IMAGES, START, Cloud, ask, bodies, event, four, refusal, uuid7

NOW = START + 1800


@pytest.fixture
def store(monkeypatch):
    cloud = Cloud()
    monkeypatch.setattr(aws, "client", lambda service: cloud.client(service))
    store = AccountStore(ACCOUNT)
    store.put("image", IMAGES[0], {"id": IMAGES[0]})
    return store


@pytest.fixture
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr(log, "_emit", lines.append)
    return lines


def count(second):
    happened = event(uuid7(second, random.Random(second)), second, second)
    consume.count(bodies([happened]), [str(second)], NOW)


def test_questions_about_nothing_that_is_known_are_refused(store):
    with pytest.raises(NotFound):
        ask(image="01kz0000000000000000000007")
    with pytest.raises(NotFound):
        ask(ranking="other")
    with pytest.raises(BadRequest):
        ask(image=IMAGES[0], ranking="other")
    with pytest.raises(BadRequest):
        ask(from_="2026-11-22", to="2026-11-21")
    with pytest.raises(BadRequest):
        ask(from_="2026-02-30")
    with pytest.raises(BadRequest):
        ask(from_="2024-11-22", interval="day")


@pytest.mark.parametrize(("query", "days"), [({}, 62), ({"image": IMAGES[0]}, 62), ({"collection": "shoes"}, 14)])
def test_hours_are_told_of_as_many_days_as_can_be_read_at_once(store, query, days):
    last = START + 12 * 3600
    first = last - days * 86_400
    span = {"from_": rollup.day_name(first), "to": rollup.day_name(last)}
    assert len(ask(**span, **query).series) == days * 24
    with pytest.raises(BadRequest, match=f"At most {days} days by hour"):
        ask(**{**span, "from_": rollup.day_name(first - 86_400)}, **query)


def test_without_a_span_the_last_week_is_told_in_whole_days(store):
    found = stats.stats(store, contract.StatsQuery(), NOW)
    assert (found.series[0].at, found.series[-1].at) == ("2026-11-15T00:00:00Z", "2026-11-22T00:00:00Z")


def test_an_hour_that_cannot_be_rolled_up_is_raised_when_the_others_are_done(store, logged, monkeypatch):
    hours = [pages.hour_of(NOW) - 3600 * back for back in range(3)]
    for hour in hours:
        count(hour + 60)
    roll_hour = rollup.roll_hour

    def refuse_one(of, hour, now):
        if hour == hours[1]:
            raise refusal("ValidationException")
        roll_hour(of, hour, now)

    monkeypatch.setattr(rollup, "roll_hour", refuse_one)
    with pytest.raises(ClientError):
        rollup.roll_up(NOW + 7200)
    assert list(rollup.dirty(store)) == [hours[1]]
    assert four(ask().totals) == (3, 0, 0, 0)


def test_the_lag_holds_the_time_that_counting_took(store, logged, monkeypatch):
    passing = iter(range(100, 1000, 7))
    monkeypatch.setattr(time, "monotonic", lambda: next(passing))
    count(NOW - 20)
    [lag] = [line["CounterLagSeconds"] for line in logged if "CounterLagSeconds" in line]
    assert lag == 27
