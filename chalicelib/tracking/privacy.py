"""What is never kept of a visitor: the full network address, and anything at all of one who opted out."""

import re
from collections.abc import Mapping
from typing import Any

# Keys under which trackers put the visitor's address into properties and traits.
ADDRESS_KEYS = frozenset(
    spelling
    for words in (
        ("ip",),
        ("$ip",),
        ("ip", "address"),
        ("ip", "addr"),
        ("client", "ip"),
        ("user", "ip"),
        ("remote", "addr"),
    )
    for joined in ("".join(words), "_".join(words), words[0] + "".join(word.title() for word in words[1:]))
    for spelling in (joined, joined.upper(), joined[:1].upper() + joined[1:])
)

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


def without_addresses(value: Any) -> Any:
    """The same JSON value without the keys of ADDRESS_KEYS, at any depth."""
    if isinstance(value, dict):
        return {key: without_addresses(inner) for key, inner in value.items() if key not in ADDRESS_KEYS}
    if isinstance(value, list):
        return [without_addresses(inner) for inner in value]
    return value


def mask(text: str) -> str:
    """The text with every address in it cut."""
    return COLONS.sub(network, DIGITS.sub(network, text))


def network(match: re.Match[str]) -> str:
    return cut(match[0]) or match[0]
