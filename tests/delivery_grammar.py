"""What hypothesis may put into a delivery URL: operations, originals, and keys that break naive code."""

import msgspec
from hypothesis import strategies as st

from chalicelib.delivery.operations import LARGEST_SIDE, Operations, Watermark, canonical
from chalicelib.delivery.variant import AUTO, FORMATS, Original, Variant, original

ACCOUNT = "ab2c3d4e5f6g7h2i3"
IMAGE = "01hzy3v8qk5m7n9p2r4s6t8w0x"
ODD_KEYS = [
    "cat.jpg",
    "shop/2024/05/cats/black/cat_1-large,v2.jpg",
    "summer photos/black cat.jpg",
    "a+b.jpg",
    "100%20.jpg",
    "..%2f..%2fetc",
    "cat (1).jpg",
    "Fotos/Größe.jpg",
    "写真/🐈.jpg",
    "what?#&=;@:!$'*~.jpg",
    "s/cat.jpg",
    "/".join("folders") + "/cat.jpg",
]
COMPASS = ["center", "north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest"]

formats = st.sampled_from([*FORMATS, AUTO])
sides = st.none() | st.integers(1, LARGEST_SIDE)
tokens = st.from_regex("[A-Za-z0-9_-]{1,32}", fullmatch=True)
images = st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=26, max_size=26)
accounts = st.from_regex("a[a-z2-7]{16}", fullmatch=True)


def decimals(low: float, high: float, places: int) -> st.SearchStrategy[float]:
    steps = 10**places
    return st.integers(round(low * steps), round(high * steps)).map(lambda number: number / steps)


def _small_enough(operations: Operations) -> bool:
    return all((side or 0) * operations.dpr <= LARGEST_SIDE for side in (operations.w, operations.h))


fractions = decimals(0, 1, 3)
every_operation = st.builds(
    Operations,
    w=sides,
    h=sides,
    dpr=st.just(1) | decimals(1, 4, 1),
    fit=st.sampled_from(["cover", "contain", "inside", "outside", "fill"]),
    gravity=st.sampled_from([*COMPASS, "smart", "faces"]),
    crop=st.none() | st.tuples(*[st.integers(0, 65535)] * 2, *[st.integers(1, 65535)] * 2),
    rotate=st.sampled_from([0, 90, 180, 270]),
    flip=st.booleans(),
    flop=st.booleans(),
    blur=st.none() | decimals(0.3, 50, 2),
    sharpen=decimals(0, 5, 2),
    bg=st.none() | st.from_regex("[0-9a-f]{6}", fullmatch=True),
    q=st.none() | st.integers(1, 100) | st.just("auto"),
    max=st.none() | st.integers(1000, 20_000_000),
    profile=st.sampled_from(["fast", "hq"]),
    page=st.integers(0, 999),
    watermark=st.none() | st.builds(Watermark, images, st.sampled_from(COMPASS), st.integers(1, 100)),
    enlarge=st.booleans(),
    copyright=st.booleans(),
    version=st.none() | tokens,
    expires=st.none() | st.integers(1, 9_999_999_999),
).filter(_small_enough)


def _focused(operations: Operations, point: tuple[float, float] | None) -> Operations:
    gravity = "fp" if point else operations.gravity
    return msgspec.structs.replace(operations, gravity=gravity, focal=point)


valid_operations = st.builds(_focused, every_operation, st.none() | st.tuples(fractions, fractions))

segments = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/"), min_size=1).filter(
    lambda segment: segment not in {".", ".."}
)
source_keys = (
    st.sampled_from(ODD_KEYS)
    | st.lists(st.from_regex(r"[A-Za-z0-9_.,-]{3,9}", fullmatch=True).filter(lambda s: s != "..."), min_size=1).map(
        "/".join
    )
    | st.lists(segments, min_size=1, max_size=8).map("/".join)
).filter(lambda key: len(key.encode()) <= 300)
originals = st.builds(original, accounts, source_keys) | st.builds(Original, accounts, image=images)


def _variant(source: Original, operations: Operations, file_format: str) -> Variant:
    return Variant(source, canonical(operations, file_format), file_format)


variants = st.builds(_variant, originals, valid_operations, formats)
preset_variants = st.builds(
    Variant,
    originals,
    st.builds(Operations, version=st.none() | tokens),
    formats,
    preset=st.from_regex("[a-z0-9][a-z0-9_-]{0,39}", fullmatch=True),
)
signatures = st.from_regex(r"[a-z0-9]{1,4}\.[A-Za-z0-9_-]{22}", fullmatch=True)
