"""Which page a digest goes to, and what a page weighs."""

from __future__ import annotations

import random
import uuid

import pytest

from chalicelib.tracking import pages
from chalicelib.tracking.moments import id_time
from chalicelib.tracking.pages import HOUR, Layout, Page

ACCOUNT = "a234567abcdefghij"
IMAGE, RANKING = f"01kz{1:022d}", f"01kz{2:022d}"
NOON = 1_795_348_800
CHANCE = random.Random(2)


def uuid7(milliseconds):
    number = milliseconds << 80 | 7 << 76 | CHANCE.getrandbits(12) << 64 | 2 << 62 | CHANCE.getrandbits(62)
    return str(uuid.UUID(int=number))


def test_the_short_way_of_reading_a_uuid7_is_the_long_way():
    for _ in range(2000):
        identifier = uuid7(CHANCE.getrandbits(48))
        text = CHANCE.choice((identifier, identifier.upper()))
        moment, digest = pages.read_id(text, ACCOUNT)
        assert moment == id_time(text)
        assert digest == uuid.UUID(identifier).bytes[6:]


@pytest.mark.parametrize(
    "identifier",
    [
        "0192aaaa-0000-7000-8000-00000000000",
        "0192aaaa-0000-7000-c000-000000000000",
        "0192aaaa 0000 7000 8000 000000000000",
        "0192aaaa-0000-7000-8000-0000000000  ",
        "0192aaaa-0000-7000-8000-00000000000g",
        "0192aaaa-0000-7000-8000-00000000000\u0661",
        "0192-aaa-0000-7000-8000-0000-0000000",
        "node-next-1795348800000-x",
        "01kz0000000000000000000001",
        str(uuid.UUID(int=5, version=4)),
        "",
        "é" * 36,
    ],
)
def test_every_other_id_is_hashed_and_its_time_is_that_of_moments(identifier):
    moment, digest = pages.read_id(identifier, ACCOUNT)
    assert moment == id_time(identifier)
    assert len(digest) == pages.DIGEST_BYTES
    assert digest != pages.read_id(identifier, "a765432abcdefghij")[1]


def test_a_layout_holds_until_the_next_one():
    layouts = [Layout(0, 60, 1), Layout(NOON, 60, 4)]
    assert pages.layout_at(layouts, NOON - 1).groups == 1
    assert pages.layout_at(layouts, NOON).groups == 4
    assert pages.layout_at(layouts, NOON + 30 * HOUR).groups == 4


def test_a_page_lies_within_one_hour_and_its_images_in_one_group():
    layout = Layout(0, 60, 8)
    page = pages.page_of(layout, NOON + 3599, IMAGE)
    assert page == Page(NOON + 3540, pages.group_of(IMAGE, 8))
    assert page.hour == NOON


def test_the_horizon_is_two_days_back_and_ten_minutes_ahead():
    assert pages.within_horizon(NOON - 48 * HOUR, NOON)
    assert not pages.within_horizon(NOON - 48 * HOUR - 1, NOON)
    assert pages.within_horizon(NOON + 600, NOON)
    assert not pages.within_horizon(NOON + 601, NOON)


def test_a_page_outlives_a_message_that_waited_as_long_as_sqs_lets_it():
    received, waited = NOON + 48 * HOUR, 14 * pages.DAY
    assert pages.is_kept(NOON, received + waited)
    assert not pages.is_kept(NOON, pages.expires(NOON))


def test_the_name_of_a_set_tells_its_parts():
    assert pages.parts(pages.attribute("c", IMAGE, RANKING)) == ("c", IMAGE, RANKING)
    assert pages.parts(pages.attribute("i", IMAGE, None)) == ("i", IMAGE, "")
    assert pages.parts(pages.attribute("i", IMAGE, "no ranking of ours")) == ("i", IMAGE, "")


@pytest.mark.parametrize("image", [None, "", "u" * 26, IMAGE + "0", "../../etc"])
def test_what_is_no_image_has_no_set(image):
    assert pages.attribute("i", image, None) is None


def test_nothing_but_a_kind_is_counted():
    assert pages.attribute(None, IMAGE, None) is None


def test_groups_grow_with_the_volume_and_do_not_flutter():
    one_page = 60 * pages.PAGE_BYTES
    assert pages.next_layout(NOON, one_page, Layout()).groups == 1
    assert pages.next_layout(NOON, one_page + 60, Layout()).groups == 2
    assert pages.next_layout(NOON, 5 * one_page, Layout()).groups == 8
    assert pages.next_layout(NOON, 5 * one_page, Layout(0, 60, 16)).groups == 16
    assert pages.next_layout(NOON, one_page, Layout(0, 60, 16)).groups == 1
    assert pages.next_layout(NOON, 10**12, Layout()).groups == pages.MAX_GROUPS


def test_the_size_of_a_page_is_that_of_its_names_and_digests():
    empty = pages.page_bytes({})
    assert pages.page_bytes({"i" * 27: 3}) - empty == 27 + 3 + 3 * 11


def test_a_full_page_is_split_by_the_last_digits():
    digests = {CHANCE.randbytes(10) for _ in range(1000)}
    halves = pages.split({"a": digests}, 0)
    assert len(halves) == 16
    assert set().union(*(half["a"] for half in halves.values())) == digests
    assert all(digest.hex().endswith(digit) for digit, half in halves.items() for digest in half["a"])
    deeper = pages.split(halves["f"], 1)
    assert all(digest.hex().endswith(f"{digit}f") for digit, half in deeper.items() for digest in half["a"])


def test_updates_take_so_many_attributes_at_most():
    sets = {str(number): {b"x"} for number in range(601)}
    portions = list(pages.runs(sets, 280))
    assert [len(portion) for portion in portions] == [280, 280, 41]
    assert {name for portion in portions for name in portion} == set(sets)
