"""An account whose images are tracked, and a way to it that loses requests and answers, for tests with real clients."""

from __future__ import annotations

import http.client
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from tests.browser.recorder import Quiet, serving

if TYPE_CHECKING:
    from tests.http.conftest import Caller

KINDS = ("impressions", "clicks", "submits", "conversions")
EVENT_NAMES = ("Image Impression", "Image Clicked", "Form Submitted", "Conversion")
HOP_BY_HOP = {"connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding"}


@dataclass(frozen=True)
class Account:
    """A fresh account with images that nobody has uploaded yet, a ranking of them and a write key."""

    caller: Caller
    images: list[str]
    marker: str  # an image of no client, to see that everything sent before has been counted
    ranking: str
    key: str

    @classmethod
    def open(cls, caller: Caller, images: int, origins: list[str] | None = None) -> Account:
        file = {"name": "photo.jpg", "content_type": "image/jpeg", "size": 1000}
        slots = caller("POST", "/images", {"files": [file] * (images + 1)}).json()["items"]
        marker, *shown = [slot["id"] for slot in slots]
        ranking = caller("POST", "/rankings", {"images": shown}).json()["id"]
        key = caller("POST", "/write-keys", {"allowed_origins": origins or []}).json()["key"]
        return cls(caller, shown, marker, ranking, key)

    def counts(self, query: str = "") -> tuple[int, ...]:
        """Impressions, clicks, submits and conversions of an image, a ranking or, without a query, the account."""
        answer = self.caller("GET", f"/stats?{query}")
        assert answer.status_code == 200, answer.text
        return tuple(answer.json()["totals"][kind] for kind in KINDS)

    def by_image(self) -> dict[str, tuple[int, ...]]:
        return {image: self.counts(f"image={image}") for image in self.images}

    def settle(self, events: int) -> None:
        """Wait until so many events are counted, and one that was sent after them all."""
        self._until("", lambda counted: sum(counted) >= events)
        event = {
            "type": "track",
            "event": "Image Clicked",
            "anonymousId": "marker",
            "properties": {"image": self.marker},
        }
        url = f"{self.caller.base_url}/v1/track"
        assert requests.post(url, json=event, auth=(self.key, ""), timeout=10).status_code == 200
        self._until(f"image={self.marker}", lambda counted: counted == (0, 1, 0, 0))

    def _until(self, query: str, done: Any, seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while not done(counted := self.counts(query)):
            assert time.monotonic() < end, f"/stats?{query} stays {counted}"
            time.sleep(0.5)


@dataclass
class Way:
    """What became of each POST on its way: refused, lost with its answer, or passed."""

    url: str = ""
    fates: Iterator[str] = field(default_factory=lambda: itertools.repeat("pass"))
    seen: list[str] = field(default_factory=list)


@contextmanager
def lossy(target: str, *fates: str) -> Iterator[Way]:
    """A way to the API whose first POSTs meet these fates: "refuse" (503), "lose" (taken, yet not answered), "pass"."""
    way = Way(fates=itertools.chain(fates, itertools.repeat("pass")))
    to = urlsplit(target)

    class Handler(Quiet):
        def do_GET(self) -> None:  # noqa: N802
            self.answer(self.forward(b""))

        def do_OPTIONS(self) -> None:  # noqa: N802
            self.answer(self.forward(b""))

        def do_POST(self) -> None:  # noqa: N802
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fate = next(way.fates)
            answer = (503, {}, b"") if fate == "refuse" else self.forward(body)
            way.seen.append(fate)
            if fate == "lose":
                assert answer[0] < 300, answer
                self.close_connection = True
            else:
                self.answer(answer)

        def forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            connection = http.client.HTTPConnection(to.netloc, timeout=20)
            try:
                connection.request(self.command, to.path + self.path, body or None, headers)
                reply = connection.getresponse()
                return reply.status, dict(reply.getheaders()), reply.read()
            finally:
                connection.close()

        def answer(self, answer: tuple[int, dict[str, str], bytes]) -> None:
            status, headers, body = answer
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as way.url:
        yield way
