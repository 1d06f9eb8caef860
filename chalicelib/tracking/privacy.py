"""What is never kept of a visitor: the full network address, and anything at all of one who opted out."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

# Keys under which trackers put the visitor's address into properties and traits, in small letters and digits alone.
ADDRESS_KEYS = {
    *("ip", "ipv4", "ipv6", "ipaddr", "ipaddress"),
    *("clientip", "clientipaddress", "userip", "useripaddress", "visitorip", "visitoripaddress"),
    *("remoteip", "remoteaddr", "remoteaddress", "sourceip", "realip", "xrealip", "trueclientip", "cfconnectingip"),
    *("forwardedfor", "xforwardedfor", "xclientip"),
}
JOINTS = str.maketrans("", "", "_-$. ")
KNOWN_KEYS = 4096  # that are remembered as no address's, of at most 64 characters
MAX_KNOWN = 512  # characters of a text whose masked form is remembered

MAPPED = bytes(10) + b"\xff\xff"  # IPv4 written as IPv6

DIGITS = re.compile(r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9])")
COLONS = re.compile(r"(?<![0-9A-Za-z:.])(?=[0-9A-Fa-f]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{2,39}(?:(?:\.[0-9]{1,3}){3})?")


def cut(address: str | None) -> str | None:
    """The network of an address: the first 24 bits of IPv4, 48 of IPv6; None for anything else.

    >>> cut("203.0.113.77"), cut("2001:db8:1:2::7"), cut("unknown")
    ('203.0.113.0', '2001:db8:1::', None)
    """
    import socket

    text = (address or "").strip().partition("%")[0]
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        number = socket.inet_pton(family, text)
    except (OSError, ValueError):
        return None
    if family == socket.AF_INET6 and not number.startswith(MAPPED):
        return socket.inet_ntop(family, number[:6] + bytes(10))
    return socket.inet_ntop(socket.AF_INET, number[-4:-1] + bytes(1))


def opted_out(headers: Mapping[str, str] | None) -> bool:
    """Do-Not-Track (`DNT: 1`) or Global Privacy Control (`Sec-GPC: 1`), header names in any case."""
    return any(
        name.lower() in ("dnt", "sec-gpc") and str(value).strip() == "1" for name, value in (headers or {}).items()
    )


_private_keys: set[str] = set()
is_known = _private_keys.issuperset


def is_private(values: dict[str, Any]) -> bool:
    """Whether no key is an address's. Keys are few and seen again and again, hence remembered."""
    return is_known(values) or not any(map(is_address_key, values))


def is_address_key(key: str) -> bool:
    """In any spelling: `ip_address`, `IPAddress`, `X-Forwarded-For`."""
    if key in _private_keys:
        return False
    if key.translate(JOINTS).lower() in ADDRESS_KEYS:
        return True
    if len(key) <= 64 and len(_private_keys) < KNOWN_KEYS:
        _private_keys.add(key)
    return False


def without_addresses(value: Any) -> Any:
    """The same JSON value without the keys of ADDRESS_KEYS, at any depth."""
    if isinstance(value, dict):
        return {key: without_addresses(inner) for key, inner in value.items() if not is_address_key(key)}
    if isinstance(value, list):
        return [without_addresses(inner) for inner in value]
    return value


def mask(text: str) -> str:
    """The text with every address in it cut."""
    if text.count(".") < 3 and text.count(":") < 2:
        return text
    return known_text(text) if len(text) <= MAX_KNOWN else mask_afresh(text)


def mask_url(url: str) -> str:
    """Also the addresses that are percent-encoded, even twice; such a URL is kept decoded."""
    if "%" not in url:
        return mask(url)
    from urllib.parse import unquote

    plain = unquote(unquote(unquote(url)))
    kept = mask(plain)
    return mask(url) if kept == plain else kept


def masked_id(identity: str) -> str:
    """The id of a visitor or a group. Sites without accounts put an address there."""
    return mask(identity) if "." in identity or ":" in identity else identity


def mask_afresh(text: str) -> str:
    return COLONS.sub(network, DIGITS.sub(network, text))


# The user agents and pages of a site come again and again.
known_text = lru_cache(maxsize=2048)(mask_afresh)
known_url = lru_cache(maxsize=2048)(mask_url)


def network(match: re.Match[str]) -> str:
    return cut(match[0]) or match[0]
