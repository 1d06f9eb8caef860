import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.delivery.negotiation import accepts

BOTH = {"avif", "webp"}


@pytest.mark.parametrize(
    ("accept", "formats"),
    [
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", BOTH),
        ("image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", {"webp"}),
        ("image/avif", {"avif"}),
        ("IMAGE/AVIF , Image/WebP", BOTH),
        ("image/avif;q=0.001,image/webp;Q=1.000", BOTH),
        ("image/avif \t; \t q=0.5", {"avif"}),
        ("image/webp;level=1;q=0.3", {"webp"}),
    ],
)
def test_a_format_that_is_named_is_accepted(accept, formats):
    assert accepts(accept) == formats


@pytest.mark.parametrize("accept", [None, "", "image/*", "*/*", "image/jpeg", "image/*,*/*;q=0.8", "text/html"])
def test_a_format_that_is_not_named_is_not_accepted(accept):
    assert accepts(accept) == frozenset()


@pytest.mark.parametrize("weight", ["0", "0.", "0.0", "0.000"])
def test_a_weight_of_zero_refuses(weight):
    assert accepts(f"image/avif;q={weight},image/webp") == {"webp"}


@pytest.mark.parametrize("weight", ["", "2", "-1", "nan", "inf", "1e9", "0.0001", "1.001", "+1", "0,5", "½", "1;q=0"])
def test_a_nonsensical_weight_refuses(weight):
    assert accepts(f"image/avif;q={weight}") == frozenset()


@pytest.mark.parametrize(
    "accept", ["ximage/avif", "image/avifx", "image/ avif", "image/avif image/webp", '"image/avif"']
)
def test_a_name_that_only_holds_a_format_does_not_count(accept):
    assert accepts(accept) == frozenset()


@given(st.text() | st.text('image/avifwebp;q=0.1,* \t"', max_size=200))
def test_any_header_is_harmless(accept):
    assert accepts(accept) <= BOTH


@pytest.mark.parametrize("part", ["image/avif;q=", ",", ";", ";q=0.", "image/avif;", "q=1;", '"', "\\"])
def test_a_huge_header_costs_little(part):
    started = time.process_time()
    accepts(part * (100_000 // len(part)))
    assert time.process_time() - started < 1
