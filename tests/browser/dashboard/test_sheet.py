"""The contact sheet: photos in order, honest about how sure that order is, for eyes, keyboards and paper."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
import requests
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.dashboard.people import People, Person
from tests.http.conftest import Caller

BROKEN = "notes.jpg"
# As files may be called: markup, right to left, a formula with a comma and quotes, and plain.
NAMES = ("<img src=x onerror=alert(1)>.png", "صورة البحر.png", '=1+1,"sum".png', "rocket.jpg")
FILES = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg")


@dataclass
class Laid:
    """A sheet on the table of someone who is signed in; ranking: as the API tells it."""

    person: Person
    ranking: dict[str, Any]

    @property
    def page(self) -> Page:
        return self.person.page

    @property
    def entries(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.ranking["entries"]
        return entries

    @property
    def address(self) -> str:
        return f"#/rankings/{self.ranking['id']}"

    def open(self) -> Page:
        """The sheet as if for the first time."""
        self.page.goto("about:blank")
        self.person.open(self.address)
        expect(frames(self.page).first).to_be_visible()
        return self.page

    def answer(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """From now on the API tells the ranking as `change` makes it."""

        def fulfill(route: Route) -> None:
            route.fulfill(json=change(json.loads(json.dumps(self.ranking))))

        self.page.route(f"**/rankings/{self.ranking['id']}", fulfill)


@pytest.fixture(scope="module")
def table(people: People, new_caller: Callable[..., Caller], photos: Path) -> Laid:
    person = people.person(new_caller(), permissions=["clipboard-read", "clipboard-write"], accept_downloads=True)
    images = [upload(person.api, photos / file, name) for file, name in zip(FILES, NAMES, strict=True)]
    images.append(person.api.upload(b"this is no image", name=BROKEN))
    return Laid(person, rank(person.api, images, "Harbor <i>shoot</i>"))


@pytest.fixture
def sheet(table: Laid) -> Laid:
    table.page.unroute_all()
    table.open()
    return table


def upload(api: Caller, photo: Path, name: str) -> str:
    return api.upload(photo.read_bytes(), name=name, content_type=f"image/{photo.suffix[1:].replace('jpg', 'jpeg')}")


def rank(api: Caller, images: list[str], name: str) -> dict[str, Any]:
    made = api("POST", "/rankings", {"images": images, "name": name}).json()["id"]
    return api.until(f"/rankings/{made}", lambda seen: seen["state"] != "pending")


def frames(page: Page) -> Locator:
    return page.locator(".film > li:not(.undeveloped)")


def look(page: Page, number: int) -> Locator:
    """The picture of a frame, from 1."""
    return frames(page).nth(number - 1).get_by_role("button", name=re.compile("^Look at"))


def test_photos_lie_in_order_of_rank_and_say_their_scores(sheet: Laid) -> None:
    ranked = [
        f"{entry['rank']}. {entry['name']}, score {entry['score']:.0f}, "
        f"between {entry['interval'][0]:.0f} and {entry['interval'][1]:.0f}"
        for entry in sheet.entries[:4]
    ]
    headings = [" ".join(text.split()) for text in frames(sheet.page).get_by_role("heading").all_text_contents()]
    assert headings[:4] == ranked
    expect(sheet.page.get_by_role("heading", level=1)).to_have_text("Harbor <i>shoot</i>")


def test_the_bar_is_as_long_as_the_interval_and_marked_where_the_score_is(sheet: Laid) -> None:
    for frame, entry in zip(frames(sheet.page).all()[:4], sheet.entries, strict=False):
        scale, bar, mark = (box(frame, part) for part in (".scale", ".range", ".at"))
        low, high = entry["interval"]
        assert bar["x"] - scale["x"] == pytest.approx(scale["width"] * low / 100, abs=1)
        assert bar["width"] == pytest.approx(scale["width"] * (high - low) / 100, abs=1)
        assert mark["x"] + mark["width"] / 2 - scale["x"] == pytest.approx(scale["width"] * entry["score"] / 100, abs=1)


def box(frame: Locator, part: str) -> dict[str, float]:
    found: dict[str, float] = frame.locator(part).evaluate("part => part.getBoundingClientRect().toJSON()")
    return found


def test_a_chance_near_even_is_called_equal_and_a_good_one_is_told_in_cases(sheet: Laid) -> None:
    def change(ranking: dict[str, Any]) -> dict[str, Any]:
        for entry, chance in zip(ranking["entries"], (0.52, 0.71, 0.996), strict=False):
            entry["beats_next"] = chance
        return ranking

    sheet.answer(change)
    page = sheet.open()
    said = page.locator(".chance").all_text_contents()
    assert [re.sub(r"\s+", " ", text).strip() for text in said] == [
        "As good as equal to the next 0.52",
        "Beats the next in 7 of 10 cases 0.71",
        "Beats the next in more than 9 of 10 cases 1.00",
    ]


def test_reasons_come_with_their_effect_in_points(sheet: Laid) -> None:
    reasons = frames(sheet.page).first.get_by_role("list", name="Reasons").get_by_role("listitem")
    expected = [
        f"{'−' if reason['effect'] < 0 else '+'}{abs(reason['effect']):.1f} {reason['text']}"
        for reason in sheet.entries[0]["reasons"]
    ]
    assert [" ".join(text.split()) for text in reasons.all_text_contents()] == expected


def test_a_failed_photo_lies_last_with_its_reason(sheet: Laid) -> None:
    last = frames(sheet.page).last
    expect(last).to_contain_text(BROKEN)
    expect(last).to_contain_text(sheet.entries[-1]["reason"])
    expect(last.locator(".scale")).to_have_count(0)


def test_palette_and_labels_come_to_the_frames_that_are_looked_at(sheet: Laid) -> None:
    known = sheet.person.api("GET", f"/images/{sheet.entries[0]['image']}").json()
    first = frames(sheet.page).first
    expect(first.locator(".palette i")).to_have_count(len(known["palette"]))
    expect(first).to_contain_text(known["labels"][0]["name"])


def test_names_are_texts_in_their_own_direction(sheet: Laid) -> None:
    expect(sheet.page.locator("img[src=x], .film i[onclick], h1 i")).to_have_count(0)
    arabic = sheet.page.locator("bdi[dir=auto]", has_text=NAMES[1])
    assert arabic.evaluate("name => getComputedStyle(name).direction") == "rtl"


def test_frames_are_found_by_name_score_and_label(sheet: Laid) -> None:
    page = sheet.page
    page.get_by_label("Name or label").fill("ROCKET")
    expect(page.get_by_text("1 of 5 photos")).to_be_visible()
    expect(frames(page)).to_contain_text(["rocket.jpg"])
    label = sheet.person.api("GET", f"/images/{sheet.entries[0]['image']}").json()["labels"][0]["name"]
    page.get_by_label("Name or label").fill(label)
    expect(frames(page).filter(has_text=sheet.entries[0]["name"])).to_have_count(1)
    page.get_by_label("Name or label").fill("")
    page.get_by_label("Score from").fill(str(int(sheet.entries[1]["score"])))
    above = sum((entry["score"] or 0) >= int(sheet.entries[1]["score"]) for entry in sheet.entries)
    expect(frames(page)).to_have_count(above)
    page.get_by_label("Score from").fill("100")
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Only those with a score").check()
    expect(frames(page)).to_have_count(4)


def test_photos_unlike_those_the_model_knows_are_marked_so_and_found(sheet: Laid) -> None:
    def change(ranking: dict[str, Any]) -> dict[str, Any]:
        for entry, domain in zip(ranking["entries"], ("in", "edge", "out", "in"), strict=False):
            entry["domain"] = domain
        return ranking

    sheet.answer(change)
    page = sheet.open()
    page.get_by_label("Kind of photo").select_option("unlike")
    expect(page.locator(".warning")).to_have_text([re.compile("with care"), re.compile("little more than a guess")])


def test_the_keyboard_walks_opens_and_comes_back_where_it_looked_last(sheet: Laid, assert_accessible: Any) -> None:
    page = sheet.page
    look(page, 1).focus()
    page.keyboard.press("ArrowRight")
    expect(look(page, 2)).to_be_focused()
    expect(page.locator(".look[tabindex='0']")).to_have_count(1)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", level=2)).to_contain_text(sheet.entries[1]["name"])
    expect(dialog.get_by_text("What was measured")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading", level=2)).to_contain_text(sheet.entries[2]["name"])
    page.keyboard.press("Escape")
    expect(look(page, 3)).to_be_focused()
    page.keyboard.press("End")
    expect(look(page, 5)).to_be_focused()
    page.keyboard.press("Home")
    expect(look(page, 1)).to_be_focused()


def test_the_keys_are_shown_at_a_question_mark(sheet: Laid) -> None:
    sheet.page.keyboard.press("?")
    expect(sheet.page.get_by_role("dialog")).to_contain_text("mark a frame to compare it")


def test_two_marked_frames_are_compared_on_one_scale(sheet: Laid, assert_accessible: Any, shot: Any) -> None:
    page = sheet.page
    look(page, 1).focus()
    page.keyboard.press("Space")
    page.keyboard.press("End")
    page.keyboard.press("c")  # what has no score cannot be compared
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("c")
    expect(page.locator(".film .ring")).to_have_count(2)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="What tells them apart")).to_be_visible()
    bars = page.locator(".onescale .range").evaluate_all("bars => bars.map(bar => bar.getBoundingClientRect().width)")
    widths = [entry["interval"][1] - entry["interval"][0] for entry in (sheet.entries[0], sheet.entries[3])]
    assert bars[0] / bars[1] == pytest.approx(widths[0] / widths[1], rel=0.03)
    expect(page.locator(".verdict")).to_contain_text(sheet.entries[0]["name"])
    assert_accessible(page)
    shot(page, "side-by-side", dark=True, phone=True)


def test_both_pictures_are_magnified_at_the_same_place(sheet: Laid) -> None:
    one, other = (entry["image"] for entry in sheet.entries[:2])
    page = sheet.person.open(f"#/compare/{sheet.ranking['id']}/{one}/{other}")
    page.get_by_role("radio", name="4×").check()
    page.locator(".strip-of-two").press("ArrowRight")
    shown = "pictures => pictures.map(picture => [getComputedStyle(picture).scale, picture.style.cssText, "
    shown += "getComputedStyle(picture).transform])"
    first, second = page.locator(".blowup img").evaluate_all(shown)
    assert first == second
    assert "matrix(4, 0, 0, 4" in first[2]


def test_the_chance_of_photos_that_are_no_neighbors_follows_from_those_between(sheet: Laid) -> None:
    entries = [{"beats_next": chance} for chance in (0.7, 0.6, 0.5, None)]
    odds = """async (entries) => {
      const { chance } = await import(document.querySelector("script[src*=main]").src.replace("main.js", "odds.js"));
      return [chance(entries, 0, 1), chance(entries, 0, 3), chance(entries, 2, 4)];
    }"""
    near, far, failed = sheet.page.evaluate(odds, entries)
    normal = NormalDist()
    assert near == pytest.approx(0.7, abs=1e-4)
    assert far == pytest.approx(normal.cdf(normal.inv_cdf(0.7) + normal.inv_cdf(0.6)), abs=1e-4)
    assert failed is None


def test_the_download_is_a_table_that_no_spreadsheet_runs(sheet: Laid) -> None:
    with sheet.page.expect_download() as downloading:
        sheet.page.get_by_role("button", name="Download CSV").click()
    raw = Path(downloading.value.path()).read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\r\n") == 6
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert [row["image"] for row in rows] == [entry["image"] for entry in sheet.entries]
    assert [float(row["score"]) for row in rows[:4]] == [entry["score"] for entry in sheet.entries[:4]]
    assert {row["name"] for row in rows} == {*NAMES, BROKEN} - {NAMES[2]} | {f"'{NAMES[2]}"}
    assert rows[-1]["reason_of_failure"] == sheet.entries[-1]["reason"]
    assert downloading.value.suggested_filename == "Harbor -i-shoot-i-.csv"


def test_a_link_shows_the_sheet_to_whoever_has_it(sheet: Laid, guest: Any, assert_accessible: Any) -> None:
    page = sheet.page
    page.get_by_role("button", name="Share").click()
    page.get_by_label("Good for").select_option("7")
    page.get_by_role("button", name="Make a link").click()
    page.get_by_role("button", name="Copy the link").click()
    assert_accessible(page)
    link = page.evaluate("navigator.clipboard.readText()")
    guest.page.goto(link)
    expect(frames(guest.page)).to_have_count(5)
    expect(frames(guest.page).first).to_contain_text(sheet.entries[0]["name"])
    expect(guest.page.get_by_role("button", name=re.compile("Share|Delete|Rank again"))).to_have_count(0)
    look(guest.page, 1).click()
    expect(guest.page.get_by_role("dialog").get_by_role("img").first).to_be_visible()
    guest.expect_trouble("404", "shared")
    guest.page.goto(link[:-3] + "AAA")
    expect(guest.page.get_by_role("heading", level=1)).to_have_text("This link leads nowhere any more")


@pytest.mark.parametrize(("size", "shape"), [("400", (400, None)), ("square", (800, 800))])
def test_the_delivery_address_that_is_copied_answers_the_picture(
    sheet: Laid, size: str, shape: tuple[int, int | None]
) -> None:
    page = sheet.page
    look(page, 1).click()
    page.get_by_label("Size").select_option(size)
    page.get_by_label("Format").select_option("jpg")
    page.get_by_role("button", name="Make the address").click()
    page.get_by_role("button", name="Copy address").click()
    notice = page.get_by_role("dialog").get_by_role("status").filter(has_text="Copied.")
    notice.get_by_role("button", name="Dismiss").click()  # what lies beneath the dialog cannot be reached
    expect(notice).to_have_count(0)
    answer = requests.get(page.evaluate("navigator.clipboard.readText()"), timeout=30)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert within(answer.content, shape)
    page.get_by_role("button", name="Copy <img>").click()
    snippet = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r'<img src="http[^"]+" srcset="[^"]+( \d+w| [12]x)"( sizes="[^"]+")? alt="">', snippet)


def within(data: bytes, shape: tuple[int, int | None]) -> bool:
    """Whether a picture has the width and height that were asked for, or is smaller, since none is enlarged."""
    from PIL import Image

    width, height = Image.open(io.BytesIO(data)).size
    return width <= shape[0] and (shape[1] is None or width == height)


def test_another_model_ranks_the_same_photos_on_a_sheet_of_its_own(sheet: Laid) -> None:
    asked: list[dict[str, Any]] = []

    def models(route: Route) -> None:
        items = route.fetch().json()["items"]
        own = items[0] | {"id": "followers", "name": "Our followers", "kind": "customer", "version": 1}
        route.fulfill(json={"items": [*items, own], "next": None})

    def ranked(route: Route) -> None:
        asked.append(json.loads(route.request.post_data or ""))
        route.continue_(post_data=json.dumps(asked[-1] | {"model": "general"}))  # training one takes too long here

    page = sheet.page
    page.route("**/models?*", models)
    page.route("**/rankings", ranked)
    page.get_by_role("button", name="Rank again").click()
    page.get_by_role("dialog").get_by_label("Model").select_option(label="Our followers")
    page.get_by_role("dialog").get_by_role("button", name="Rank again").click()
    expect(page).not_to_have_url(re.compile(sheet.ranking["id"]))
    expect(frames(page)).to_have_count(5)
    assert (asked[0]["model"], len(asked[0]["images"])) == ("followers", 5)


def test_a_sheet_is_deleted_after_a_question(sheet: Laid) -> None:
    spare = rank(sheet.person.api, [entry["image"] for entry in sheet.entries[:2]], "Spare")
    page = sheet.person.open(f"#/rankings/{spare['id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Spare")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete this sheet").click()
    expect(page.get_by_text("The sheet is deleted.")).to_be_visible()
    assert sheet.person.api("GET", f"/rankings/{spare['id']}").status_code == 404


def test_frames_are_developed_one_by_one_and_then_nobody_asks_any_more(sheet: Laid) -> None:
    asked: list[int] = []

    def change(ranking: dict[str, Any]) -> dict[str, Any]:
        asked.append(1)
        if len(asked) > 2:
            return ranking
        progress = {"done": 2, "total": 5}
        return ranking | {"state": "pending", "progress": progress, "entries": ranking["entries"][:2]}

    sheet.answer(change)
    page = sheet.open()
    expect(page.get_by_role("progressbar", name="Photos scored")).to_have_attribute("aria-valuenow", "2")
    expect(page.locator(".undeveloped")).to_have_count(3)
    expect(frames(page)).to_have_count(5)
    expect(page.locator(".undeveloped")).to_have_count(0)
    expect(page.get_by_role("progressbar")).to_have_count(0)
    page.wait_for_timeout(1500)  # longer than a poll: nothing is to be seen of what does not happen
    assert len(asked) == 3


def test_an_address_that_is_over_is_asked_for_anew_once(sheet: Laid) -> None:
    asked: list[int] = []

    def change(ranking: dict[str, Any]) -> dict[str, Any]:
        asked.append(1)
        if len(asked) == 1:
            ranking["entries"][0]["urls"]["preview"] += "0"
        return ranking

    sheet.person.expect_trouble("403", "Forbidden", "working/")
    sheet.answer(change)
    page = sheet.open()
    first = frames(page).first.locator("img")
    expect(first).to_have_attribute("src", sheet.entries[0]["urls"]["preview"])
    expect(first).to_have_js_property("naturalWidth", first.evaluate("image => image.naturalWidth || 512"))
    assert len(asked) == 2


def test_compared_photos_whose_addresses_are_over_get_new_ones(sheet: Laid) -> None:
    asked: list[int] = []
    one, other = sheet.entries[:2]

    def change(ranking: dict[str, Any]) -> dict[str, Any]:
        asked.append(1)
        if len(asked) == 1:
            for entry in ranking["entries"][:2]:
                entry["urls"]["preview"] += "0"
        return ranking

    sheet.person.expect_trouble("403", "404", "Forbidden", "working/")
    sheet.answer(change)
    sheet.page.route("**/urls", lambda route: route.fulfill(status=404, json={}))  # so that the previews stay
    page = sheet.person.open(f"#/compare/{sheet.ranking['id']}/{one['image']}/{other['image']}")
    for place, entry in enumerate((one, other)):
        expect(page.locator(".blowup img").nth(place)).to_have_attribute("src", entry["urls"]["preview"])
    assert len(asked) == 2


def test_two_hundred_frames_cost_no_two_hundred_requests(sheet: Laid) -> None:
    asked: list[str] = []

    def change(ranking: dict[str, Any]) -> dict[str, Any]:
        real = ranking["entries"][:4]
        copies = [
            real[place // 50] | {"rank": place + 1, "image": f"copy-{place}", "beats_next": 0.6} for place in range(200)
        ]
        return ranking | {"progress": {"done": 200, "total": 200}, "entries": copies}

    def image(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=404, json={"error": {"code": "not_found", "message": "There is no such image."}})

    sheet.person.expect_trouble("404")
    sheet.answer(change)
    sheet.page.route("**/images/copy-*", image)
    page = sheet.open()
    expect(frames(page)).to_have_count(200)
    look(page, 1).focus()
    page.keyboard.press("End")
    expect(look(page, 200)).to_be_focused()
    assert len(asked) < 40


def test_everyone_can_use_the_sheet_in_light_and_dark(sheet: Laid, assert_accessible: Any, shot: Any) -> None:
    page = sheet.page
    expect(page.locator(".palette i").first).to_be_visible()
    frames(page).nth(1).get_by_role("button", name=re.compile("^Mark")).click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert_accessible(page)
    shot(page, "contact-sheet", dark=True, phone=True)


def test_the_sheet_fits_a_phone_and_paper(sheet: Laid) -> None:
    page = sheet.page
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Share")).to_be_hidden()
    expect(frames(page).first.locator(".scale")).to_be_visible()
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 800})
