import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.delivery import operations
from chalicelib.delivery.operations import GRAMMAR, Operations, Watermark, canonical, parse
from chalicelib.errors import BadRequest
from tests.delivery_grammar import IMAGE, formats, valid_operations

ALL = (
    "w800,h600,dpr:2,fit:cover,gravity:fp:0.4:0.25,crop:10:20:300:200,rotate:90,flip,flop,blur:2.5,sharpen:0.5,"
    f"bg:ffffff,q:75,max:200000,profile:hq,page:2,watermark:{IMAGE}:southeast:40,enlarge,copyright,v:3f2a-B_9,"
    "x:1767225600"
)


def read(text: str) -> Operations | None:
    """None when the text is refused; any other error fails the test."""
    try:
        return parse(text)
    except BadRequest:
        return None


def refusal(text: str) -> str:
    with pytest.raises(BadRequest) as refused:
        parse(text)
    assert refused.value.field == "operations"
    return refused.value.message


def test_every_operation_is_read():
    assert parse(ALL) == Operations(
        w=800,
        h=600,
        dpr=2,
        fit="cover",
        gravity="fp",
        focal=(0.4, 0.25),
        crop=(10, 20, 300, 200),
        rotate=90,
        flip=True,
        flop=True,
        blur=2.5,
        sharpen=0.5,
        bg="ffffff",
        q=75,
        max=200_000,
        profile="hq",
        page=2,
        watermark=Watermark(IMAGE, "southeast", 40),
        enlarge=True,
        copyright=True,
        version="3f2a-B_9",
        expires=1_767_225_600,
    )


def test_every_operation_is_written():
    assert operations.format(parse(ALL)) == ALL


@pytest.mark.parametrize("name", GRAMMAR)
def test_the_docstring_has_a_row_or_a_column_for_every_operation(name):
    spellings = re.findall(r"(?:^|  )([a-z]+)(?=[:0-9]|  |\n)", operations.__doc__, re.MULTILINE)
    assert name in spellings


@pytest.mark.parametrize("text", ["", "_"])
def test_no_operation_is_spelled_with_an_underscore(text):
    assert operations.format(parse(text)) == "_"


def test_defaults_may_be_spelled_out_and_are_not_written():
    assert operations.format(parse("rotate:0,page:0,profile:fast,sharpen:0,gravity:center,fit:inside,dpr:1")) == "_"


@given(valid_operations)
def test_what_is_written_is_read_back(asked):
    assert parse(operations.format(asked)) == asked


@given(valid_operations, st.randoms(use_true_random=False))
def test_any_order_has_one_spelling(asked, random):
    spelling = operations.format(asked)
    parts = spelling.split(",")
    random.shuffle(parts)
    assert operations.format(parse(",".join(parts))) == spelling


@given(valid_operations, formats)
def test_the_canonical_form_of_a_canonical_form_is_itself(asked, file_format):
    once = canonical(asked, file_format)
    assert canonical(parse(operations.format(once)), file_format) == once


