import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.images import sniff
from tests.bad_images import FORMATS, encoded, picture, sample


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_is_told_from_its_bytes(kind):
    assert sniff.accepted(sample(kind)) == kind


@pytest.mark.parametrize("head", [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"])
def test_both_byte_orders_and_bigtiff_are_tiff(head):
    assert sniff.accepted(head + bytes(20)) == "tiff"


def test_an_avif_under_a_general_brand_is_still_avif():
    general = b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf"
    assert sniff.accepted(general) == "avif"


def test_an_animated_avif_is_avif():
    frames = encoded(picture(), "avif", save_all=True, append_images=[picture().rotate(180)])
    assert sniff.accepted(frames) == "avif"


def test_a_brand_beyond_the_end_of_its_box_does_not_count():
    assert sniff.accepted(b"\0\0\0\x10ftypheic\0\0\0\0avif") is None


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file is empty."),
        (b"<HTML lang=en>", "This is a web page, not an image."),
        (b"\xef\xbb\xbf<!doctype html>", "This is a web page, not an image."),
        (b'{"error": "not found"}', "This is text, not an image."),
        (b"\x1f\x8b\x08\0", "This is an archive, not an image."),
        (b"\x1a\x45\xdf\xa3", "This is a video, not an image."),
        (b"\x89PNX\r\n\x1a\n", "This is not an image in a format we know."),
    ],
)
def test_what_is_not_an_image_is_named(data, sentence):
    assert sniff.refusal(data) == sentence


def test_text_whose_last_character_is_cut_by_the_reading_window_is_text():
    assert sniff.refusal(("a" + "ü" * 600).encode()) == "This is text, not an image."


@given(st.binary(max_size=400))
def test_any_bytes_are_accepted_or_refused_in_one_sentence(data):
    sentence = sniff.accepted(data) or sniff.refusal(data)
    assert sentence in sniff.ACCEPTED or sentence.endswith(".")
