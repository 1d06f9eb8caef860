"""A real headless Chromium, and pages with 20 images whose events a collector records."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.recorder import KEY, Collector, collector, site
from tests.http.conftest import new_caller, pool
from tools import browser_ready

__all__ = ["new_caller", "pool"]  # fixtures from next door

IMAGES = [f"i{number}" for number in range(1, 21)]
# Chromium as people use it; without a window it says HeadlessChrome, which is counted as a bot. A flag, because what a
# context is told to say does not reach the beacon of a page that is gone.
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
# Tracking is all that may go over the wire, and one machine without a GPU draws the pages.
FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    f"--user-agent={AGENT}",
)


# No longer than a module: while Playwright runs, its event loop is this thread's, and other tests want their own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = browser_ready.find()
    if path is None:
        pytest.skip("needs Chromium or Chrome: python -m tools.browser_ready installs one")
    with sync_playwright() as playwright:
        surroundings = {**os.environ, **browser_ready.environment(path)}
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, env=surroundings)
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[BrowserContext]:
    """A visitor with storage of their own and a window of 800 x 600 pixels, which shows an image and two thirds."""
    context = chromium.new_context(viewport={"width": 800, "height": 600})
    context.set_default_timeout(10_000)
    context.new_page()  # a window whose last tab is closed goes away
    yield context
    context.close()


@pytest.fixture
def sent() -> Iterator[Collector]:
    with collector() as collecting:
        yield collecting


@pytest.fixture
def shop(sent: Collector) -> Iterator[str]:
    """The address of a site that is tracked."""
    with site(f"{sent.url}/track.js", KEY, IMAGES) as url:
        yield url


@pytest.fixture
def visit(visitor: BrowserContext, shop: str) -> Callable[..., Page]:
    """visit(path="/", height=600): a page of the site in a new tab."""

    def open_page(path: str = "/", height: int = 600) -> Page:
        page = visitor.new_page()
        page.set_viewport_size({"width": 800, "height": height})
        page.goto(shop + path)
        return page

    return open_page


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A real browser on a busy machine may be late once; what fails three times is broken."""
    for item in items:
        if "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.flaky(reruns=2))
