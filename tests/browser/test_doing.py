"""/track.js in a real browser: clicks, forms, conversions, a page's own events, and visitors who want none of it."""

from __future__ import annotations

import pytest

from tests.browser.recorder import KEY, leave

STORAGE = "Object.fromEntries(Object.entries(localStorage))"
SIGNALS = {
    "Global Privacy Control": "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})",
    "Do-Not-Track": "Object.defineProperty(Navigator.prototype, 'doNotTrack', {get: () => '1'})",
}


def done(events):
    """Everything but impressions: the name and the properties of each event."""
    return [(event["event"], event["properties"]) for event in events if event["event"] != "Image Impression"]


def do_everything(page):
    """See two images, click on one, submit the form, order."""
    page.click("img >> nth=0")
    page.click("#send")
    page.click("#order")
    page.click("#other")
    page.wait_for_timeout(1500)


def test_a_click_on_an_image_says_where_it_stood(visit, sent):
    page = visit()
    page.click("img >> nth=1")
    leave(page)
    assert done(sent.until(1)) == [("Image Clicked", {"image": "i2", "ranking": "r1", "position": 2})]


def test_the_middle_button_is_a_click_and_the_right_one_is_not(visit, sent):
    page = visit()
    page.click("img >> nth=0", button="right")
    page.click("img >> nth=1", button="middle")
    leave(page)
    assert [about["image"] for _, about in done(sent.until(1))] == ["i2"]


def test_a_click_that_a_script_made_is_not_a_visitors(visit, sent):
    page = visit()
    page.evaluate("document.querySelector('img').click()")
    page.click("img >> nth=1")
    leave(page)
    assert [about["image"] for _, about in done(sent.until(1))] == ["i2"]


def test_a_page_that_stops_its_clicks_does_not_hide_them(visit, sent):
    page = visit()
    page.evaluate("document.querySelector('img').addEventListener('click', (event) => event.stopPropagation())")
    page.click("img >> nth=0")
    leave(page)
    assert [about["image"] for _, about in done(sent.until(1))] == ["i1"]


def test_a_submitted_form_is_one_event_about_its_image(visit, sent):
    page = visit()
    page.click("#send")
    leave(page)
    assert done(sent.until(1)) == [("Form Submitted", {"image": "i1"})]


def test_a_goal_is_a_conversion_and_no_click(visit, sent):
    page = visit()
    page.click("#order")
    page.click("#other")
    leave(page)
    assert done(sent.until(1)) == [("Conversion", {"image": "i2", "goal": "order"})]


def test_a_form_can_be_a_goal(visit, sent):
    page = visit()
    page.evaluate("document.querySelector('form').dataset.psGoal = 'newsletter'")
    page.click("#send")
    leave(page)
    assert done(sent.until(2)) == [
        ("Form Submitted", {"image": "i1"}),
        ("Conversion", {"image": "i1", "goal": "newsletter"}),
    ]


def test_a_link_that_leaves_the_page_is_still_a_click(visit, sent, shop):
    page = visit()
    page.evaluate("""() => {
      const link = document.createElement("a");
      link.href = "/elsewhere";
      link.append(document.querySelector("img"));
      document.querySelector("main").prepend(link);
    }""")
    page.click("img >> nth=0")
    page.wait_for_url(f"{shop}/elsewhere")
    assert [about["image"] for _, about in done(sent.until(1))] == ["i1"]


def test_a_page_can_send_events_of_its_own(visit, sent):
    page = visit()
    page.evaluate("proofsheet.track('Conversion', {image: 'i7', goal: 'signup', price: 12.5})")
    page.evaluate("proofsheet.track('Searched')")
    leave(page)
    assert done(sent.until(2)) == [
        ("Conversion", {"image": "i7", "goal": "signup", "price": 12.5}),
        ("Searched", {}),
    ]


def test_what_a_page_changes_later_does_not_change_the_event(visit, sent):
    page = visit()
    page.evaluate("""() => {
      const properties = { image: "i1" };
      proofsheet.track("Conversion", properties);
      properties.image = "i2";
    }""")
    leave(page)
    assert done(sent.until(1)) == [("Conversion", {"image": "i1"})]


