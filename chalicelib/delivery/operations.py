"""What may be done to an image on its way out, as one segment of a URL: `w800,h600,fit:cover`.

operation                       meaning                                                   default
w800  h600                      box in pixels, 1-4096; times dpr at most 4096             the original's size
dpr:1.5                         pixels of the device to one of the box, 1-4, one decimal  1
fit:cover                       cover contain inside outside fill                         inside
gravity:north                   center, a compass word, smart, faces: what cover keeps    center
gravity:fp:0.4:0.25             a focal point, fractions of width and height, 3 decimals
crop:10:20:300:200              x:y:w:h in pixels of the upright original, before all else
rotate:90                       90 180 270, clockwise                                     0
flip  flop                      top to bottom; left to right
blur:2.5                        standard deviation in pixels, 0.3-50, 2 decimals
sharpen:1                       strength, 0-5, 2 decimals                                 0
bg:ffffff                       background behind transparency and around contain
q:75  q:auto                    quality, 1-100, or the smallest that looks the same       jpg 80, webp 80, avif 60
max:200000                      bytes that the result may have, 1000-20000000
profile:hq                      fast hq                                                   fast
page:2                          frame or page, 0-999                                      0
watermark:{id}:southeast:40     image, position, opacity 1-100
enlarge                         small originals may be made larger
copyright                       the original's copyright notice is kept
v:3f2a                          version of the original, [A-Za-z0-9_-], 1-32 characters
x:1767225600                    end of validity, Unix seconds

Each at most once. `parse` takes any order and spelled-out defaults, `format` writes the order above without them,
`canonical` multiplies dpr out and drops what cannot matter, so that equal requests have one key. No operation at all is
spelled `_`. A number has one spelling: ASCII digits, no sign, no exponent, no needless zero.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from chalicelib.errors import BadRequest

NONE = "_"
LONGEST_TEXT = 500
LARGEST_SIDE = 4096
QUALITY = {"jpg": 80, "webp": 80, "avif": 60}
LOSSLESS = frozenset({"png", "gif"})

LETTERS = "abcdefghijklmnopqrstuvwxyz"
NUMBER = r"(?:0|[1-9][0-9]*)(?:\.([0-9]*[1-9]))?"  # compiled at its first use, as import time is cold start
COMPASS = "center|north|northeast|east|southeast|south|southwest|west|northwest"
VERSION = "[A-Za-z0-9_-]{1,32}"
IMAGE_ID = "[0-9a-hjkmnp-tv-z]{26}"  # the alphabet of chalicelib.ids
LONGEST_SIDE = 65535  # of an original: the most that a JPEG can say


class Watermark(msgspec.Struct, frozen=True):
    """id: an image of the same account. position: a compass word. opacity: 1-100."""

    id: str
    position: str
    opacity: int


class Operations(msgspec.Struct, frozen=True):
    """The operations of one URL; units and ranges are in the module's table.

    focal: (x, y) in fractions, set exactly when gravity is "fp". crop: (x, y, w, h).
    bg: six lower-case hexadecimal digits. version: `v:`. expires: `x:`.
    """

    w: int | None = None
    h: int | None = None
    dpr: float = 1
    fit: str = "inside"
    gravity: str = "center"
    focal: tuple[float, float] | None = None
    crop: tuple[int, int, int, int] | None = None
    rotate: int = 0
    flip: bool = False
    flop: bool = False
    blur: float | None = None
    sharpen: float = 0
    bg: str | None = None
    q: int | Literal["auto"] | None = None
    max: int | None = None
    profile: str = "fast"
    page: int = 0
    watermark: Watermark | None = None
    enlarge: bool = False
    copyright: bool = False
    version: str | None = None
    expires: int | None = None


class Number(msgspec.Struct, frozen=True):
    """Part of a value: a number from low to high with at most so many decimals."""

    low: float
    high: float
    places: int = 0

    def read(self, text: str) -> float | None:
        match = re.fullmatch(NUMBER, text)
        if match is None or len(match[1] or "") > self.places:
            return None
        value = float(text) if self.places else int(text)
        return value if self.low <= value <= self.high else None


class Word(msgspec.Struct, frozen=True):
    """Part of a value: a text that the pattern matches."""

    pattern: str

    def read(self, text: str) -> str | None:
        return text if re.fullmatch(self.pattern, text) else None


Shape = tuple[Number | Word, ...]


class Rule(msgspec.Struct, frozen=True):
    """How one operation is spelled: for people, and as the shapes that its value may have."""

    usage: str
    shapes: tuple[Shape, ...]


SIDE = (Number(1, LARGEST_SIDE),)
FRACTION = Number(0, 1, 3)
SWITCH: tuple[Shape, ...] = ((),)

GRAMMAR: dict[str, Rule] = {
    "w": Rule("w1 to w4096", (SIDE,)),
    "h": Rule("h1 to h4096", (SIDE,)),
    "dpr": Rule("dpr:1 to dpr:4 with at most one decimal", ((Number(1, 4, 1),),)),
    "fit": Rule(
        "fit:cover, fit:contain, fit:inside, fit:outside or fit:fill", ((Word("cover|contain|inside|outside|fill"),),)
    ),
    "gravity": Rule(
        "gravity:center, a compass word as in gravity:northeast, gravity:smart, gravity:faces, or gravity:fp:x:y with"
        " x and y from 0 to 1 and at most three decimals",
        ((Word(f"{COMPASS}|smart|faces"),), (Word("fp"), FRACTION, FRACTION)),
    ),
    "crop": Rule(
        "crop:x:y:w:h in whole pixels, x and y from 0, w and h from 1, to 65535",
        ((*[Number(0, LONGEST_SIDE)] * 2, *[Number(1, LONGEST_SIDE)] * 2),),
    ),
    "rotate": Rule("rotate:90, rotate:180 or rotate:270", ((Word("0|90|180|270"),),)),
    "flip": Rule("flip, without a value", SWITCH),
    "flop": Rule("flop, without a value", SWITCH),
    "blur": Rule("blur:0.3 to blur:50 with at most two decimals", ((Number(0.3, 50, 2),),)),
    "sharpen": Rule("sharpen:0 to sharpen:5 with at most two decimals", ((Number(0, 5, 2),),)),
    "bg": Rule("bg: and six lower-case hexadecimal digits, as in bg:ffffff", ((Word("[0-9a-f]{6}"),),)),
    "q": Rule("q:1 to q:100, or q:auto", ((Number(1, 100),), (Word("auto"),))),
    "max": Rule("max:1000 to max:20000000 (bytes)", ((Number(1000, 20_000_000),),)),
    "profile": Rule("profile:fast or profile:hq", ((Word("fast|hq"),),)),
    "page": Rule("page:0 to page:999", ((Number(0, 999),),)),
    "watermark": Rule(
        "watermark:id:position:opacity with an image's id, center or a compass word, and 1 to 100",
        ((Word(IMAGE_ID), Word(COMPASS), Number(1, 100)),),
    ),
    "enlarge": Rule("enlarge, without a value", SWITCH),
    "copyright": Rule("copyright, without a value", SWITCH),
    "v": Rule("v: and 1 to 32 of the characters A-Z a-z 0-9 _ -", ((Word(VERSION),),)),
    "x": Rule("x: and Unix seconds, 1 to 9999999999", ((Number(1, 9_999_999_999),),)),
}


def parse(text: str) -> Operations:
    """The operations of a text in any order, with defaults spelled out or not; "" and "_" are none.

    Raises BadRequest (field "operations") that names the operation and what it may be.
    """
    if len(text) > LONGEST_TEXT:
        raise _refusal(f"The operations have {len(text)} characters; at most {LONGEST_TEXT} are allowed.")
    fields: dict[str, Any] = {}
    seen: set[str] = set()
    for operation in text.split(",") if text not in ("", NONE) else ():
        name, values = _read(operation)
        if name in seen:
            raise _refusal(f"The operation {name} is given more than once.")
        seen.add(name)
        fields |= _fields(name, values)
    return _within_limits(Operations(**fields))


def format(operations: Operations) -> str:
    """The operations in the order of the table, without those that are at their default."""
    o = operations
    written = (
        o.w is not None and f"w{o.w}",
        o.h is not None and f"h{o.h}",
        o.dpr != 1 and f"dpr:{_number(o.dpr)}",
        o.fit != "inside" and f"fit:{o.fit}",
        o.gravity != "center" and ":".join(["gravity", o.gravity, *map(_number, o.focal or ())]),
        o.crop is not None and ":".join(["crop", *map(str, o.crop)]),
        o.rotate != 0 and f"rotate:{o.rotate}",
        o.flip and "flip",
        o.flop and "flop",
        o.blur is not None and f"blur:{_number(o.blur)}",
        o.sharpen != 0 and f"sharpen:{_number(o.sharpen)}",
        o.bg is not None and f"bg:{o.bg}",
        o.q is not None and f"q:{o.q}",
        o.max is not None and f"max:{o.max}",
        o.profile != "fast" and f"profile:{o.profile}",
        o.page != 0 and f"page:{o.page}",
        o.watermark is not None and f"watermark:{o.watermark.id}:{o.watermark.position}:{o.watermark.opacity}",
        o.enlarge and "enlarge",
        o.copyright and "copyright",
        o.version is not None and f"v:{o.version}",
        o.expires is not None and f"x:{o.expires}",
    )
    return ",".join(part for part in written if part) or NONE


def canonical(operations: Operations, format: str) -> Operations:
    """The operations without what cannot change a result in this format.

    format: jpg, png, webp, avif, gif, or auto, whose default quality is not known yet.
    """
    dropped: dict[str, Any] = {}
    if operations.w is None and operations.h is None:
        dropped |= {"enlarge": False}
    dropped |= {"w": _pixels(operations.w, operations.dpr), "h": _pixels(operations.h, operations.dpr), "dpr": 1}
    if operations.w is None or operations.h is None:
        dropped |= {"fit": "inside", "gravity": "center", "focal": None}
    elif operations.fit != "cover":
        dropped |= {"gravity": "center", "focal": None}
    if format in LOSSLESS or operations.q == QUALITY.get(format):
        dropped["q"] = None
    return msgspec.structs.replace(operations, **dropped)


def _pixels(side: int | None, dpr: float) -> int | None:
    return None if side is None else max(1, round(side * dpr))


def _read(operation: str) -> tuple[str, list[Any]]:
    """Name and values of one operation: "w800" is ("w", [800]), "fit:cover" ("fit", ["cover"])."""
    rest = operation.lstrip(LETTERS)
    name = operation.removesuffix(rest)
    rule = GRAMMAR.get(name)
    if rule is None:
        raise _refusal(_unknown(name))
    head, *texts = rest.split(":")
    if name in ("w", "h"):
        head, texts = "", [head, *texts]
    for shape in rule.shapes if head == "" else ():
        values = [part.read(text) for part, text in zip(shape, texts, strict=False)]
        if len(texts) == len(shape) and None not in values:
            return name, values
    raise _refusal(f"The operation {name} must be {rule.usage}.")


def _fields(name: str, values: list[Any]) -> dict[str, Any]:
    """What an operation sets in Operations."""
    match name:
        case "gravity":
            return {"gravity": values[0], "focal": tuple(values[1:]) or None}
        case "crop":
            return {"crop": tuple(values)}
        case "watermark":
            return {"watermark": Watermark(*values)}
        case "rotate":
            return {"rotate": int(values[0])}
        case "v":
            return {"version": values[0]}
        case "x":
            return {"expires": values[0]}
    return {name: values[0] if values else True}


def _within_limits(operations: Operations) -> Operations:
    for name, side in (("w", operations.w), ("h", operations.h)):
        if side is not None and side * operations.dpr > LARGEST_SIDE:
            raise _refusal(f"The operation {name} times dpr must be at most {LARGEST_SIDE} pixels.")
    return operations


def _number(value: float) -> str:
    """The one spelling of a number of at most three decimals: 2, 1.5, 0.25."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _unknown(name: str) -> str:
    if not name:
        return "An operation must begin with its name in lower-case letters, as in w800 or fit:cover."
    return f"There is no operation {name[:20]}; there are {', '.join(GRAMMAR)}."


def _refusal(sentence: str) -> BadRequest:
    return BadRequest(sentence, field="operations")
