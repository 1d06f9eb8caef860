"""Looking through a collection, however long, and picking from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.bad_images import sample

GIF = "data:image/gif;base64,R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs="
ANY_IMAGES = re.compile(r"/images(\?|/)")


def image(number: int, **changed: Any) -> dict[str, Any]:
    """What the API says of an image of the collection "long", the higher its number the older."""
    return {
        "id": f"image{number:05}",
        "name": f"photo {number}.jpg",
        "collection": "long",
        "state": "ready",
        "reason": None,
        "created_at": "2026-01-01T00:00:00.000Z",
        "urls": {"preview": GIF, "original": GIF},
        **changed,
    }


def pages(images: list[dict[str, Any]]) -> Callable[[Route], None]:
    """GET /images as the API answers it: pages of at most 200, newest first."""

    def answer(route: Route) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(route.request.url).query).items()}
        found = [one for one in images if query.get("state") in (None, one["state"])]
        start = int(query.get("cursor", 0))
        end = start + int(query["limit"])
        route.fulfill(json={"items": found[start:end], "next": str(end) if end < len(found) else None})

    return answer


@pytest.fixture(scope="module")
def seller(people, new_caller):
    return people.person(new_caller())


@pytest.fixture
def library(seller) -> Callable[..., Page]:
    """library(images): the page of the collection "long", which has these."""

    def opened(images: list[dict[str, Any]]) -> Page:
        seller.page.route(ANY_IMAGES, pages(images))
        return seller.open("#/rank/long")

    # A new tab, so that nothing of another test is in it.
    seller.page.close()
    seller.page = seller.context.new_page()
    return opened


def options(page: Page):
    return page.get_by_role("listbox", name="Photographs").get_by_role("option")


def option(page: Page, number: int):
    return options(page).filter(has_text=re.compile(rf"photo {number}\.jpg$"))


def drawn(page: Page) -> int:
    return page.evaluate("document.querySelectorAll('.roll .cell').length")


def test_five_thousand_photos_are_scrolled_through_with_few_in_the_document(library, assert_accessible, shot):
    page = library([image(number) for number in range(5000)])
    expect(option(page, 0)).to_be_visible()
    assert_accessible(page)
    page.evaluate(TO_THE_END)
    expect(page.get_by_text("5,000 photographs", exact=True)).to_be_visible()
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(option(page, 4999)).to_be_visible()
    assert drawn(page) < 200
    assert page.evaluate(UP_AGAIN) < 2000  # ms, with a good part of the machine for others
    assert drawn(page) < 200
    shot(page, "library-long", dark=True, phone=True)


# To the end of what is there, again and again, as pages arrive.
TO_THE_END = """async () => {
  const reading = () => document.querySelector("main .loading");
  while (reading()) {
    scrollTo(0, document.documentElement.scrollHeight);
    await new Promise(requestAnimationFrame);
  }
}"""

# A window at a time; how long it takes on average until the next is drawn, photographs and all.
UP_AGAIN = """async () => {
  const windows = 20, start = performance.now();
  for (let n = 0; n < windows; n += 1) {
    scrollBy(0, -innerHeight);
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    const middle = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
    if (!middle.closest(".cell")) throw new Error("nothing is drawn there");
  }
  return Math.round((performance.now() - start) / windows);
}"""


def test_keys_lead_through_the_grid_and_pick(library, assert_accessible):
    page = library([image(number) for number in range(500)])
    option(page, 0).focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_text("3 picked")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    expect(page.locator(".cell:focus")).to_have_attribute("aria-posinset", re.compile("200|400|500"))
    page.keyboard.press("Home")
    expect(option(page, 0)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_text("picked", exact=False).and_(page.get_by_role("status"))).to_have_count(0)


def test_more_than_a_ranking_takes_is_explained_and_cut(library):
    page = library([image(number) for number in range(230)])
    option(page, 0).click()
    page.keyboard.press("End")
    expect(page.get_by_text("230 photographs")).to_be_visible()
    page.keyboard.press("Control+a")
    expect(page.get_by_text("230 picked")).to_be_visible()
    expect(page.get_by_role("button", name="Rank these")).to_be_disabled()
    page.get_by_role("button", name="Keep the newest 200").click()
    expect(page.get_by_text("200 picked")).to_be_visible()
    expect(page.get_by_role("button", name="Rank these")).to_be_enabled()


def test_photos_are_found_by_state_and_by_name_in_the_whole_collection(library, shot):
    markup, hebrew = "<b onclick=alert(1)>bold</b>.jpg", "תמונה של הים.jpg"
    failed = image(403, name="letter.jpg", state="failed", reason="This is text, not an image.")
    shown = [image(number) for number in range(400)]
    page = library([*shown, image(401, name=markup), image(402, name=hebrew), failed])
    page.get_by_label("Name contains").fill("תמונה")
    expect(options(page)).to_have_text([re.compile(hebrew)])
    page.get_by_label("Name contains").fill("BOLD")
    expect(options(page).locator("bdi")).to_have_text([markup])
    page.get_by_label("Name contains").fill("")
    page.get_by_label("State").select_option(label="Left out")
    expect(options(page)).to_have_text([re.compile("This is text, not an image.")])


def test_a_preview_whose_address_has_ended_is_asked_for_anew_once(seller, library):
    seller.expect_trouble("status of 403")
    old = f"{seller.base_url}/dashboard/old.gif"
    page = library([])
    page.unroute(ANY_IMAGES)
    urls = {"preview": old, "original": old}
    asked: list[str] = []

    def afresh(route: Route) -> None:
        asked.append(route.request.url)
        number = int(route.request.url[-5:])
        # The second one stays as it is: then it is not asked for again.
        route.fulfill(json=image(number) if number == 0 else image(number, urls=urls))

    page.route("**/old.gif", lambda route: route.fulfill(status=403))
    page.route("**/images?*", pages([image(0, urls=urls), image(1, urls=urls)]))
    page.route("**/images/image*", afresh)
    page.reload()
    expect(option(page, 0).locator("img")).to_have_attribute("src", GIF)
    expect(option(page, 1).locator(".unseen")).to_be_visible()
    assert len(asked) == 2


def test_picked_photos_are_ranked_and_deleted(seller, library):
    names = ["one.jpg", "two.jpg", "three.jpg"]
    files = [sample("jpeg", 160 + 20 * number, 120) for number in range(3)]
    images = [seller.api.upload(data, name=name, collection="ours") for name, data in zip(names, files, strict=True)]
    page = seller.open("#/rank/ours")
    for name in names:
        options(page).filter(has_text=name).click()
    page.get_by_role("button", name="Rank these").click()
    page.wait_for_url(re.compile(r"#/rankings/\w+$"))
    assert seller.api("GET", "/rankings").json()["items"][0]["progress"]["total"] == 3
    page.go_back()
    options(page).filter(has_text="two.jpg").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(options(page).filter(has_text="two.jpg")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert seller.api("GET", f"/images/{images[1]}").status_code == 404


def test_a_ranking_that_comes_late_takes_nobody_away(library):
    page = library([image(number) for number in range(2)])
    asked: list[Route] = []
    page.route("**/rankings", lambda route: asked.append(route))
    for number in range(2):
        option(page, number).click()
    with page.expect_request("**/rankings"):
        page.get_by_role("button", name="Rank these").click()
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_focused()
    asked.pop().fulfill(status=202, json={"id": "late"})
    expect(page.get_by_role("status").filter(has_text="Your photographs are ranked.")).to_be_visible()
    assert page.url.endswith("#/models")


def test_a_collection_without_photos_says_so(library):
    page = library([])
    expect(page.get_by_role("heading", name="No photographs here")).to_be_visible()
