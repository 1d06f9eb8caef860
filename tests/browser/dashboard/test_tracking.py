"""Track at the dashboard: counts of events that were really sent, the way to send them, and what was put aside."""

from __future__ import annotations

import re
import uuid

import pytest
import requests
from playwright.sync_api import expect

from tests.tracked import Account

PAGE = "https://shop.example"
SEEN, CLICKED = 6, 2
BAD = {"type": "track", "event": "Image Clicked", "anonymousId": "v", "timestamp": "<b id=bad>never</b>"}


@pytest.fixture(scope="module")
def owner(people, new_caller):
    return people.person(new_caller("admin"))


@pytest.fixture(scope="module")
def account(owner):
    """Two images in a ranking, one of which was seen and clicked."""
    made = Account.open(owner.api, 2)
    shown = {"image": made.images[0], "ranking": made.ranking}
    names = ["Image Impression"] * SEEN + ["Image Clicked"] * CLICKED
    send(made, [event(name, **shown) for name in names])
    made.settle(SEEN + CLICKED)
    return made


def event(name, **properties):
    sent = {"type": "track", "event": name, "anonymousId": "visitor", "properties": properties}
    return {**sent, "messageId": str(uuid.uuid4())}


def send(account, events):
    url = f"{account.caller.base_url}/v1/batch"
    answer = requests.post(url, json={"batch": events}, auth=(account.key, ""), timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def total(page, name):
    """A total of the page, as a number."""
    return page.locator(".totals > div", has=page.get_by_text(name, exact=True)).locator("dd").first


def column(page, place):
    """The sum of a column of the chart's table."""
    cells = page.get_by_role("region", name="Over time, as a table").locator(f"tbody td:nth-of-type({place})")
    return sum(int(text) for text in cells.all_inner_texts())


def test_everything_that_was_sent_is_counted_drawn_and_in_the_table(owner, account, assert_accessible):
    impressions, clicks, *_ = account.counts()
    page = owner.open("#/track?span=24h&by=hour")
    expect(total(page, "Impressions")).to_have_text(str(impressions))
    expect(total(page, "Clicks")).to_have_text(str(clicks))
    page.get_by_role("button", name="Show as table").click()
    assert (column(page, 1), column(page, 2)) == (impressions, clicks)
    expect(page.locator(".plot canvas")).to_have_count(3)
    assert all(page.locator(".plot canvas").evaluate_all(DRAWN))
    assert_accessible(page)


# Whether a canvas has anything on it.
DRAWN = """(canvases) => canvases.map((canvas) => {
  const { width, height } = canvas;
  return canvas.getContext("2d").getImageData(0, 0, width, height).data.some((value) => value > 0);
})"""


def test_the_counts_of_a_ranking_are_its_own_and_lead_to_its_pictures(owner, account, assert_accessible, shot):
    page = owner.open(f"#/track/ranking/{account.ranking}?span=24h&by=hour")
    expect(total(page, "Impressions")).to_have_text(str(SEEN))
    expect(total(page, "Clicks")).to_have_text(str(CLICKED))
    expect(total(page, "Click rate")).to_have_text("33.3%")
    expect(page.get_by_label("Counts of").locator("option:checked")).to_contain_text("Ranking")
    assert_accessible(page)
    shot(page, "track-ranking", dark=True, phone=True)
    page.get_by_label("Counts of").select_option(label="Everything")
    expect(total(page, "Clicks")).to_have_text(str(account.counts()[1]))
    owner.open(f"#/track/image/{account.images[1]}")
    expect(page.get_by_role("heading", name="Nothing was counted in this time")).to_be_visible()


def test_the_crosshair_is_moved_by_keys_and_tells_what_is_there(owner, account):
    page = owner.open(f"#/track/ranking/{account.ranking}?span=7d&by=day")
    crosshair = page.get_by_role("slider", name="Over time")
    now = re.compile(f"Impressions {SEEN}, Clicks {CLICKED}, Click rate 33.3% .* to ")
    expect(crosshair).to_have_attribute("aria-valuetext", now)
    crosshair.press("Home")
    expect(crosshair).to_have_attribute("aria-valuenow", "1")
    expect(crosshair).to_have_attribute("aria-valuetext", re.compile("Impressions 0, Clicks 0, Click rate –"))
    crosshair.press("ArrowRight")
    expect(crosshair).to_have_attribute("aria-valuenow", "2")


def test_new_counts_come_by_themselves(owner, account):
    page = owner.open(f"#/track/image/{account.images[0]}?span=24h&by=hour")
    expect(total(page, "Conversions")).to_have_text("0")
    send(account, [event("Conversion", image=account.images[0])])
    expect(total(page, "Conversions")).to_have_text("1", timeout=60_000)


def test_dates_of_ones_own_are_asked_for(owner, account):
    page = owner.open("#/track")
    page.get_by_role("button", name="Dates …").click()
    page.get_by_label("From").fill("2025-01-01")
    page.get_by_label("To", exact=True).fill("2025-01-10")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("heading", name="Nothing was counted in this time")).to_be_visible()
    assert page.url.endswith("#/track?from=2025-01-01&to=2025-01-10&by=day")


def test_the_script_tag_has_the_key_that_was_just_made_and_leads_to_the_script(person, assert_accessible):
    person.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = person.open("#/track/setup")
    page.get_by_label("Name").fill("<b>shop</b>")
    page.get_by_label("Sites that may send with it").fill(PAGE)
    page.get_by_role("button", name="Make the key").click()
    page.get_by_role("button", name="Copy the script tag").click()
    [made] = person.api("GET", "/write-keys").json()["items"]
    tag = f'<script src="{person.base_url}/track.js" data-key="{made["key"]}" defer></script>'
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == tag
    assert made["allowed_origins"] == [PAGE]
    assert requests.get(f"{person.base_url}/track.js", timeout=30).ok
    assert_accessible(page)


def test_a_site_that_is_none_is_told_of_at_its_field(person):
    person.expect_trouble("status of 4(00|22)")
    page = person.open("#/track/setup")
    page.get_by_label("Sites that may send with it").fill("shop.example/sale")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_label("Sites that may send with it")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("An address is like https://shop.example, without a path.")).to_be_visible()


def test_a_key_is_revoked_once_that_is_confirmed(owner, account):
    key = owner.api("POST", "/write-keys", {"name": "old"}).json()["key"]
    page = owner.open("#/track/setup")
    page.get_by_role("button", name="Revoke old").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("button", name="Revoke old")).to_have_count(0)
    assert key not in {each["key"] for each in owner.api("GET", "/write-keys").json()["items"]}


def test_one_sees_that_events_arrive(owner, account):
    page = owner.open("#/track/setup")
    expect(page.get_by_text(re.compile(r"^In the last two hours: [1-9]\d* impressions"))).to_be_visible()


def test_an_admin_reads_what_was_put_aside_and_why(owner, account, assert_accessible):
    assert send(account, [BAD])["rejected"] == 1
    owner.api.until("/events/quarantine", lambda seen: seen["items"])
    page = owner.open("#/track/quarantine")
    expect(page.get_by_text("timestamp: ")).to_be_visible()
    page.get_by_text("What came").click()
    expect(page.get_by_text("<b id=bad>never</b>")).to_be_visible()
    assert page.locator("#bad").count() == 0
    assert_accessible(page)


def test_a_member_learns_why_the_quarantine_is_not_theirs(person):
    page = person.open("#/track/quarantine")
    expect(page.get_by_role("heading", name="For admins")).to_be_visible()
