"""How soon one can use the dashboard in a browser on this machine, and how soon one sees 100 photos that were dropped.

Chromium without a window, a local cloud of its own on free ports, as `make run` starts it. Each view is opened in a
browser context of its own, whose cache is empty; medians of 5, of photos 3.

- `first_view_ms`: from the start of the navigation until the sign-in form is there and works, or for somebody who is
  signed in (`first_view_signed_in_ms`) the page where photos are dropped.
- `first_view_gz_bytes`, `first_view_signed_in_gz_bytes`: all that was fetched for it, each file compressed by itself.
- `thumbnails_100_ms`: from the choice of 100 photos until all have their frame and those in the window are decoded,
  while they are being uploaded; rated ones of about 0.2 megapixels. `thumbnails_100_ms_12mp`: of 12 megapixels.
"""

from __future__ import annotations

import gzip
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Response, sync_playwright

from bench import photos
from localcloud.run import Ports, cloud
from tools import browser_ready
from tools.connection import DEMO_PASSWORD, DEMO_USER, demo_token

VIEWS = 5
DROPS = 3
PHOTOS = 100
CAMERA = (4000, 3000)
CAMERA_PHOTOS = 25  # as many different ones; each is dropped under four names
CAMERA_FOLDER = Path("build/bench-dashboard")
WINDOW: Any = {"width": 1280, "height": 800}
ABSENT = "There is no Chromium and no Chrome: python -m tools.browser_ready installs one."

# In the page from its beginning. The view is there when its heading and its script are.
WATCH_VIEW = """
const look = () => document.querySelector("h1") && performance.getEntriesByName("interactive").length > 0
  ? performance.mark("first-view") : requestAnimationFrame(look);
requestAnimationFrame(look);
"""
VIEW_MS = "() => performance.getEntriesByName('first-view')[0]?.startTime"
WATCH_DROP = """number => {
  const inWindow = (one) => {
    const { top, bottom } = one.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  };
  const done = async (started) => {
    const cells = [...document.querySelectorAll(".cell")];
    const pictures = cells.filter(inWindow).map((cell) => cell.querySelector("img"));
    const loaded = pictures.every((one) => one?.complete && one.naturalWidth > 0);
    if (cells[0]?.ariaSetSize !== String(number) || !loaded) return requestAnimationFrame(() => done(started));
    await Promise.all(pictures.map((one) => one.decode()));
    requestAnimationFrame(() => { window.dropMs = performance.now() - started; });
  };
  document.addEventListener("change", () => done(performance.now()), { capture: true, once: true });
}"""


def main() -> int:
    path = browser_ready.find()
    if path is None:
        print(ABSENT, file=sys.stderr)
        return 2
    small, large = photos.rated(PHOTOS), camera_photos()
    with tempfile.TemporaryDirectory() as state, cloud(Path(state), Ports.free()) as local, chromium(path) as browser:
        demo_token(local.env)  # makes the demo user
        bench = Bench(browser, f"{local.base_url}/dashboard")
        measured = bench.all(small, large)
    print(json.dumps(measured))
    return 0


@contextmanager
def chromium(path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        surroundings: Any = {**os.environ, **browser_ready.environment(path)}
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-gpu"], env=surroundings)
        yield browser
        browser.close()


class Bench:
    """url: of the dashboard."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        self.url = url

    def all(self, small: list[Path], large: list[Path]) -> dict[str, float]:
        signed_in = self.sign_in()
        return {
            "first_view_ms": self.view_ms(None),
            "first_view_signed_in_ms": self.view_ms(signed_in),
            "first_view_gz_bytes": self.view_bytes(None),
            "first_view_signed_in_gz_bytes": self.view_bytes(signed_in),
            "thumbnails_100_ms": self.drop_ms(signed_in, small),
            "thumbnails_100_ms_12mp": self.drop_ms(signed_in, large),
        }

    def sign_in(self) -> Any:
        """The storage of a browser in which the demo user is signed in."""
        with self.page(None) as page:
            page.goto(self.url)
            page.get_by_label("E-mail address").fill(DEMO_USER)
            page.get_by_label("Password", exact=True).fill(DEMO_PASSWORD)
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.get_by_role("button", name="Choose photographs").wait_for()
            return page.context.storage_state()

    def view_ms(self, storage: Any) -> float:
        return round(statistics.median(self._view_ms(storage) for _ in range(VIEWS)))

    def _view_ms(self, storage: Any) -> float:
        with self.page(storage) as page:
            page.add_init_script(WATCH_VIEW)
            page.goto(self.url)
            return float(page.wait_for_function(VIEW_MS).json_value())

    def view_bytes(self, storage: Any) -> int:
        with self.page(storage) as page:
            answers: list[Response] = []
            page.on("response", lambda answer: answers.append(answer))
            page.goto(self.url)
            page.locator("h1").wait_for()
            return sum(len(gzip.compress(answer.body())) for answer in answers if answer.ok)

    def drop_ms(self, storage: Any, files: list[Path]) -> float:
        return round(statistics.median(self._drop_ms(storage, files) for _ in range(DROPS)))

    def _drop_ms(self, storage: Any, files: list[Path]) -> float:
        with self.page(storage) as page:
            page.goto(self.url)
            page.get_by_role("button", name="Choose photographs").wait_for()
            page.evaluate(WATCH_DROP, len(files))
            page.set_input_files("input[name=photographs]", list(files))
            return float(page.wait_for_function("() => window.dropMs").json_value())

    @contextmanager
    def page(self, storage: Any) -> Iterator[Page]:
        """A page in a browser context of its own. storage: who is signed in, if anybody."""
        context = self.browser.new_context(viewport=WINDOW, storage_state=storage)
        yield context.new_page()
        context.close()


def camera_photos() -> list[Path]:
    """100 files as large as a camera's; made at the first time and kept in build/."""
    CAMERA_FOLDER.mkdir(parents=True, exist_ok=True)
    return [path for number, photo in enumerate(photos.rated(CAMERA_PHOTOS)) for path in _names(number, photo)]


def _names(number: int, photo: Path) -> list[Path]:
    """The enlarged photo under all its names."""
    first, *others = [CAMERA_FOLDER / f"{number}-{copy}.jpg" for copy in range(PHOTOS // CAMERA_PHOTOS)]
    if not first.exists():
        _enlarge(photo, first)
    for other in others:
        if not other.exists():
            other.hardlink_to(first)
    return [first, *others]


def _enlarge(photo: Path, to: Path) -> None:
    from PIL import Image

    with Image.open(photo) as small:
        smooth = small.convert("RGB").resize(CAMERA, Image.Resampling.BICUBIC)
    made = to.with_suffix(".part")
    Image.fromarray(photos.grainy(smooth)).save(made, "JPEG", quality=85)
    made.rename(to)


if __name__ == "__main__":
    sys.exit(main())
