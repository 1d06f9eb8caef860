"""S3 objects by their addresses, read and written through the emulator's own application, without a socket."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree


class Objects:
    def __init__(self, app: Any):
        self.app = app

    async def get(self, address: str) -> bytes | None:
        """The bytes at s3://bucket/key, or None."""
        status, body = await self._ask("GET", *_split(address))
        return body if status == 200 else None

    async def put(self, address: str, data: bytes) -> None:
        """Raises OSError when the emulator does not take it."""
        status, _ = await self._ask("PUT", *_split(address), body=data)
        if status != 200:
            raise OSError(f"{address} was not written: {status}")

    async def below(self, address: str) -> list[str]:
        """The addresses that begin with this one, at most 1,000."""
        bucket, prefix = _split(address)
        status, body = await self._ask("GET", bucket, "", {"list-type": "2", "prefix": prefix})
        if status != 200:
            return []
        keys = ElementTree.fromstring(body).iterfind("{*}Contents/{*}Key")  # noqa: S314 - the emulator wrote it
        return [f"s3://{bucket}/{key.text}" for key in keys]

    async def _ask(
        self, method: str, bucket: str, key: str, query: dict[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, bytes]:
        path, status, answered = f"/{bucket}/{key}".rstrip("/"), 500, bytearray()
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": urlencode(query or {}).encode(),
            "headers": [(b"host", b"127.0.0.1"), (b"content-length", str(len(body)).encode())],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            answered.extend(message.get("body", b""))

        await self.app(scope, receive, send)
        return status, bytes(answered)


def _split(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.netloc, parts.path.removeprefix("/")
