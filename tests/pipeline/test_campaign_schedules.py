"""Campaigns under hostile schedules: at most once is at most once, nobody is lost, and the counts are the rows."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from greenlet import greenlet

from chalicelib import aws, bus, lean, log, notices, statements
from chalicelib.push import campaigns, chunks, recipients
from chalicelib.push.chunks import Move, Row
from tests.pipeline.campaign_world import CAMPAIGN, Schedule

SCHEDULES = 4_000  # the first of the 10,000 that `make bench-push` runs
PORTIONS = 8
POLICIES = ("at_most_once", "at_least_once")
CHUNK = chunks.key(CAMPAIGN, 0, 0, "sms")
NOW = 1_795_348_800


@pytest.fixture
def imagine(monkeypatch):
    """imagine(seed, delivery): a new campaign in a cloud in memory, where no time is lost by waiting."""
    at_once = SimpleNamespace(sleep=lambda _seconds: None)
    for module in (statements, chunks):
        monkeypatch.setattr(module, "time", at_once)
    monkeypatch.setattr(log, "_emit", lambda _line: None)
    monkeypatch.setattr(notices, "campaign_completed", lambda *_: None)

    def make(seed=0, delivery="at_most_once"):
        schedule = Schedule(seed, delivery)
        monkeypatch.setattr(aws, "client", schedule.client)
        monkeypatch.setattr(lean, "post", schedule.post)
        for name in ("load", "block_sms", "disable_device"):
            monkeypatch.setattr(recipients, name, getattr(schedule, name))
        bus.queue_url.cache_clear()
        return schedule

    yield make
    bus.queue_url.cache_clear()


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_thousands_of_random_schedules_end_as_they_must(imagine, portion):
    """Planners and senders at the same time; deaths, lost answers, late requests, throttles, pauses, wrong clocks."""
    deaths = published = 0
    for seed in range(portion * SCHEDULES // PORTIONS, (portion + 1) * SCHEDULES // PORTIONS):
        schedule = imagine(seed, POLICIES[seed % 2])
        schedule.run()
        assert schedule.check() == [], seed
        deaths += schedule.deaths
        published += schedule.sns.sent.total()
    assert deaths > SCHEDULES // PORTIONS / 2
    assert published > SCHEDULES // PORTIONS


@pytest.fixture
def calm(imagine):
    """A cloud without trouble, with one chunk of two rows."""
    schedule = imagine()
    schedule.calm, schedule.plan = True, {CHUNK: []}
    chunks.write(schedule.store, CHUNK, [Row("u1", text="Hi"), Row("u2", text="Hi")], NOW)
    return schedule


def claim(token, recipient="u1", state="planned"):
    return Move(recipient, "sending", NOW, state=state, new_token=token)


def counting(schedule, requests):
    """Somebody who counts the chunk, stopped after so many halves of requests: 5 lead up to the write."""
    worker = greenlet(lambda: chunks.settle(schedule.store, CHUNK))
    for _ in range(requests):
        worker.switch()
    return worker


def finish(worker):
    while not worker.dead:
        worker.switch()


@pytest.mark.parametrize("requests", range(1, 6))
def test_a_count_that_was_overtaken_does_not_undo_the_newer_one(calm, requests):
    first = counting(calm, requests)
    chunks.move(calm.store, CHUNK, [claim("t1")])
    chunks.settle(calm.store, CHUNK)
    finish(first)
    assert calm.counts(CHUNK) == {"planned": 1, "sending": 1}


@pytest.mark.parametrize("requests", range(1, 6))
def test_a_count_that_an_older_one_was_quicker_than_is_made_again(calm, requests):
    older = counting(calm, 5)
    chunks.move(calm.store, CHUNK, [claim("t1")])
    newer = counting(calm, requests)
    finish(older)
    finish(newer)
    assert calm.counts(CHUNK) == {"planned": 1, "sending": 1}


def test_a_claim_whose_answer_was_lost_is_the_claimers(calm):
    chunks.move(calm.store, CHUNK, [claim("mine")])
    assert chunks.move(calm.store, CHUNK, [claim("mine")]) == [True]
    assert chunks.move(calm.store, CHUNK, [claim("another's")]) == [False]


def test_a_return_to_planned_that_comes_late_does_not_undo_the_next_claim(calm):
    late = Move("u1", "planned", NOW, state="sending", token="t1", tried=0)
    chunks.move(calm.store, CHUNK, [claim("t1")])
    chunks.move(calm.store, CHUNK, [late])
    chunks.move(calm.store, CHUNK, [claim("t2")])
    assert chunks.move(calm.store, CHUNK, [late]) == [False]
    assert [row.state for row in chunks.rows(calm.store, CHUNK)] == ["sending", "planned"]


def test_who_outlived_the_lease_still_records_what_was_sent(calm):
    chunks.move(calm.store, CHUNK, [claim("t1")])
    chunks.move(calm.store, CHUNK, [Move("u1", "unknown", NOW, state="sending", token="t1")])
    assert chunks.move(calm.store, CHUNK, [Move("u1", "sent", NOW, token="t1")]) == [True]


def test_planning_again_leaves_rows_that_moved_as_they_are(calm):
    chunks.move(calm.store, CHUNK, [claim("t1")])
    chunks.write(calm.store, CHUNK, [Row("u1", text="Hi"), Row("u2", text="Hi")], NOW)
    assert [row.state for row in chunks.rows(calm.store, CHUNK)] == ["sending", "planned"]


def test_a_lease_that_a_wrong_clock_took_for_hours_does_not_hold(calm):
    assert chunks.claim(calm.store, CHUNK, "first", NOW + 7200, 150) is not None
    assert chunks.claim(calm.store, CHUNK, "second", NOW, 150) is not None


def test_a_lease_holds_for_its_time(calm):
    chunks.claim(calm.store, CHUNK, "first", NOW, 150)
    with pytest.raises(chunks.Held) as held:
        chunks.claim(calm.store, CHUNK, "second", NOW + 149, 150)
    assert held.value.until == NOW + 150
    assert chunks.claim(calm.store, CHUNK, "second", NOW + 150, 150) is not None


def test_a_campaign_without_anybody_to_send_to_completes(imagine):
    schedule = imagine()
    schedule.plan, schedule.people = {}, {}
    schedule.run()
    assert schedule.check() == []
    assert campaigns.ENDED[1] == schedule.head()["state"]