def test_an_event_that_cannot_be_sent_takes_neither_the_page_nor_its_neighbors_along(visit, sent):
    page = visit()
    warnings = []
    page.on("console", lambda message: warnings.append(message.text))
    page.evaluate("""() => {
      const cyclic = {};
      cyclic.self = cyclic;
      proofsheet.track("Cyclic", cyclic);
      proofsheet.track("Large", { text: "x".repeat(33000) });
      proofsheet.track("Fine");
    }""")
    leave(page)
    assert done(sent.until(1)) == [("Fine", {})]
    assert len(warnings) == 2


def test_visitors_stay_the_same_and_unknown_until_they_are_identified(visit, sent):
    page = visit()
    page.evaluate("proofsheet.track('First')")
    page.goto(page.url + "second")
    page.evaluate("proofsheet.identify('u1'); proofsheet.track('Second')")
    page.goto(page.url + "third")
    page.evaluate("proofsheet.track('Third'); proofsheet.identify(null); proofsheet.track('Fourth')")
    leave(page)
    events = sent.until(5)
    assert len({event["anonymousId"] for event in events}) == 1
    assert [(event.get("event"), event.get("userId")) for event in events] == [
        ("First", None),
        (None, "u1"),
        ("Second", "u1"),
        ("Third", "u1"),
        ("Fourth", None),
    ]
    assert events[1]["type"] == "identify"


def test_two_visitors_are_two(visit, sent, chromium, shop):
    page = visit()
    page.evaluate("proofsheet.track('Mine')")
    leave(page)
    with chromium.new_context() as another:
        theirs = another.new_page()
        theirs.goto(shop)
        theirs.evaluate("proofsheet.track('Theirs')")
        leave(theirs)
        assert len({event["anonymousId"] for event in sent.until(2)}) == 2


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_browser_that_asks_for_privacy_sends_nothing_and_stores_nothing(visit, visitor, sent, signal):
    visitor.add_init_script(SIGNALS[signal])
    page = visit()
    do_everything(page)
    page.evaluate("proofsheet.identify('u1'); proofsheet.track('Conversion', {image: 'i1'}); proofsheet.optIn()")
    stored = page.evaluate(STORAGE)
    leave(page)
    page.wait_for_timeout(300)
    assert stored == {}
    assert sent.requests == []


def test_a_browser_that_asks_for_privacy_forgets_what_was_stored(visit, visitor, sent):
    sent.answer = lambda _text: 503
    page = visit()
    page.evaluate("for (let i = 0; i < 10; i++) proofsheet.track('Unsent')")
    sent.until_asked(1)
    page.wait_for_timeout(200)
    before = page.evaluate(STORAGE)
    visitor.add_init_script(SIGNALS["Global Privacy Control"])
    page.reload()
    assert any(name.startswith(f"proofsheet:{KEY}:") for name in before)
    assert page.evaluate(STORAGE) == {}


def test_opting_out_ends_it_on_every_page_and_forgets_the_visitor(visit, sent):
    page = visit()
    page.evaluate("proofsheet.track('Unsent'); proofsheet.optOut()")
    do_everything(page)
    page.reload()
    do_everything(page)
    stored = page.evaluate(STORAGE)
    leave(page)
    page.wait_for_timeout(300)
    assert stored == {"proofsheet:out": "1"}
    assert sent.requests == []


def test_opting_in_starts_anew(visit, sent):
    page = visit()
    page.evaluate("proofsheet.optOut(); proofsheet.track('Out'); proofsheet.optIn(); proofsheet.track('In')")
    page.wait_for_timeout(1500)
    leave(page)
    events = sent.until(3)
    assert done(events) == [("In", {})]
    assert len(events) == 3


def test_a_script_that_stands_twice_in_a_page_tracks_once(visit, sent):
    page = visit()
    page.evaluate("""() => new Promise((resolve) => {
      const again = document.createElement("script");
      const first = document.querySelector("script");
      Object.assign(again, { src: first.src, onload: resolve });
      again.dataset.key = first.dataset.key;
      document.head.append(again);
    })""")
    page.click("img >> nth=0")
    leave(page)
    assert len(done(sent.until(1))) == 1
