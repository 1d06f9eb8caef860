import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.tracking import consume
from chalicelib.tracking.envelope import MAX_MESSAGE_BYTES, pack
from chalicelib.tracking.event import TYPES, Event, Rejected
from chalicelib.tracking.intake import Intake
from tests.tracking_events import ACCOUNT, KEY, RECEIVED
from tests.tracking_messages import opened

TEXTS = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
# Some are long, so that requests of a few events take several messages.
PROPERTIES = st.dictionaries(TEXTS, JSON | st.integers(1, 15_000).map("ü".__mul__), max_size=2)
EVENTS = st.builds(
    Event,
    id=st.text(max_size=100),
    type=st.sampled_from(TYPES),
    account=st.just(ACCOUNT),
    key=st.just(KEY),
    received=st.just(RECEIVED),
    at=st.integers(0, RECEIVED),
    frozen=st.integers(-(2**47), 2**47),
    event=st.none() | TEXTS,
    position=st.none() | st.integers(0, 10_000),
    bot=st.booleans(),
    properties=PROPERTIES,
)
REJECTED = st.builds(
    Rejected, st.none() | TEXTS, TEXTS, st.text(max_size=2000), st.just(ACCOUNT), st.just(KEY), st.just(RECEIVED)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=12), st.lists(REJECTED, max_size=12))
def test_everything_packed_is_unpacked_in_its_order_from_messages_of_64_kb(events, rejected):
    messages = pack(ACCOUNT, Intake(events, rejected))
    assert all(len(message.encode()) <= MAX_MESSAGE_BYTES for message in messages)
    read = [opened(message) for message in messages]
    assert all(message.account == ACCOUNT for message in read)
    assert [event for message in read for event in message.events] == events
    assert [row for message in read for row in message.rejected] == rejected


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=12), st.lists(REJECTED, max_size=12))
def test_the_consumer_reads_every_message_that_is_packed(events, rejected):
    messages = pack(ACCOUNT, Intake(events, rejected))
    parcels, unreadable = consume.sort(messages, list(map(str, range(len(messages)))))
    assert unreadable == []
    assert [event.id for parcel in parcels for event in parcel.events] == [event.id for event in events]
    assert [row for parcel in parcels for row in parcel.rejected] == rejected


def test_nothing_is_no_message():
    assert pack(ACCOUNT, Intake([], [])) == []


def test_messages_are_filled_before_another_is_begun():
    row = Rejected(None, "no", "x" * 1900, ACCOUNT, KEY, RECEIVED)
    messages = pack(ACCOUNT, Intake([], [row] * 100))
    assert len(messages) == 4
    assert all(len(message) > MAX_MESSAGE_BYTES - 2100 for message in messages[:-1])


def test_an_event_that_no_message_can_hold_is_refused():
    event = Event("1", "track", ACCOUNT, KEY, 0, 0, 0, properties={"text": "x" * MAX_MESSAGE_BYTES})
    with pytest.raises(ValueError, match="a message has room for"):
        pack(ACCOUNT, Intake([event], []))


GOOD = {"v": 1, "account": ACCOUNT, "events": [], "rejected": []}


@pytest.mark.parametrize(
    "poison",
    [
        "",
        "{",
        "[]",
        "null",
        json.dumps(GOOD | {"v": 2}),
        json.dumps(GOOD | {"account": None}),
        json.dumps(GOOD | {"events": [{"id": "1"}]}),
        json.dumps({key: value for key, value in GOOD.items() if key != "events"}),
        '{"events":' * 100_000,
        "\ud800",
    ],
)
def test_poison_is_put_aside_and_its_neighbor_read(poison):
    parcels, [(identifier, text, reason)] = consume.sort([poison, json.dumps(GOOD)], ["bad", "good"])
    assert (identifier, text) == ("bad", poison)
    assert reason
    assert [parcel.messages for parcel in parcels] == [["good"]]


@given(st.text())
def test_any_text_is_put_aside(text):
    parcels, unreadable = consume.sort([text], ["id"])
    assert (parcels, [each[1] for each in unreadable]) == ([], [text])
