"""One event: what it is brought to, and why another is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.tracking.event import KINDS, MAX_EVENT_BYTES, Event, Rejected, kind_of
from chalicelib.tracking.intake import read_batch, read_one
from chalicelib.tracking.sent import happened
from tests.tracking_events import ACCOUNT, ADDRESS, CHROME, GOOGLEBOT, KEY, RECEIVED, SENT_AT, batch, sent, source

HOUR = 3_600_000
EVENT_TIME = RECEIVED - 1500


def accepted(**changes: Any) -> Event:
    [event] = read_batch(batch(sent(**changes)), source()).events
    return event


def refused(event: Any) -> Rejected:
    [row] = read_batch(batch(event), source()).rejected
    return row


def nested(depth: int) -> Any:
    return json.loads("[" * depth + "]" * depth)


def test_a_click_is_brought_to_one_shape():
    assert accepted() == Event(
        id=sent()["messageId"],
        type="track",
        account=ACCOUNT,
        key=KEY,
        received=RECEIVED,
        at=EVENT_TIME,
        frozen=EVENT_TIME,
        event="Image Clicked",
        kind="c",
        image="01k9z5c3a8e7d2m4q6s8v0x1y3",
        ranking="01k9z5c3a8e7d2m4q6s8v0x1y4",
        position=3,
        anonymous="1c5e9a52-77c2-4cf3-b0b4-0d2a3c5a2f11",
        ip="203.0.113.0",
        agent=CHROME,
        url="https://shop.example/lamps",
        properties=sent()["properties"],
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Image Impression", "i"),
        ("image viewed", "i"),
        ("IMPRESSION", "i"),
        ("Click", "c"),
        ("Form Submitted", "s"),
        ("submit", "s"),
        ("goal reached", "v"),
        ("Conversion", "v"),
        ("Order Completed", None),
    ],
)
def test_the_name_of_a_track_event_says_what_it_counts_as(name, kind):
    assert accepted(event=name).kind == kind_of(name) == kind
    assert kind is None or kind in KINDS


def test_pages_and_screens_keep_their_name_and_count_as_nothing():
    for type_ in ("page", "screen"):
        event = accepted(type=type_, event=None, name="Click")
        assert (event.event, event.kind) == ("Click", None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"properties": {"image": "../etc/passwd"}}, "properties.image"),
        ({"properties": {"image": "lamp\u0000"}}, "properties.image"),
        ({"properties": {"image": "lamp\n"}}, "properties.image"),
        ({"properties": {"image": "лампа"}}, "properties.image"),
        ({"properties": {"image": ""}}, "properties.image"),
        ({"properties": {"image": "x" * 65}}, "properties.image"),
        ({"properties": {"image": 7}}, "properties.image"),
        ({"properties": {"image": ["x"]}}, "properties.image"),
        ({"properties": {"ranking": "a b"}}, "properties.ranking"),
        ({"properties": {"position": -1}}, "properties.position"),
        ({"properties": {"position": 10_001}}, "properties.position"),
        ({"properties": {"position": 1.5}}, "properties.position"),
        ({"properties": {"position": True}}, "properties.position"),
        ({"properties": {"position": "3"}}, "properties.position"),
        ({"properties": ["image"]}, "properties"),
        ({"properties": {"deep": nested(31)}}, "properties"),
        ({"traits": {"deep": nested(31)}}, "traits"),
        ({"properties": {"long": "x" * MAX_EVENT_BYTES}}, "event"),
        ({"properties": {"numbers": [1e15] * 4000}}, "event"),
        ({"messageId": "x" * 101}, "messageId"),
        ({"messageId": 5}, "messageId"),
        ({"type": "purchase"}, "type"),
        ({"type": None}, "type"),
        ({"event": None}, "event"),
        ({"event": ""}, "event"),
        ({"event": {"name": "click"}}, "event"),
        ({"anonymousId": None}, "userId"),
        ({"anonymousId": ""}, "userId"),
        ({"userId": "x" * 256}, "userId"),
        ({"userId": ["x"]}, "userId"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": "2026-13-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": 1e300}, "timestamp"),
        ({"timestamp": -62_135_596_801}, "timestamp"),
        ({"timestamp": True}, "timestamp"),
        ({"originalTimestamp": ""}, "originalTimestamp"),
        ({"sentAt": "soon"}, "sentAt"),
        ({"context": []}, "context"),
        ({"context": {"page": {"url": 1}}}, "context.page.url"),
    ],
)
def test_a_refusal_names_the_field(changes, field):
    event = sent(**changes)
    row = refused(event)
    assert row.reason.startswith(f"{field}: ")
    assert row.id == (None if field == "messageId" else event["messageId"])
    assert (row.account, row.key, row.received) == (ACCOUNT, KEY, RECEIVED)


@pytest.mark.parametrize("junk", [None, 1, "click", [], True])
def test_what_is_no_object_is_refused(junk):
    assert refused(junk).reason.startswith("event: Expected `object`")
    assert refused(junk).raw == json.dumps(junk)


@pytest.mark.parametrize(
    "changes", [{"properties": {"deep": nested(30)}}, {"messageId": "x" * 100}, {"userId": "u" * 255}]
)
def test_what_just_fits_is_accepted(changes):
    assert accepted(**changes).id


@pytest.mark.parametrize(
    ("type_", "ids"),
    [
        ("group", {"groupId": "g"}),
        ("alias", {"previousId": "p"}),
        ("identify", {"userId": 17}),
        ("track", {"userId": 0}),
    ],
)
def test_any_one_id_is_enough(type_, ids):
    event = accepted(type=type_, anonymousId=None, **ids)
    assert [event.group, event.previous, event.user].count(None) == 2


# Time


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-11-18T11:06:38.500Z",
        "2026-11-18T12:06:38.500+01:00",
        "2026-11-18 11:06:38.5",
        EVENT_TIME,
        EVENT_TIME / 1000,
    ],
)
def test_a_moment_is_understood_in_many_ways(timestamp):
    assert accepted(timestamp=timestamp).frozen == EVENT_TIME


def test_without_a_timestamp_it_happened_when_it_came():
    event = accepted(timestamp=None)
    assert (event.at, event.frozen) == (RECEIVED, RECEIVED)


def test_the_client_s_own_timestamp_is_the_original_one():
    assert accepted(originalTimestamp="2026-11-18T11:06:30Z").frozen == RECEIVED - 10_000


def test_a_clock_that_is_wrong_by_years_is_corrected_and_its_own_time_kept():
    body = batch(sent(timestamp="2016-01-01T00:00:00Z"), sentAt="2016-01-01T00:00:05Z")
    [event] = read_batch(body, source()).events
    assert event.at == RECEIVED - 5000
    assert event.frozen == 1_451_606_400_000


def test_a_retry_has_the_same_frozen_time_though_it_is_sent_later():
    first, second = (
        read_batch(batch(sent(), sentAt=sent_at), source(received=received)).events[0]
        for sent_at, received in ((SENT_AT, RECEIVED), ("2026-11-18T12:06:40Z", RECEIVED + HOUR))
    )
    assert first.frozen == second.frozen
    assert first.at == second.at


def test_an_event_s_own_sent_at_goes_before_the_batch_s():
    assert accepted(sentAt="2026-11-18T11:06:39.500Z").at == RECEIVED - 1000


def test_a_useless_sent_at_of_a_batch_is_passed_over():
    [event] = read_batch(batch(sent(), sentAt="soon"), source()).events
    assert event.at == EVENT_TIME


@given(st.integers(-(2**47), 2**47), st.none() | st.integers(-(2**47), 2**47))
def test_nothing_happens_after_it_came_nor_before_1970(frozen, sent_at):
    assert 0 <= happened(frozen, sent_at, RECEIVED) <= RECEIVED


def test_an_event_after_it_was_sent_keeps_its_own_time():
    assert happened(RECEIVED - HOUR, RECEIVED - 2 * HOUR, RECEIVED) == RECEIVED - HOUR


# Ids


def test_the_same_bytes_under_the_same_key_have_the_same_id():
    body = json.dumps(sent(messageId=None)).encode()
    first, again = (read_one(body, "track", source(received=at)).events[0].id for at in (RECEIVED, RECEIVED + HOUR))
    other = read_one(body.replace(b"Clicked", b"Viewed"), "track", source()).events[0].id
    assert first == again != other
    assert first.startswith("made-")


def test_an_empty_id_is_none():
    assert accepted(messageId="").id.startswith("made-")


# Privacy and bots


def test_no_full_address_is_kept_of_an_accepted_event():
    told = {"ip": ADDRESS, "deep": [{"client_ip": ADDRESS}], "zip": "10115"}
    event = accepted(properties=told, traits=told, context={"ip": "198.51.100.23", "device": {"ip": ADDRESS}})
    assert ADDRESS not in repr(event)
    assert event.ip == "198.51.100.0"
    assert event.properties == event.traits == {"deep": [{}], "zip": "10115"}


def test_plain_properties_lose_an_address_too():
    assert accepted(properties={"ip": ADDRESS, "zip": 1}).properties == {"zip": 1}


@pytest.mark.parametrize("address", [ADDRESS, "2001:db8:1:2:3:4:5:6"])
def test_no_full_address_is_kept_of_a_refused_one(address):
    row = refused(sent(properties={"image": "a b"}, context={"ip": address}, timestamp=address))
    assert address not in repr(row)
    assert '"ip"' in row.raw


def test_a_refused_event_is_kept_in_part_without_half_an_address():
    row = refused(sent(properties={"image": "a b", "seen": ["2001:db8:1:2:3:4:5:6"] * 400}))
    assert len(row.raw) == 2000
    assert ":2:3" not in row.raw


def test_an_unknown_address_leaves_nothing():
    [event] = read_batch(batch(sent()), source(ip=None)).events
    assert event.ip is None


def test_bots_are_marked_whether_they_or_a_server_tells_of_them():
    [itself] = read_batch(batch(sent()), source(agent=GOOGLEBOT)).events
    assert itself.bot
    assert accepted(context={"userAgent": GOOGLEBOT}).bot
    [visitor] = read_batch(batch(sent(context={"userAgent": CHROME})), source(agent=GOOGLEBOT)).events
    assert not visitor.bot


def test_long_texts_of_the_surroundings_are_cut():
    event = accepted(context={"userAgent": "x" * 400, "page": {"url": "u" * 3000}})
    assert (len(event.agent or ""), len(event.url or "")) == (300, 2000)
