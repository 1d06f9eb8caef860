"""A page with 20 images in a real browser, and the real API behind it: every event is counted, and counted once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.browser.recorder import PITCH, leave, site
from tests.tracked import Account, lossy

HALF = 10 * PITCH  # the height of ten images
LONG_ENOUGH = 1500  # ms; an image is seen after 1,000
PRIVACY = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})"


@pytest.fixture
def account(new_caller):
    return Account.open(new_caller(), 20)


@pytest.fixture
def open_shop(cloud, account, visitor):
    """open_shop(*fates): a page of a tracked site, whose first events meet these fates on their way to the API."""
    with ExitStack() as servers:

        def begin(*fates):
            way = servers.enter_context(lossy(cloud.base_url, *fates))
            shop = site(f"{way.url}/track.js", account.key, account.images, account.ranking)
            page = visitor.new_page()
            page.set_viewport_size({"width": 800, "height": HALF})
            page.goto(servers.enter_context(shop))
            return page, way

        yield begin


def see_all(page):
    page.wait_for_timeout(LONG_ENOUGH)
    page.evaluate("y => scrollTo(0, y)", HALF)
    page.wait_for_timeout(LONG_ENOUGH)


def click(page, number):
    page.click(f"img >> nth={number - 1}")


def test_every_event_of_a_page_with_20_images_is_counted_once(open_shop, account):
    page, _ = open_shop()
    see_all(page)
    for number in (13, 13, 20, 11):
        click(page, number)
    page.click("#send")
    page.click("#order")
    page.click("#order")
    leave(page)
    account.settle(20 + 4 + 1 + 2)
    expected = {image: [1, 0, 0, 0] for image in account.images}
    for number, clicks in ((13, 2), (20, 1), (11, 1)):
        expected[account.images[number - 1]][1] = clicks
    expected[account.images[0]][2] = 1
    expected[account.images[1]][3] = 2
    assert account.by_image() == {image: tuple(counted) for image, counted in expected.items()}
    # The form and the goal stand beside the ranking.
    assert account.counts(f"ranking={account.ranking}") == (20, 4, 0, 0)


def test_events_whose_requests_and_answers_are_lost_are_counted_once(open_shop, account):
    page, way = open_shop("refuse", "lose", "pass", "lose")
    see_all(page)
    page.wait_for_timeout(5000)
    click(page, 15)
    leave(page)
    account.settle(20 + 1)
    assert way.seen.count("lose") == 2
    assert account.counts(f"ranking={account.ranking}") == (20, 1, 0, 0)


def test_a_visitor_who_asks_for_privacy_is_not_counted(open_shop, account, visitor):
    visitor.add_init_script(PRIVACY)
    page, way = open_shop()
    see_all(page)
    click(page, 15)
    leave(page)
    account.settle(0)
    assert way.seen == []
    assert account.counts(f"ranking={account.ranking}") == (0, 0, 0, 0)
