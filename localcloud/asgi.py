"""What stands in front of ministack, or is it: an ASGI app, and how it reads a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

App = Callable[[Any, Any, Any], Awaitable[None]]


async def whole(receive: Any) -> bytes:
    """A request's body, to its end."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
