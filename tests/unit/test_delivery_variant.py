from base64 import urlsafe_b64encode

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.delivery.operations import Operations, parse
from chalicelib.delivery.variant import (
    Original,
    Variant,
    format_key,
    original,
    parse_key,
    private_key,
    signed_text,
    with_format,
    with_version,
)
from chalicelib.errors import BadRequest
from tests.delivery_grammar import ACCOUNT, IMAGE, ODD_KEYS, preset_variants, signatures, variants

SIGNATURE = "1.AAAAAAAAAAAAAAAAAAAAAA"


def encoded(key: str | bytes) -> str:
    return urlsafe_b64encode(key.encode() if isinstance(key, str) else key).decode().rstrip("=")


def read(key: str) -> Variant | None:
    """None when the key is refused; any other error fails the test."""
    try:
        return parse_key(key)
    except BadRequest:
        return None


def refusal(key: str) -> str:
    with pytest.raises(BadRequest) as refused:
        parse_key(key)
    assert refused.value.field == "key"
    return refused.value.message


def signed(source: str, text: str = "w800", file_format: str = "webp") -> Variant:
    return Variant(original(ACCOUNT, source), parse(text), file_format, signature=SIGNATURE)


@given(variants, signatures)
def test_a_signed_key_is_read_back(variant, signature):
    asked = replace(variant, signature=signature)
    assume(len(signed_text(asked)) <= 900)
    assert parse_key(format_key(asked)) == asked


@given(preset_variants)
def test_a_preset_key_is_read_back(variant):
    assert parse_key(format_key(variant)) == variant


@pytest.mark.parametrize("source", ODD_KEYS)
def test_odd_source_keys_are_read_back(source):
    assert parse_key(format_key(signed(source))).original.key == source


@pytest.mark.parametrize(
    ("source", "path"),
    [
        (IMAGE, IMAGE),
        ("photos/cat,1.jpg", "s/photos/cat,1.jpg"),
        ("a b.jpg", "b/YSBiLmpwZw"),
        ("ü", "b/w7w"),
    ],
)
def test_an_original_has_one_path(source, path):
    assert format_key(signed(source)) == f"v/{SIGNATURE}/w800/{ACCOUNT}/{path}.webp"


def test_the_keys_of_presets():
    plain = Variant(original(ACCOUNT, "cat.jpg"), Operations(), "jpg", preset="thumb")
    assert format_key(plain) == f"v/preset/thumb/{ACCOUNT}/s/cat.jpg.jpg"
    assert format_key(with_version(plain, "3f2a")) == f"v/preset/thumb,v:3f2a/{ACCOUNT}/s/cat.jpg.jpg"


def test_all_end_times_of_a_picture_share_one_private_object():
    keys = {private_key(signed(IMAGE, f"w800,v:3f2a,x:{end}")) for end in (1_767_225_600, 1_767_225_601)}
    assert keys == {f"x/w800,v:3f2a/{ACCOUNT}/{IMAGE}.webp"}


def test_the_signed_text_is_all_behind_the_signature():
    asked = signed(IMAGE, "w800,x:1767225600")
    assert format_key(asked) == f"v/{SIGNATURE}/{signed_text(asked)}"


def test_another_format_drops_what_does_not_matter_in_it_and_the_signature():
    png = with_format(signed(IMAGE, "w800,q:75"), "png")
    assert png == Variant(Original(ACCOUNT, image=IMAGE), parse("w800"), "png")


def test_another_version_drops_the_signature():
    assert with_version(signed(IMAGE), "3f2a") == replace(signed(IMAGE, "w800,v:3f2a"), signature=None)


@given(st.text() | st.text("v/preset1.A_,:ab2cgjpwebsx", max_size=80))
@example(f"v/{SIGNATURE}/w800/{ACCOUNT}/b/\ud800.webp")
@example(f"v/{SIGNATURE}/\ud800/{ACCOUNT}/{IMAGE}.webp")
def test_any_text_is_read_or_refused(text):
    variant = read(text)
    assert variant is None or format_key(variant) == text


@given(
    st.sampled_from(["_", "w800", "w800,h600"]),
    st.sampled_from([IMAGE, "s/cat.jpg", "b/YSBi", "s/", "b/", "s", "x/cat"]),
    st.text("/.%2fF\\sb~\n\0 aä", max_size=6),
    st.integers(0, 12),
)
def test_a_disturbed_path_is_read_as_it_stands_or_refused(asked, path, noise, position):
    key = f"v/{SIGNATURE}/{asked}/{ACCOUNT}/{path[:position]}{noise}{path[position:]}.webp"
    variant = read(key)
    assert variant is None or format_key(variant) == key


