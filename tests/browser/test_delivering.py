"""/track.js in a real browser: nothing is lost when the server, the network or the page fails."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from datetime import datetime
from functools import partial

import pytest
from playwright.sync_api import Error

from tests.browser.recorder import BROKEN, KEY, leave

STORED = f"Object.entries(localStorage).filter(([name]) => name.startsWith('proofsheet:{KEY}:'))"
NO_STORAGE = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})"


@pytest.fixture
def quiet(visit):
    """A page in a window so low that no image is seen."""
    return partial(visit, height=100)


def send(page, count=10, text=""):
    """Events of the page's own; ten leave at once."""
    page.evaluate(
        "([count, text]) => { for (let i = 0; i < count; i++) proofsheet.track('Own', {i, text}) }", [count, text]
    )


def stored(page):
    """The events that wait in the browser's storage."""
    return [line for _, batch in sorted(page.evaluate(STORED)) for line in batch.split("\n")[1:]]


def nothing_stored(page, seconds=10):
    """Whether the storage is empty soon: the page hears of an answer somewhat later than we have sent it."""
    end = time.monotonic() + seconds
    while stored(page) and time.monotonic() < end:
        page.wait_for_timeout(50)
    return stored(page) == []


def once_all(events, count):
    """Whether so many different events came, each once."""
    times = Counter(event["messageId"] for event in events)
    return len(times) == count and set(times.values()) == {1}


def failing(times, status):
    """An answer that fails so often, and then no more."""
    calls = itertools.count()
    return lambda _text: status if next(calls) < times else 204


@pytest.mark.parametrize("status", [503, BROKEN])
def test_a_batch_that_failed_is_sent_again_as_it_was(quiet, sent, status):
    sent.answer = failing(2, status)
    page = quiet()
    send(page)
    assert once_all(sent.until(10, seconds=15), 10)
    first, *again = [request.body for request in sent.requests]
    assert len(again) == 2
    assert all(body["batch"] == first["batch"] for body in again)
    assert all(body["sentAt"] > first["sentAt"] for body in again)
    assert nothing_stored(page)


def test_the_server_says_when_to_come_again(quiet, sent):
    sent.answer = failing(1, 429)
    sent.retry_after = "3"
    page = quiet()
    send(page)
    start = time.monotonic()
    sent.until(10)
    assert time.monotonic() - start > 3


def test_new_events_wait_while_the_server_is_down(quiet, sent):
    sent.answer = failing(1, 503)
    page = quiet()
    send(page, 40)
    sent.until_asked(1)
    page.wait_for_timeout(200)
    tried = len(sent.requests)
    assert once_all(sent.until(40), 40)
    assert tried == 1


def test_a_key_that_is_refused_is_not_asked_for_again(quiet, sent):
    sent.answer = lambda _text: 401
    page = quiet()
    send(page)
    page.wait_for_timeout(2500)
    assert len(sent.requests) == 1
    assert nothing_stored(page)


def test_an_event_that_the_server_refuses_is_split_from_its_neighbors(quiet, sent):
    sent.answer = lambda text: 400 if "poison" in text else 204
    page = quiet()
    send(page, 4)
    page.evaluate("proofsheet.track('poison')")
    send(page, 5)
    assert once_all(sent.until(9), 9)
    assert nothing_stored(page)


def test_what_a_page_could_not_send_the_next_one_sends(quiet, sent):
    sent.answer = lambda _text: 503
    page = quiet()
    send(page)
    sent.until_asked(1)
    sent.answer = lambda _text: 204
    page.reload()
    assert once_all(sent.until(10, seconds=2), 10)
    assert sent.requests[1].body["batch"] == sent.requests[0].body["batch"]


def test_events_of_a_visitor_who_was_offline_come_with_the_next_page(quiet, visitor, sent, shop):
    page = quiet()
    visitor.set_offline(True)
    page.click("img >> nth=0")
    send(page, 12)
    page.wait_for_timeout(200)
    page.close(run_before_unload=True)
    visitor.set_offline(False)
    none_yet = len(sent.requests)
    page = quiet()
    assert once_all(sent.until(13), 13)
    assert none_yet == 0
    assert nothing_stored(page)


