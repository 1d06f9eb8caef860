"""How many parts an SMS is billed as.

A text of the GSM alphabet (3GPP TS 23.038, formerly GSM 03.38) has 7 bits a character: 160 characters in one part, or
153 in each of several, as the header that joins them takes the room of seven. The ten characters of the extension
table take two places, the first of which is an escape. A single character outside both tables turns the whole text to
UCS-2: 70 places, or 67 in each of several, and two places for what lies beyond 16 bits, as an emoji does. Neither pair
is ever split between two parts, so a part may be one place short. The tables of single languages ("national shift
tables") are left out, as SNS does not use them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"
PLACES = dict.fromkeys(BASIC, 1) | dict.fromkeys(EXTENSION, 2)
SINGLE = {"gsm7": 160, "ucs2": 70}
JOINED = {"gsm7": 153, "ucs2": 67}
MOST_HINTS = 10

# What typewriters had instead of typographic characters; word processors and keyboards of phones put these in.
PLAIN = {
    "‘": "'", "’": "'", "‚": ",", "‛": "'", "`": "'", "´": "'", "′": "'",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "″": '"', "‹": "<", "›": ">",
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-",
    "…": "...", "•": "-", "·": ".", "×": "x", "\t": " ",
    "\u00a0": " ", "\u2002": " ", "\u2003": " ", "\u2007": " ", "\u2009": " ", "\u200a": " ", "\u202f": " ",
    "\u200b": "", "\u200c": "", "\u200d": "", "\u2060": "", "\ufeff": "", "\u00ad": "",
    "\u2028": "\n", "\u2029": "\n",
}  # fmt: skip


class Hint(msgspec.Struct, frozen=True):
    """A character that forces UCS-2. at: its first place in the text, from 0. instead: what would not, if anything."""

    character: str
    name: str
    at: int
    instead: str | None


class Parts(msgspec.Struct, frozen=True):
    """characters: places taken, which is what the limits count; parts: 0 for no text at all.

    hints: the characters that force UCS-2, at most 10 different ones, in the order of the text.
    """

    encoding: Literal["gsm7", "ucs2"]
    characters: int
    parts: int
    hints: tuple[Hint, ...] = ()


def parts(text: str) -> Parts:
    """What an SMS with this text takes."""
    encoding: Literal["gsm7", "ucs2"] = "gsm7" if all(character in PLACES for character in text) else "ucs2"
    places: Callable[[str], int] = PLACES.__getitem__ if encoding == "gsm7" else _units
    widths = [places(character) for character in text]
    hints = () if encoding == "gsm7" else _hints(text)
    return Parts(encoding, sum(widths), _parts(widths, SINGLE[encoding], JOINED[encoding]), hints)


def _units(character: str) -> int:
    return 2 if ord(character) > 0xFFFF else 1


def _parts(widths: Iterable[int], single: int, joined: int) -> int:
    widths = list(widths)
    if sum(widths) <= single:
        return min(len(widths), 1)
    count, left = 0, 0
    for width in widths:
        if width > left:
            count, left = count + 1, joined
        left -= width
    return count


def _hints(text: str) -> tuple[Hint, ...]:
    import unicodedata

    first: dict[str, int] = {}
    for at, character in enumerate(text):
        if character not in PLACES and len(first) < MOST_HINTS:
            first.setdefault(character, at)
    return tuple(
        Hint(character, unicodedata.name(character, f"U+{ord(character):04X}"), at, _instead(character))
        for character, at in first.items()
    )


def _instead(character: str) -> str | None:
    """The nearest text of the GSM alphabet: from PLAIN, or the letter without its accent."""
    import unicodedata

    if character in PLAIN:
        return PLAIN[character]
    bare = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    return bare if bare and all(c in PLACES for c in bare) else None
