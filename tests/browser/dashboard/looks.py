"""How a page looks: to axe-core, which knows what keeps people out, and in a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SCREENSHOTS = Path(__file__).parents[3] / "build" / "screenshots"
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 375, "height": 812}
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def assert_accessible(page: Page) -> None:
    """Nothing on the page, as it is now, violates WCAG 2.2 at level AA as far as a program can tell."""
    _assert_no_violation(page, {"type": "tag", "values": WCAG})


def assert_legible(page: Page) -> None:
    """All text has the contrast of WCAG 2.2 AA: what another color scheme may change."""
    _assert_no_violation(page, {"type": "rule", "values": ["color-contrast"]})


def _assert_no_violation(page: Page, rules: dict[str, Any]) -> None:
    page.evaluate(COME_TO_REST)
    found = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]}).response["violations"]
    assert not found, "\n".join(f"{each['id']}, {each['help']}: {_places(each)}" for each in found)


# Even a transition of no length shows the color from before until the next frame.
COME_TO_REST = """async () => {
  await new Promise(requestAnimationFrame);
  const ending = document.getAnimations().filter((one) => Number.isFinite(one.effect.getComputedTiming().endTime));
  await Promise.allSettled(ending.map((one) => one.finished));
}"""


def _places(violation: dict[str, Any]) -> str:
    return "; ".join(f"{node['html'][:120]} {node['failureSummary']}" for node in violation["nodes"][:3])


def shot(page: Page, name: str, *, dark: bool = False, phone: bool = False) -> None:
    """Write build/screenshots/NAME.png of a window of 1280 x 800, and if asked NAME-dark.png and NAME-phone.png."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    _take(page, name, WIDE, "light")
    if dark:
        _take(page, f"{name}-dark", WIDE, "dark")
    if phone:
        _take(page, f"{name}-phone", PHONE, "light")
    page.emulate_media(color_scheme="light")
    if before:
        page.set_viewport_size(before)


def _take(page: Page, name: str, window: dict[str, int], scheme: str) -> None:
    page.set_viewport_size(window)
    page.emulate_media(color_scheme=scheme)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")