def test_being_online_again_ends_the_wait(quiet, visitor, sent):
    page = quiet()
    visitor.set_offline(True)
    send(page)
    page.wait_for_timeout(2000)
    visitor.set_offline(False)
    assert once_all(sent.until(10, seconds=1), 10)


def test_a_closed_tab_sends_its_last_events_by_beacon(quiet, sent):
    page = quiet()
    page.click("img >> nth=0")
    page.close(run_before_unload=True)
    assert [event["event"] for event in sent.until(1)] == ["Image Clicked"]
    assert [request.is_beacon for request in sent.requests] == [True]
    assert sent.requests[0].headers["Content-Type"].startswith("text/plain")


def test_a_living_page_sends_by_fetch_what_any_site_may_send(quiet, sent):
    page = quiet()
    send(page)
    sent.until(10)
    (request,) = sent.requests
    assert not request.is_beacon
    assert request.headers["Content-Type"].startswith("text/plain")
    assert "Cookie" not in request.headers
    assert set(request.body) == {"writeKey", "sentAt", "batch"}
    assert request.body["writeKey"] == KEY
    assert abs(datetime.fromisoformat(request.body["sentAt"]).timestamp() - time.time()) < 5


def test_large_batches_leave_in_bodies_under_60_kb(quiet, sent):
    page = quiet()
    send(page, 8, "é" * 10_000)
    assert once_all(sent.until(8), 8)
    assert max(len(request.text.encode()) for request in sent.requests) < 60_000


def test_what_no_beacon_takes_stays_for_the_next_page(quiet, sent, shop):
    page = quiet()
    send(page, 8, "x" * 15_000)
    leave(page)
    page.goto(shop)
    assert {event["properties"]["i"] for event in sent.until(8)} == set(range(8))


def test_a_batch_under_way_when_its_page_goes_is_sent_again_as_it_was(quiet, sent):
    sent.answer = failing(1, 503)
    sent.delay = 1
    page = quiet()
    send(page)
    sent.until_asked(1)
    page.reload()
    assert once_all(sent.until(10), 10)
    assert sent.requests[1].body["batch"] == sent.requests[0].body["batch"]


def test_a_batch_whose_page_crashed_is_sent_again_after_a_while(quiet, visitor, sent, shop):
    sent.delay = 1
    sent.answer = failing(1, 503)
    crashing = quiet()
    send(crashing)
    sent.until_asked(1)
    with pytest.raises(Error, match="crash"):
        crashing.goto("chrome://crash")
    crashing.close()
    page = visitor.new_page()
    page.clock.install()
    page.goto(shop)
    page.wait_for_timeout(1000)
    tried = len(sent.requests)
    page.clock.fast_forward(31_000)
    assert {event["event"] for event in sent.until(10)} == {"Own"}
    assert tried == 1


def test_no_more_than_500_events_wait_and_the_newest_stay(quiet, sent):
    sent.answer = lambda _text: 503
    page = quiet()
    send(page, 620)
    waiting = stored(page)
    assert len(waiting) == 500
    assert any('"i":619,' in event for event in waiting)


def test_a_browser_without_storage_sends_and_retries_all_the_same(quiet, visitor, sent):
    visitor.add_init_script(NO_STORAGE)
    sent.answer = failing(1, 503)
    page = quiet()
    send(page, 12)
    page.click("img >> nth=0")
    events = sent.until(13)
    assert once_all(events, 13)
    assert len({event["anonymousId"] for event in events}) == 1


def test_tabs_leave_a_batch_to_the_one_that_is_sending_it(quiet, sent):
    sent.delay = 2
    send(quiet(), 10)
    sent.until_asked(1)
    for _ in range(3):
        quiet()
    assert once_all(sent.until(10), 10)
    assert len(sent.requests) == 1


def test_every_tabs_events_come_when_the_server_is_back(quiet, sent):
    sent.answer = lambda _text: 503
    tabs = [quiet() for _ in range(3)]
    for tab in tabs:
        send(tab)
    sent.until_asked(3)
    sent.answer = lambda _text: 204
    end = time.monotonic() + 10
    while len({event["messageId"] for event in sent.events()}) < 30:
        assert time.monotonic() < end
        time.sleep(0.05)
    tabs[0].wait_for_timeout(300)
    assert len({event["messageId"] for event in sent.events()}) == 30
    assert nothing_stored(tabs[0])
