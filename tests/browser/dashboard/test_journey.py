"""The walk that a customer makes: from nothing to a shared sheet of twelve photographs, over some stones."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard.people import end_session
from tests.browser.dashboard.test_sign_in import fill
from tests.http.conftest import PASSWORD, new_address

TWELVE = (
    *("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "color.png"),
    *("grass.png", "gravel.png", "moon.png", "motorcycle_left.png", "motorcycle_right.png", "rocket.jpg"),
)

# ms; some seconds where nothing else runs.
DEVELOPED = 150_000


@pytest.mark.timeout(300)
def test_from_sign_up_to_a_shared_sheet_though_network_and_session_end(guest, people, pool, photos, shot):
    guest.expect_trouble("ERR_INTERNET_DISCONNECTED", "status of 400")
    page = guest.open()
    sign_up(page)
    with interrupted(guest, pool):
        choose(page, [photos / name for name in TWELVE])
    sheet = page.locator(".film > li")
    expect(page.locator(".colophon")).to_contain_text("12 photos, all scored", timeout=DEVELOPED)
    expect(sheet).to_have_count(12)
    shot(page, "journey", dark=True, phone=True)

    names = sheet.locator(".name").all_inner_texts()
    assert sorted(names) == sorted(TWELVE)
    assert [row["name"] for row in downloaded(page)] == names
    friend = people.guest()
    friend.page.goto(shared(page))
    expect(friend.page.locator(".film .name")).to_have_text(names)

    page.get_by_role("link", name="Inbox").click()
    page.get_by_role("listitem").get_by_role("link").first.click()
    expect(sheet).to_have_count(12)


def sign_up(page):
    page.get_by_role("button", name="Create an account").click()
    fill(page, "Create account", email=new_address(), password=PASSWORD)
    fill(page, "Confirm", code="123456")


def choose(page, files):
    with page.expect_file_chooser() as asked:
        page.get_by_role("button", name="Choose photographs").click()
    asked.value.set_files(files)


@contextmanager
def interrupted(guest, pool):
    """Without a network while it lasts; and then the session is over as well."""
    page = guest.page
    expect(page.get_by_role("heading", name="Rank photographs")).to_be_visible()
    guest.context.set_offline(True)
    yield
    expect(page.get_by_text("Waiting for the network").first).to_be_visible()
    end_session(page, pool)
    guest.context.set_offline(False)
    fill(page.get_by_role("dialog", name="Please sign in again"), "Sign in", password=PASSWORD)


def downloaded(page):
    """The rows of the ranking as a spreadsheet."""
    with page.expect_download() as asked:
        page.get_by_role("button", name="CSV").click()
    text = Path(asked.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


def shared(page):
    """The address of a new link to the sheet."""
    page.get_by_role("button", name="Share").click()
    dialog = page.get_by_role("dialog", name="Share this sheet")
    dialog.get_by_role("button", name="Make a link").click()
    address = dialog.get_by_role("link").inner_text()
    dialog.get_by_role("button", name="Close").click()
    return address
