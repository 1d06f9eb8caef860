"""What holds on every page: anyone can use it, it fits any window, and it speaks to nobody but us."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard.looks import assert_accessible, assert_legible

NAME = "Herbst <b>am</b> See שלום"
# Name of its screenshot, address, the heading by which one knows that it is there.
PAGES = [
    ("sign-in", "#/rank", "Sign in"),
    ("shared", "#/shared/{link}", NAME),
    ("rank", "#/rank", "Rank photographs"),
    ("library", "#/rank/{collection}", "herbst"),
    ("sheet", "#/rankings/{ranking}", NAME),
    ("compare", "#/compare/{ranking}/{image}/{other}", "Side by side"),
    ("models", "#/models", "Models"),
    ("model", "#/models/general", "General"),
    ("training", "#/models/new", "Train a model"),
    ("track", "#/track", "Track"),
    ("track-image", "#/track/image/{image}", "Track"),
    ("track-setup", "#/track/setup", "Track"),
    ("quarantine", "#/track/quarantine", "Track"),
    ("push", "#/push", "Campaigns"),
    ("composer", "#/push/new", "New campaign"),
    ("campaign", "#/push/campaigns/{campaign}", NAME),
    ("recipients", "#/push/recipients", "Recipients"),
    ("standings", "#/push/standings", "Standings"),
    ("inbox", "#/inbox", "Inbox"),
    ("nowhere", "#/nowhere", "There is no such page"),
]
FOR_ALL = ("sign-in", "shared")
WIDTHS = (360, 768, 1440, 2560)


@dataclass(frozen=True)
class Place:
    """A page that is open. heading: by which one knows that all of it is there."""

    name: str
    page: object


@pytest.fixture(scope="module")
def gallery(people, new_caller, photos):
    """An admin whose account has a bit of everything, and how addresses name it."""
    admin = people.person(new_caller("admin"))
    api = admin.api
    files = [(photos / name).read_bytes() for name in ("coffee.png", "chelsea.png")] + [b"not a photo at all" * 10]
    images = [api.upload(data, name=f"{NAME}.png", content_type="image/png", collection="herbst") for data in files]
    key = api("POST", "/write-keys", {"allowed_origins": []}).json()["key"]
    ranking = api("POST", "/rankings", {"name": NAME, "images": images}).json()["id"]
    visited(api, key, images[0])
    people_of(api)
    campaign = api("POST", "/campaigns", {"name": NAME, "channel": "sms", "template": {"sms": "Hi"}}).json()["id"]
    api.until(f"/rankings/{ranking}", lambda seen: seen["state"] != "pending")
    api.until(f"/campaigns/{campaign}", lambda seen: seen["state"] == "completed")
    link = api("POST", f"/rankings/{ranking}/links", {"days": 1}).json()["token"]
    named = {"image": images[0], "other": images[1], "collection": "herbst", "ranking": ranking}
    return admin, {**named, "campaign": campaign, "link": link}


def visited(api, key, image):
    """A visitor sees an image and clicks; and something is sent that cannot be counted."""
    shown = {"properties": {"image": image}}
    for sent in ({"event": "Image Impression", **shown}, {"event": "Image Clicked", **shown}, {"event": "Sold"}):
        body = {"type": "track", "anonymousId": "a", **sent}
        assert api.http.post(f"{api.base_url}/v1/track", json=body, auth=(key, ""), timeout=10).ok


def people_of(api):
    items = [{"id": name, "attributes": {"name": name}} for name in ("anna", "שרה")]
    assert api("PUT", "/recipients", {"items": items}).status_code == 200


@pytest.fixture(scope="module", params=PAGES, ids=[name for name, *_ in PAGES])
def place(request, people, gallery):
    name, address, heading = request.param
    admin, named = gallery
    here = people.guest() if name in FOR_ALL else admin
    page = here.open(address.format(**named))
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.locator("h1", has_text=re.compile(f"^{re.escape(heading)}"))).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)
    yield Place(name, page)
    if here is not admin:
        people.leave(here)


def test_axe_finds_nothing_that_keeps_people_out(place, shot):
    assert_accessible(place.page)
    shot(place.page, place.name)


def test_the_darkroom_is_legible_too(place):
    place.page.emulate_media(color_scheme="dark")
    assert_legible(place.page)
    place.page.emulate_media(color_scheme="light")


def test_no_window_is_too_narrow_or_too_wide(place):
    for width in WIDTHS:
        place.page.set_viewport_size({"width": width, "height": 800})
        assert place.page.evaluate(BEYOND) == [], f"at {width} px"
    place.page.set_viewport_size({"width": 1280, "height": 800})


# What makes the page scroll sideways.
BEYOND = """() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  const all = [...document.querySelectorAll("body *")];
  const beyond = all.filter((one) => one.getBoundingClientRect().right > clientWidth + 0.5);
  return beyond.slice(0, 5).map((one) => one.outerHTML.slice(0, 120));
}"""


def test_the_tab_key_reaches_every_control_and_one_sees_where_it_is(place):
    page = place.page
    controls = page.evaluate(NUMBER_CONTROLS)
    seen = [page.keyboard.press("Tab") or page.evaluate(FOCUSED) for _ in range(controls + 3)]
    reached = {number for number, _ in seen}
    assert set(range(controls)) - reached == set(), page.evaluate(CONTROL, min(set(range(controls)) - reached))
    invisible = [number for number, outlined in seen if number is not None and not outlined]
    assert not invisible, page.evaluate(CONTROL, invisible[0])


# Numbers them in their order; the radio buttons that are not chosen are reached by arrow keys.
NUMBER_CONTROLS = """() => {
  document.activeElement.blur();
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")];
  const stops = all.filter((one) => one.checkVisibility({ visibilityProperty: true }))
    .filter((one) => !one.disabled && one.tabIndex >= 0 && (one.type !== "radio" || one.checked));
  stops.forEach((one, number) => one.setAttribute("data-stop", number));
  return stops.length;
}"""
FOCUSED = """() => {
  const one = document.activeElement;
  const number = one.getAttribute("data-stop");
  const places = [one, one.nextElementSibling, ...one.querySelectorAll("*"), one.parentElement, one.closest("label")];
  const marked = places.some((place) => place && getComputedStyle(place).outlineStyle !== "none");
  return [number === null ? null : Number(number), marked];
}"""
CONTROL = "number => document.querySelector(`[data-stop='${number}']`).outerHTML.slice(0, 200)"


def test_nothing_moves_where_motion_is_unwelcome(place):
    assert place.page.evaluate(MOVING) == []


# Longer than a frame, which nobody sees.
MOVING = """() => document.getAnimations()
  .filter((one) => one.effect.getComputedTiming().activeDuration > 16)
  .map((one) => `${one.animationName ?? one.transitionProperty} of ${one.effect.target.outerHTML.slice(0, 120)}`)"""


def test_a_name_with_markup_is_shown_as_it_was_given(place):
    expect(place.page.locator("b", has_text=re.compile("^am$"))).to_have_count(0)


def test_an_api_that_is_busy_is_tried_again_and_then_said_to_be_busy(person):
    person.expect_trouble("status of 503")
    page = person.page
    page.clock.install()
    page.route("**/models?*", lambda route: route.fulfill(status=503, headers={"Retry-After": "1"}))
    person.open("#/models")
    expect(page.get_by_text("Proofsheet is busy. Trying again")).to_be_visible()
    failure = page.get_by_role("alert").filter(has_text="did not work")
    while not failure.is_visible():  # each answer comes in its own time, each pause in the page's
        page.clock.run_for(20_000)
    expect(failure).to_contain_text("Proofsheet is busy")
    page.unroute("**/models?*")
    failure.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="General").first).to_be_visible()


def test_a_link_that_was_made_up_is_said_to_lead_nowhere(guest):
    guest.expect_trouble("status of 404")
    page = guest.open("#/shared/made.up")
    expect(page.get_by_role("heading", name="This link leads nowhere any more")).to_be_visible()
