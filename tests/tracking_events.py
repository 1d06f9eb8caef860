"""Events as trackers send them, and requests that carry them."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from chalicelib.tracking.intake import Source

ACCOUNT = "atestaccount00001"
KEY = f"wk{ACCOUNT}0123456789abcdef"
RECEIVED = 1_795_000_000_000  # 2026-11-18T11:06:40Z, in ms
SENT_AT = "2026-11-18T11:06:40.000Z"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
ADDRESS = "203.0.113.77"


class Posted(NamedTuple):
    """What came, as `collect` takes it."""

    raw: bytes
    headers: Mapping[str, str] = MappingProxyType({})
    ip: str = ADDRESS


def source(ip: str | None = ADDRESS, agent: str = CHROME, received: int = RECEIVED) -> Source:
    return Source(ACCOUNT, KEY, ip, agent, received)


def uuid7(number: int = 0, at: int = RECEIVED) -> str:
    """A message id made `at` ms; ids of different numbers differ."""
    digits = f"{at:012x}7{number >> 62 & 0xFFF:03x}{1 << 63 | number & (1 << 62) - 1:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def sent(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A click on an image as /track.js sends it; `changes` replace fields, a field that becomes None is left out."""
    event = {
        "messageId": uuid7(number),
        "type": "track",
        "event": "Image Clicked",
        "anonymousId": "1c5e9a52-77c2-4cf3-b0b4-0d2a3c5a2f11",
        "timestamp": "2026-11-18T11:06:38.500Z",
        "properties": {"image": "01k9z5c3a8e7d2m4q6s8v0x1y3", "ranking": "01k9z5c3a8e7d2m4q6s8v0x1y4", "position": 3},
        "context": {"page": {"url": "https://shop.example/lamps"}},
    }
    return {name: value for name, value in (event | changes).items() if value is not None}


def batch(*events: Any, **frame: Any) -> bytes:
    return json.dumps({"batch": events, "sentAt": SENT_AT} | frame).encode()
