"""/track.js in a real browser: which images count as seen."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest

from tests.browser.recorder import PITCH, leave

LONG_ENOUGH = 1500  # ms; an image is seen after 1,000
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def seen(events):
    """The images, sorted: those that become visible together come in any order."""
    return sorted(event["properties"]["image"] for event in events if event["event"] == "Image Impression")


def scroll(page, image):
    """Image number `image` at the upper edge; two thirds of the next are visible."""
    page.evaluate("y => scrollTo(0, y)", PITCH * (image - 1))


def test_images_half_visible_for_a_second_are_seen(visit, sent):
    page = visit()
    page.wait_for_timeout(LONG_ENOUGH)
    leave(page)
    assert seen(sent.until(2)) == ["i1", "i2"]


def test_an_impression_says_what_was_seen_where_and_when(visit, sent, shop):
    before = time.time()
    page = visit("/gallery?page=2")
    page.wait_for_timeout(LONG_ENOUGH)
    leave(page)
    first = next(event for event in sent.until(2) if event["properties"]["image"] == "i1")
    created = int(first["messageId"].replace("-", "")[:12], 16) / 1000
    assert first["type"] == "track"
    assert first["properties"] == {"image": "i1", "ranking": "r1", "position": 1}
    assert first["context"] == {"page": {"url": f"{shop}/gallery?page=2"}}
    assert UUID7.fullmatch(first["messageId"])
    assert UUID7.fullmatch(first["anonymousId"])
    assert before < created < time.time()
    assert datetime.fromisoformat(first["timestamp"]).timestamp() == created


def test_scrolling_slowly_shows_exactly_the_images_that_stood_still(visit, sent):
    page = visit()
    for image in (1, 5, 12):
        scroll(page, image)
        page.wait_for_timeout(LONG_ENOUGH)
    leave(page)
    assert seen(sent.until(6)) == ["i1", "i12", "i13", "i2", "i5", "i6"]


def test_images_scrolled_past_quickly_are_not_seen(visit, sent):
    page = visit()
    for image in range(3, 19):
        scroll(page, image)
        page.wait_for_timeout(120)
    page.wait_for_timeout(LONG_ENOUGH)
    leave(page)
    assert seen(sent.until(2)) == ["i18", "i19"]


def test_an_image_is_seen_once_in_a_view_however_often_it_comes_back(visit, sent):
    page = visit()
    for image in (1, 9, 1):
        scroll(page, image)
        page.wait_for_timeout(LONG_ENOUGH)
    page.evaluate("document.querySelector('main').append(document.querySelector('img').cloneNode())")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(LONG_ENOUGH)
    leave(page)
    assert seen(sent.until(4)) == ["i1", "i10", "i2", "i9"]


def test_an_image_less_than_half_visible_is_not_seen(visit, sent):
    page = visit(height=PITCH + 140)
    page.wait_for_timeout(LONG_ENOUGH)
    leave(page)
    assert seen(sent.until(1)) == ["i1"]


def test_ten_events_leave_at_once_and_the_rest_after_three_seconds(visit, sent):
    page = visit(height=14 * PITCH)
    sent.until(10, seconds=2.8)
    page.wait_for_timeout(200)
    assert len(sent.events()) == 10
    assert seen(sent.until(14)) == sorted(f"i{number}" for number in range(1, 15))
    assert [len(request.ids) for request in sent.requests] == [10, 4]


def test_images_added_later_are_seen(visit, sent):
    page = visit()
    page.evaluate("""() => {
      document.querySelectorAll("img").forEach((image) => image.remove());
      document.querySelector("main").innerHTML =
        '<p><img src="/new.png" data-ps-image="new"><img src="/other.png" id="named-later"></p>';
      document.querySelector("#named-later").dataset.psImage = "named later";
    }""")
    page.wait_for_timeout(LONG_ENOUGH)
    leave(page)
    assert seen(sent.until(2)) == ["named later", "new"]


def test_an_element_that_changes_its_image_shows_another_one(visit, sent):
    page = visit()
    page.wait_for_timeout(LONG_ENOUGH)
    page.evaluate("document.querySelector('img').dataset.psImage = 'next slide'")
    page.wait_for_timeout(LONG_ENOUGH)
    leave(page)
    assert seen(sent.until(3)) == ["i1", "i2", "next slide"]


def test_a_picture_is_seen_from_when_it_is_there(visit, sent):
    page = visit()
    page.evaluate("document.querySelector('img').src = '/missing.png'")
    page.wait_for_timeout(LONG_ENOUGH)
    repaired = datetime.now(UTC)
    page.evaluate("document.querySelector('img').src = '/there.png'")
    page.wait_for_timeout(LONG_ENOUGH)
    leave(page)
    at = {event["properties"]["image"]: datetime.fromisoformat(event["timestamp"]) for event in sent.until(2)}
    assert at["i2"] < repaired < at["i1"]


def test_a_hidden_page_shows_nothing_until_it_is_visible_again(visit, sent):
    page = visit()
    page.wait_for_timeout(400)
    turn(page, hidden=True)
    page.wait_for_timeout(LONG_ENOUGH)
    back = datetime.now(UTC)
    turn(page, hidden=False)
    page.wait_for_timeout(LONG_ENOUGH)
    turn(page, hidden=True)
    events = sent.until(2)
    assert seen(events) == ["i1", "i2"]
    assert all(datetime.fromisoformat(event["timestamp"]) > back for event in events)


def turn(page, *, hidden):
    """What a browser does when a tab goes to the background; a headless one has no background."""
    page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


@pytest.mark.parametrize("way", ["pushState", "replaceState"])
def test_a_new_address_is_a_new_view(visit, sent, shop, way):
    page = visit()
    page.wait_for_timeout(LONG_ENOUGH)
    page.evaluate(f"history.{way}({{}}, '', '/second')")
    page.wait_for_timeout(LONG_ENOUGH)
    leave(page)
    events = sent.until(4)
    assert seen(events) == ["i1", "i1", "i2", "i2"]
    assert [event["context"]["page"]["url"] for event in events] == [f"{shop}/"] * 2 + [f"{shop}/second"] * 2


def test_going_back_is_a_new_view_and_a_part_of_the_page_is_none(visit, sent):
    page = visit()
    page.evaluate("history.pushState({}, '', '/second')")
    page.wait_for_timeout(LONG_ENOUGH)
    page.evaluate("history.pushState({}, '', '#part')")
    page.wait_for_timeout(LONG_ENOUGH)
    page.evaluate("history.go(-2)")
    page.wait_for_timeout(LONG_ENOUGH)
    leave(page)
    assert seen(sent.until(4)) == ["i1", "i1", "i2", "i2"]