@pytest.mark.parametrize(
    "path",
    [
        "s/../secret.jpg",
        "s/a/../../b.jpg",
        "s/./cat.jpg",
        "s/..",
        "s//cat.jpg",
        "s/a//b.jpg",
        "s/a/",
        "s/",
        "s/a%2fb.jpg",
        "s/a%2Fb.jpg",
        "s/a b.jpg",
        "s/a+b.jpg",
        "s/ä.jpg",
        "s/a\\b.jpg",
        "s/a\nb.jpg",
        "s/a\0b.jpg",
        f"s/{'a' * 601}",
        f"b/{encoded('../secret ')}",
        f"b/{encoded('/a b')}",
        f"b/{encoded('a b/')}",
        f"b/{encoded('a\nb')}",
        f"b/{encoded('a\x85b')}",
        f"b/{encoded(b'\xff\xfe')}",
        f"b/{encoded(b'\xed\xa0\x80')}",
        f"b/{encoded('ü' * 301)}",
        f"b/{encoded('plain.jpg')}",
        "b/",
        "b/YSBiLmpwZw==",
        "b/YSBiLmpwZx",
        "b/YSBi/LmpwZw",
        "b/a",
        "b/w7w.",
        IMAGE.upper(),
        IMAGE[:25],
        f"{IMAGE}0",
        f"{IMAGE[:25]}u",
        f"{IMAGE}/cat",
        "o/cat.jpg",
        "cat.jpg",
        "",
        "/",
    ],
)
def test_a_path_that_is_no_canonical_path_is_refused(path):
    refusal(f"v/{SIGNATURE}/w800/{ACCOUNT}/{path}.webp")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "v/",
        f"/v/{SIGNATURE}/w800/{ACCOUNT}/{IMAGE}.webp",
        f"V/{SIGNATURE}/w800/{ACCOUNT}/{IMAGE}.webp",
        f"x/w800/{ACCOUNT}/{IMAGE}.webp",
        f"originals/{ACCOUNT}/{IMAGE}",
        f"other-bucket/v/{SIGNATURE}/w800/{ACCOUNT}/{IMAGE}.webp",
        f"v/{SIGNATURE}/w800/{ACCOUNT}/{IMAGE}.webp\n",
        f"v/{SIGNATURE}/w800/{ACCOUNT}/{IMAGE}.webp?",
        f"v/{SIGNATURE}/w800/{ACCOUNT}/{IMAGE}.WEBP",
        f"v/{SIGNATURE}/w800/{ACCOUNT}/{IMAGE}.svg",
        f"v/{SIGNATURE}/w800/{ACCOUNT}/{IMAGE}",
        f"v/{SIGNATURE}/w800/{ACCOUNT[1:]}/{IMAGE}.webp",
        f"v/{SIGNATURE}/w800/{ACCOUNT.upper()}/{IMAGE}.webp",
        f"v/{SIGNATURE}//{ACCOUNT}/{IMAGE}.webp",
        f"v/{SIGNATURE}A/w800/{ACCOUNT}/{IMAGE}.webp",
        f"v/{SIGNATURE[2:]}/w800/{ACCOUNT}/{IMAGE}.webp",
        f"v/toolong{SIGNATURE}/w800/{ACCOUNT}/{IMAGE}.webp",
        f"v/w800/{ACCOUNT}/{IMAGE}.webp",
        f"v/preset//{ACCOUNT}/{IMAGE}.webp",
        f"v/preset/Thumb/{ACCOUNT}/{IMAGE}.webp",
        f"v/preset/{'a' * 41}/{ACCOUNT}/{IMAGE}.webp",
        f"v/preset/thumb,v:/{ACCOUNT}/{IMAGE}.webp",
        f"v/preset/thumb,w800/{ACCOUNT}/{IMAGE}.webp",
        f"v/preset/thumb,x:1767225600/{ACCOUNT}/{IMAGE}.webp",
    ],
)
def test_what_is_no_key_is_refused(key):
    assert refusal(key).startswith("The key must be v/")


@pytest.mark.parametrize(
    ("text", "file_format", "spelling"),
    [
        ("h600,w800", "webp", "w800,h600"),
        ("w800,dpr:1", "webp", "w800"),
        ("w800,fit:cover", "webp", "w800"),
        ("w800,q:80", "webp", "w800"),
        ("w800,q:75", "png", "w800"),
        ("rotate:0", "webp", "_"),
    ],
)
def test_another_spelling_of_the_operations_is_refused_with_the_one(text, file_format, spelling):
    key = f"v/{SIGNATURE}/{text}/{ACCOUNT}/{IMAGE}.{file_format}"
    assert refusal(key) == f"The operations of this key have one spelling: {spelling}"


def test_another_spelling_of_the_path_is_refused_with_the_one():
    key = f"v/{SIGNATURE}/w800/{ACCOUNT}/b/{encoded('plain.jpg')}.webp"
    assert refusal(key) == "The path of this original has one spelling: s/plain.jpg"


def test_a_wrong_operation_in_a_key_is_named():
    assert refusal(f"v/{SIGNATURE}/w0/{ACCOUNT}/{IMAGE}.webp") == "The operation w must be w1 to w4096."


@pytest.mark.parametrize("source", ["", "/cat.jpg", "cat/", "a//b", "../cat.jpg", ".", "a\tb", "\ud800", "ü" * 301])
def test_a_source_that_no_bucket_should_hold_is_refused(source):
    with pytest.raises(BadRequest) as refused:
        original(ACCOUNT, source)
    assert refused.value.field == "source"


def test_a_key_that_s3_could_not_hold_is_never_made():
    many = f"w800,h600,fit:contain,crop:10000:10000:20000:20000,blur:2.5,sharpen:0.5,bg:ffffff,max:200000,v:{'a' * 32}"
    with pytest.raises(BadRequest, match="at most 1024"):
        format_key(signed("ü" * 300, f"{many},watermark:{IMAGE}:southeast:40,enlarge,copyright"))


def test_a_longer_key_than_s3_allows_is_refused():
    refusal(f"v/{SIGNATURE}/w800/{ACCOUNT}/s/{'a' * 1000}.webp")


def test_an_unsigned_variant_has_no_key():
    with pytest.raises(ValueError, match="neither"):
        format_key(Variant(Original(ACCOUNT, image=IMAGE), Operations(), "jpg"))
