"""A tiny API for tests of the client: real HTTP on 127.0.0.1, slots, a bucket and rankings that are final at once.

A photo's score is the number that its file holds; a file that holds none fails.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Headers = dict[str, str]


class TinyApi:
    def __init__(self) -> None:
        self.images: dict[str, dict[str, Any]] = {}
        self.rankings: dict[str, list[str]] = {}
        self.asked: list[tuple[str, str, Headers]] = []
        # Answers to give before the true one: (status, headers), first come first served, by path.
        self.refusals: dict[str, list[tuple[int, Headers]]] = {}
        self.bucket_refuses = False
        self.lock = threading.Lock()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path = urlsplit(self.path).path
                with api.lock:
                    api.asked.append((self.command, path, dict(self.headers)))
                    waiting = api.refusals.get(path)
                    refusal = waiting.pop(0) if waiting else None
                    status, content = (refusal[0], b"{}") if refusal else api.serve(self.command, path, body)
                self.send_response(status)
                for name, value in (refusal[1] if refusal else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815 - named by http.server

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def serve(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        match method, path.strip("/").split("/"):
            case "POST", ["images"]:
                return 201, _json({"items": [self._slot(file) for file in json.loads(body)["files"]]})
            case "POST", ["bucket", image]:
                return self._store(image, body)
            case "GET", ["images", image]:
                return 200, _json(self._image(image))
            case "POST", ["rankings"]:
                return self._create(json.loads(body)["images"])
            case "GET", ["rankings"]:
                return 200, _json({"items": [self._summary(name) for name in self.rankings], "next": None})
            case "GET", ["rankings", ranking]:
                return 200, _json(self._summary(ranking) | {"entries": self._entries(self.rankings[ranking])})
            case "GET", ["models"]:
                return 200, _json({"items": [MODEL], "next": None})
            case "DELETE", [kind, identifier]:
                return (204, b"") if getattr(self, kind).pop(identifier, None) else (404, _refusal("not_found"))
        return 404, _refusal("not_found")

    def _slot(self, file: dict[str, Any]) -> dict[str, Any]:
        image = f"i{len(self.images):05}"
        self.images[image] = {**file, "state": "awaiting_upload"}
        upload = {"url": f"{self.url}/bucket/{image}", "fields": {"key": image}, "expires_at": "2030-01-01T00:00:00Z"}
        return {"id": image, "state": "awaiting_upload", "upload": upload}

    def _store(self, image: str, form: bytes) -> tuple[int, bytes]:
        if self.bucket_refuses:
            return 403, b"<Error><Code>AccessDenied</Code><Message>Policy expired.</Message></Error>"
        content = form.split(b'name="file"')[1].split(b"\r\n\r\n", 1)[1].split(b"\r\n--")[0]
        number = content.removeprefix(b"\xff\xd8\xff")
        known = {"state": "ready", "value": float(number)} if number.isdigit() else {"state": "failed"}
        self.images[image].update(known)
        return 204, b""

    def _image(self, image: str) -> dict[str, Any]:
        item = self.images[image]
        score = {"score": _score(item["value"]), "interval": [0, 100], "domain": "in", "reasons": []}
        nothing = dict.fromkeys(("collection", "format", "width", "height", "bytes", "captured_at"))
        return nothing | {
            "id": image,
            "name": item["name"],
            "state": item["state"],
            "reason": "No number." if item["state"] == "failed" else None,
            "created_at": "",
            "properties": {},
            "labels": [],
            "palette": [],
            "scores": {"general": score} if item["state"] == "ready" else {},
            "urls": {"preview": None, "original": None},
        }

    def _create(self, images: list[str]) -> tuple[int, bytes]:
        if not 2 <= len(images) <= 200:
            return 422, _refusal("unprocessable", "Expected `array` of length <= 200", "images")
        ranking = f"r{len(self.rankings)}"
        self.rankings[ranking] = images
        return 202, _json(self._summary(ranking))

    def _summary(self, ranking: str) -> dict[str, Any]:
        total = len(self.rankings[ranking])
        return {
            "id": ranking,
            "name": None,
            "model": "general",
            "created_at": "",
            "state": "complete",
            "progress": {"done": total, "total": total},
        }

    def _entries(self, images: list[str]) -> list[dict[str, Any]]:
        """beats_next says which two images it is about: 0.5 + the difference of their values / 10 000."""
        ranked = sorted((i for i in images if self.images[i]["state"] == "ready"), key=self._value, reverse=True)
        failed = [image for image in images if image not in ranked]
        entries = []
        for place, image in enumerate(ranked + failed):
            value = self.images[image].get("value")
            below = self._value(ranked[place + 1]) if place + 1 < len(ranked) else None
            entries.append(
                {
                    "rank": place + 1,
                    "image": image,
                    "score": None if value is None else _score(value),
                    "interval": None if value is None else [0, 100],
                    "beats_next": None if value is None or below is None else 0.5 + (value - below) / 10_000,
                    "reasons": [],
                    "similar": [],
                    "domain": None if value is None else "in",
                    "reason": "No number." if value is None else None,
                    "urls": {"preview": None, "original": None},
                }
            )
        return entries

    def _value(self, image: str) -> float:
        return float(self.images[image]["value"])


MODEL = {"id": "general", "name": "", "kind": "general", "state": "ready", "n": 1, "trained_on": "", "report": {}}


@contextmanager
def tiny_api() -> Iterator[TinyApi]:
    api = TinyApi()
    thread = threading.Thread(target=api.http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield api
    finally:
        api.http.shutdown()
        thread.join()
        api.http.server_close()


def _score(value: float) -> float:
    """Rounded, as the API rounds: several values have the same score."""
    return min(100.0, float(int(value / 4)))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _refusal(code: str, message: str = "There is no such thing.", field: str | None = None) -> bytes:
    return _json({"error": {"code": code, "message": message, "field": field}})
