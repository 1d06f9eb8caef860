import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.ids import new_id
from chalicelib.tracking.moments import id_time
from tests.tracking_events import RECEIVED, uuid7

TWENTY_TWO = 1_645_557_742_000  # 2022-02-22T14:22:22-05:00, the moment of the examples in RFC 9562
MOMENTS = st.integers(0, 2**48 - 1)


@pytest.mark.parametrize(
    "identifier",
    [
        "C232AB00-9414-11EC-B3C8-9F6BDECED846",
        "1EC9414C-232A-6B00-B3C8-9F6BDECED846",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
    ],
    ids=["version 1", "version 6", "version 7"],
)
def test_the_examples_of_the_rfc_hold_their_moment(identifier):
    assert id_time(identifier) == id_time(identifier.lower()) == TWENTY_TWO


def test_the_standard_library_s_version_1_holds_the_present():
    before = datetime.now(UTC).timestamp() * 1000
    assert before - 1000 <= (id_time(str(uuid.uuid1())) or 0) <= datetime.now(UTC).timestamp() * 1000 + 1000


@given(MOMENTS, st.integers(0, 2**74 - 1))
def test_version_7_holds_any_moment(moment, number):
    assert id_time(uuid7(number, moment)) == moment


@given(MOMENTS)
def test_a_ulid_holds_any_moment_in_either_case(moment):
    identifier = new_id((moment + 0.5) / 1000)
    assert id_time(identifier) == id_time(identifier.upper())
    assert abs((id_time(identifier) or 0) - moment) <= 1  # new_id takes seconds as a float


def test_segments_libraries_write_milliseconds_into_their_ids():
    tail = "743be593-7789-4b74-8078-cbcc8894c586"
    assert id_time(f"node-next-{RECEIVED}-{tail}") == RECEIVED
    assert id_time(f"ajs-next-{RECEIVED}-{tail}") == RECEIVED


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "ajs-5c1d2f3e4a5b6c7d8e9f0a1b2c3d4e5f",
        "ajs-next-now-743be593-7789-4b74-8078-cbcc8894c586",
        "ajs-next-17950000_0000-743be593",
        "743be593-7789-4b74-8078-cbcc8894c586",
        "00000000-0000-1000-8000-000000000000",
        "017F22E279B07CC398C4DC0C0C07398F",
        "017F22E2-79B0-7CC3-18C4-DC0C0C07398F",
        "81k9z5c3a8e7d2m4q6s8v0x1y3",
        "01k9z5c3a8e7d2m4q6s8v0x1yu",
        "٠١٧F22E2-79B0-7CC3-98C4-DC0C0C07398F",
    ],
)
def test_other_ids_hold_none(identifier):
    assert id_time(identifier) is None


@given(st.text() | st.from_regex(r"(ajs|node)-next-\d+-.*|[0-9a-fA-F-]{30,40}|[0-9A-Za-z]{26}"))
def test_it_never_raises_and_never_goes_before_1970(identifier):
    moment = id_time(identifier)
    assert moment is None or moment >= 0
