"""The inbox at the dashboard: what has come to its end, where that leads, and what was read."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.bad_images import sample

NOBODY = {"channel": "sms", "template": {"sms": "Hi"}}
NAME = '<b onclick="alert(1)">עונה</b>'


@pytest.fixture
def told(admin):
    """An admin to whom the ends of two campaigns were told, the newest first: their ids."""
    ids = []
    for name in ("first", NAME):
        ids.insert(0, admin.api("POST", "/campaigns", {"name": name, **NOBODY}).json()["id"])
        admin.api.until("/inbox", lambda seen: len(seen["items"]) == len(ids))
    return ids


def badge(page):
    return page.get_by_role("link", name="Inbox").locator(".badge")


def letters(page):
    return page.locator("ol.letters > li")


def test_campaigns_that_have_ended_are_told_and_lead_to_them(admin, told, assert_accessible, shot):
    page = admin.open("#/inbox")
    expect(letters(page)).to_have_count(2)
    expect(letters(page).first).to_contain_text(NAME)
    expect(page.get_by_text("New", exact=True)).to_have_count(2)
    assert_accessible(page)
    shot(page, "inbox", dark=True, phone=True)
    letters(page).nth(1).get_by_role("button", name="Read up to here").click()
    expect(page.get_by_text("New", exact=True)).to_have_count(1)
    expect(badge(page)).to_have_text("1 unread")
    letters(page).first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(NAME)
    assert page.url.endswith(f"#/push/campaigns/{told[0]}")
    assert admin.api.until("/inbox", lambda seen: seen["unread"] == 0)["unread"] == 0


def test_a_ranking_that_is_complete_is_told_and_all_is_marked_as_read(person):
    images = [person.api.upload(sample("jpeg", 320, 240)) for _ in range(2)]
    for image in images:
        person.api.ready(image)
    ranking = person.api("POST", "/rankings", {"images": images, "name": "prints"}).json()["id"]
    page = person.open("#/inbox")
    link = letters(page).first.get_by_role("link")
    expect(link).to_have_attribute("href", f"#/rankings/{ranking}")
    expect(badge(page)).to_have_text("1 unread")
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.get_by_text("New", exact=True)).to_have_count(0)
    expect(badge(page)).to_have_count(0)
    page.reload()
    expect(letters(page)).to_have_count(1)
    expect(page.get_by_text("New", exact=True)).to_have_count(0)


def test_an_empty_inbox_says_what_will_be_told(person, assert_accessible):
    page = person.open("#/inbox")
    expect(page.get_by_text("Nothing to tell yet")).to_be_visible()
    assert_accessible(page)
