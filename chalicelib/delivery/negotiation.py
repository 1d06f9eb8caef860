"""Which newer formats a client takes, from its `Accept` header (RFC 9110, sections 12.4.2 and 12.5.1)."""

from __future__ import annotations

import re

NEWER = {"image/avif": "avif", "image/webp": "webp"}
WEIGHT = r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)"


def accepts(accept: str | None) -> frozenset[str]:
    """Of "avif" and "webp" what the client names itself with a weight above zero.

    `image/*` and `*/*` name neither: clients that send only these get JPEG or PNG. A weight that is none counts as
    zero, so a nonsensical header costs bytes, never a broken picture.
    """
    return frozenset(filter(None, map(_named, (accept or "").lower().split(","))))


def _named(member: str) -> str | None:
    """The newer format that one member of the list names, as in "image/avif;q=0.8"."""
    media_type, *parameters = (part.strip(" \t") for part in member.split(";"))
    weights = [parameter for parameter in parameters if parameter.startswith("q=")]
    return NEWER.get(media_type) if all(map(_positive, weights)) else None


def _positive(weight: str) -> bool:
    match = re.fullmatch(WEIGHT, weight)
    return match is not None and float(match[1]) > 0
