"""Two small real servers: a site with images, and a collector that records what its pages send.

The collector speaks the contract of `GET /track.js` and `POST /v1/e`, and can be told to fail: to answer any status,
to break the connection, or to answer late. The site stands on a port of its own, so every event crosses origins.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from chalicelib import web
from tests.bad_images import sample

if TYPE_CHECKING:
    from playwright.sync_api import Page

KEY = "wk123"
BROKEN = 0  # instead of a status: the connection breaks without an answer
IMAGE_HEIGHT, PITCH = 300, 400  # pixels


@dataclass(frozen=True)
class Request:
    """One POST as it came, and the status that it was answered."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.text)

    @property
    def ids(self) -> list[str]:
        return [event["messageId"] for event in self.body["batch"]]

    @property
    def is_beacon(self) -> bool:
        return self.headers["Sec-Fetch-Mode"] == "no-cors"


class Collector:
    """What was sent to `/v1/e`; `answer` chooses the status of each body, `delay` holds each answer back."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.answer: Callable[[str], int] = lambda _text: 204
        self.delay = 0.0
        self.retry_after = ""

    def events(self) -> list[dict[str, Any]]:
        """The events that were accepted, in the order of their arrival, each as often as it came."""
        accepted = [request for request in list(self.requests) if request.status == 204]
        return [event for request in accepted for event in request.body["batch"]]

    def until(self, count: int, seconds: float = 40) -> list[dict[str, Any]]:
        """The accepted events as soon as there are so many, and a moment for those that should not come.

        A page that went while it was sending leaves its batch to others for 30 seconds.
        """
        end = time.monotonic() + seconds
        while len(self.events()) < count:
            assert time.monotonic() < end, f"{len(self.events())} events instead of {count}: {self.events()}"
            time.sleep(0.02)
        time.sleep(0.3)
        return self.events()

    def until_asked(self, times: int, seconds: float = 25) -> list[Request]:
        """The requests as soon as there are so many, whatever they were answered."""
        end = time.monotonic() + seconds
        while len(self.requests) < times:
            assert time.monotonic() < end, f"{len(self.requests)} requests instead of {times}"
            time.sleep(0.02)
        return list(self.requests)

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        text = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        status = self.answer(text)
        self.requests.append(Request(status, dict(handler.headers), text))
        time.sleep(self.delay)
        if status == BROKEN:
            handler.close_connection = True
            return
        handler.send_response(status)
        handler.send_header("Access-Control-Allow-Origin", "*")
        handler.send_header("Access-Control-Expose-Headers", "Retry-After")
        if self.retry_after:
            handler.send_header("Retry-After", self.retry_after)
        if status != 204:
            handler.send_header("Content-Length", "0")
        handler.end_headers()


@contextmanager
def collector() -> Iterator[Collector]:
    collecting = Collector()

    class Handler(Quiet):
        def do_GET(self) -> None:
            give(self, *web.asset(self.path.removeprefix("/")))

        def do_POST(self) -> None:
            assert self.path == "/v1/e", self.path
            collecting.take(self)

    with serving(Handler) as collecting.url:
        yield collecting


@contextmanager
def site(script: str, key: str, images: list[str], ranking: str = "r1") -> Iterator[str]:
    """The address of a site whose every path is a page with these images, one below the other."""
    page = write_page(script, key, images, ranking).encode()
    picture = sample("png", 8, 6)

    class Handler(Quiet):
        def do_GET(self) -> None:
            if self.path.startswith("/missing"):
                self.send_error(404)
            elif self.path.endswith(".png"):
                give(self, picture, "image/png")
            else:
                give(self, page, "text/html; charset=utf-8")

    with serving(Handler) as url:
        yield url


def write_page(script: str, key: str, images: list[str], ranking: str) -> str:
    shown = "\n".join(
        f'<img src="/{position}.png" data-ps-image="{image}" data-ps-position="{position}">'
        for position, image in enumerate(images, start=1)
    )
    return f"""<!doctype html>
<title>Twenty images</title>
<link rel="icon" href="data:,">
<script src="{script}" data-key="{key}" defer></script>
<style>
  body {{ margin: 0 }}
  img {{ display: block; width: 400px; height: {IMAGE_HEIGHT}px; margin-bottom: {PITCH - IMAGE_HEIGHT}px }}
  aside {{ position: fixed; top: 0; right: 0 }}
</style>
<aside>
  <form data-ps-image="{images[0]}" onsubmit="return false"><input name="mail"><button id="send">Send</button></form>
  <button id="order" data-ps-image="{images[1]}" data-ps-goal="order">Order</button>
  <button id="other">No goal, no image</button>
</aside>
<main data-ps-ranking="{ranking}">
{shown}
</main>
"""


def leave(page: Page) -> None:
    """Go elsewhere, so that the page sends what it still has."""
    page.goto("about:blank")


class Quiet(BaseHTTPRequestHandler):
    """No log line for each request; a browser that is gone before its answer is no error."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_about: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True


def give(handler: BaseHTTPRequestHandler, body: bytes, content_type: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", content_type)
    handler.send_header("Content-Length", str(len(body)))
    # On a connection that was used before, Chromium itself repeats a request that got no answer.
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