@given(
    st.text()
    | st.text("whfitdprqx0123456789:.,_-abc", max_size=40)
    | st.lists(st.sampled_from(ALL.split(","))).map(",".join)
)
@example("w" + "9" * 499)
@example("flip\ud800")
def test_any_text_is_read_or_refused(text):
    asked = read(text)
    assert asked is None or parse(operations.format(asked)) == asked


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("w0", "w"),
        ("w4097", "w"),
        ("w999999", "w"),
        ("w:800", "w"),
        ("w-800", "w"),
        ("w+800", "w"),
        ("w0800", "w"),
        ("w800.0", "w"),
        ("w8e2", "w"),
        ("w٨", "w"),
        ("w800\n", "w"),
        ("w 800", "w"),
        ("w", "w"),
        ("h0", "h"),
        ("dpr:0.9", "dpr"),
        ("dpr:4.1", "dpr"),
        ("dpr:1.25", "dpr"),
        ("dpr:nan", "dpr"),
        ("dpr:2.0", "dpr"),
        ("dpr2", "dpr"),
        ("fit:crop", "fit"),
        ("fit:Cover", "fit"),
        ("fit", "fit"),
        ("gravity:fp", "gravity"),
        ("gravity:fp:0.5", "gravity"),
        ("gravity:fp:1.1:0", "gravity"),
        ("gravity:fp:.5:0", "gravity"),
        ("gravity:fp:0.1234:0", "gravity"),
        ("gravity:north:0:0", "gravity"),
        ("crop:-1:0:10:10", "crop"),
        ("crop:0:0:0:10", "crop"),
        ("crop:0:0:10", "crop"),
        ("crop:0:0:10:10:10", "crop"),
        ("crop:0:0:65536:1", "crop"),
        ("rotate:45", "rotate"),
        ("rotate:090", "rotate"),
        ("flip:1", "flip"),
        ("flip:", "flip"),
        ("flop1", "flop"),
        ("blur:0.2", "blur"),
        ("blur:50.01", "blur"),
        ("blur:1.50", "blur"),
        ("blur:inf", "blur"),
        ("sharpen:5.1", "sharpen"),
        ("bg:FFFFFF", "bg"),
        ("bg:fff", "bg"),
        ("q:0", "q"),
        ("q:101", "q"),
        ("q:80.5", "q"),
        ("q:best", "q"),
        ("max:999", "max"),
        ("max:20000001", "max"),
        ("profile:best", "profile"),
        ("page:1000", "page"),
        (f"watermark:{IMAGE}:north", "watermark"),
        (f"watermark:{IMAGE}:smart:50", "watermark"),
        (f"watermark:{IMAGE}:north:0", "watermark"),
        ("watermark:../cat:north:50", "watermark"),
        ("enlarge:yes", "enlarge"),
        ("copyright:", "copyright"),
        ("v:", "v"),
        ("v:a/b", "v"),
        ("v:" + "a" * 33, "v"),
        ("x:0", "x"),
        ("x:10000000000", "x"),
        ("x:-1", "x"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(text, name):
    assert refusal(f"{text},bg:000000") == f"The operation {name} must be {GRAMMAR[name].usage}."


@pytest.mark.parametrize(
    ("text", "name"),
    [("w800,w800", "w"), ("h8,w8,h9", "h"), ("flip,flip", "flip"), ("gravity:fp:0:0,gravity:north", "gravity")],
)
def test_a_repeated_operation_is_refused_by_name(text, name):
    assert refusal(text) == f"The operation {name} is given more than once."


def test_an_unknown_operation_is_refused_by_name():
    assert refusal("w800,resize:300").startswith("There is no operation resize; there are w, h, dpr,")


@pytest.mark.parametrize("text", [",", "w800,", ",w800", "w800,,h600", "_,w800", "W800", " w800", "800", "-w800"])
def test_an_operation_without_a_name_is_refused(text):
    assert refusal(text).startswith("An operation must begin with its name")


@pytest.mark.parametrize(("text", "name"), [("w2049,dpr:2", "w"), ("dpr:4,w10,h1025", "h")])
def test_device_pixels_count_towards_the_largest_side(text, name):
    assert refusal(text) == f"The operation {name} times dpr must be at most 4096 pixels."


def test_the_largest_side_is_reached_by_device_pixels():
    assert parse("w2048,h1024,dpr:2").dpr == 2


def test_a_very_long_text_is_refused_unread():
    assert refusal("," * 501) == "The operations have 501 characters; at most 500 are allowed."


@pytest.mark.parametrize(
    ("text", "file_format", "left"),
    [
        ("w800,fit:cover,gravity:smart", "webp", "w800"),
        ("h800,fit:fill,gravity:fp:0.1:0.2", "webp", "h800"),
        ("w800,h600,fit:contain,gravity:north", "webp", "w800,h600,fit:contain"),
        ("w800,h600,fit:cover,gravity:north", "webp", "w800,h600,fit:cover,gravity:north"),
        ("dpr:2,enlarge,flip", "webp", "flip"),
        ("w800,dpr:2,enlarge", "webp", "w1600,enlarge"),
        ("w3,h5,dpr:1.5", "webp", "w4,h8"),
        ("q:80", "jpg", "_"),
        ("q:80", "webp", "_"),
        ("q:60", "avif", "_"),
        ("q:60", "webp", "q:60"),
        ("q:80", "auto", "q:80"),
        ("q:75", "png", "_"),
        ("q:auto", "gif", "_"),
        ("q:auto", "webp", "q:auto"),
    ],
)
def test_what_cannot_matter_is_dropped(text, file_format, left):
    assert operations.format(canonical(parse(text), file_format)) == left
