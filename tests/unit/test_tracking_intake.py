"""One request: what is refused as a whole, and that no event changes what becomes of another."""

import gzip
import json
import time
from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import BadRequest, Unauthorized
from chalicelib.tracking import collect, envelope
from chalicelib.tracking.event import MAX_BATCH_BYTES, MAX_BEACON_BYTES, MAX_EVENT_BYTES
from chalicelib.tracking.intake import (
    MAX_EVENTS,
    basic_key,
    body_key,
    check_beacon,
    pixel_body,
    read_batch,
    read_one,
    read_pixel,
)
from tests.tracking_events import ACCOUNT, ADDRESS, GOOGLEBOT, KEY, RECEIVED, Posted, batch, sent, source, uuid7
from tests.tracking_messages import Opened, opened

DEEP = '{"properties":' * 20_000 + "1" + "}" * 20_000
# Texts of single events; most of them bad, each in its own way.
PIECES = [
    json.dumps(sent(1)),
    json.dumps(sent(2, messageId=None)),
    json.dumps(sent(3, timestamp="2026-11-18 11:06:38", userId=7)),
    json.dumps(sent(4, properties={"in": {"ip": "203.0.113.7"}, "image": "a-b_c"})),
    json.dumps(sent(5, type="page", event=None, properties={"ip": "203.0.113.7"})),
    json.dumps(sent(6, anonymousId=None)),
    json.dumps(sent(7, properties={"position": -1})),
    json.dumps(sent(8, properties={"text": "x" * 40_000})),
    json.dumps(sent(9, properties={"text": "y" * 20_000})),
    json.dumps(sent(10, properties={"price": float("nan")})),
    json.dumps(sent(11, properties={"price": float("-inf")})),
    json.dumps(sent(12)).replace("Clicked", "\\ud800"),
    json.dumps(sent(13, properties={"price": 1})).replace('"price": 1', '"price": 1e999'),
    '{"type": "track", "event" "click"}',
    '{"text": "], [, {", "quote": "\\"]"}',
    "{'type': 'track'}",
    "[[1, 2], {}]",
    "nul",
    "0",
    DEEP[: 14 * 200] + "1" + "}" * 200,
    DEEP,
]


def body_of(pieces: list[str], joint: str = ",") -> bytes:
    return f'{{"sentAt": "2026-11-18T11:06:40Z", "batch": [{joint.join(pieces)}], "writeKey": "{KEY}"}}'.encode()


def fault(body: bytes) -> BadRequest:
    with pytest.raises(BadRequest) as raised:
        read_batch(body, source())
    return raised.value


# Neighbors


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=6), st.sampled_from([",", " ,\n\t"]))
def test_each_event_of_a_batch_fares_as_it_does_alone(pieces, joint):
    if len(body := body_of(pieces, joint)) > MAX_BATCH_BYTES:
        assert fault(body).field == "batch"
        return
    together = read_batch(body, source())
    alone = [read_batch(body_of([piece]), source()) for piece in pieces]
    assert together.events == [event for one in alone for event in one.events]
    assert together.rejected == [row for one in alone for row in one.rejected]
    assert len(together.events) + len(together.rejected) == len(pieces)


def test_the_pieces_are_good_and_bad():
    taken = read_batch(body_of(PIECES[:-1]), source())
    assert [len(taken.events), len(taken.rejected)] == [6, 14]


NUMBERS = st.integers() | st.floats() | st.sampled_from([2**63, 2**64, -(2**63) - 1, 10**400, -62_135_596_801])
MOMENTS = st.sampled_from(
    [
        "2026-11-18T11:06:38.1234567Z",
        "2026-11-18T11:06:38.9999999Z",
        "2026-11-18T23:59:60Z",
        "2026-11-18T24:00:00Z",
        "2026-11-18T11:06:38",
        "2026-11-18t11:06:38z",
        "2026-11-18T11:06:38,5Z",
        "2026-11-18T11:06:38+0100",
        "2026-11-18T11:06Z",
        "2026-11-18",
        "20261118",
        "2026-W47",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "messageId": st.text(max_size=3) | st.none(),
            "timestamp": MOMENTS | NUMBERS | st.none(),
            "originalTimestamp": MOMENTS,
            "sentAt": MOMENTS | NUMBERS,
            "userId": NUMBERS | st.text(max_size=3),
            "properties": st.dictionaries(
                st.sampled_from(["image", "position", "ip", "x"]), NUMBERS | st.text(max_size=3)
            ),
            "traits": st.dictionaries(st.sampled_from(["IP", "x"]), NUMBERS | st.lists(NUMBERS)) | st.none(),
        },
    )
)
def test_an_event_beside_a_bad_one_is_what_it_is_alone(changes):
    text = json.dumps(sent() | changes)
    alone, beside = read_batch(body_of([text]), source()), read_batch(body_of([text, "0"]), source())
    assert alone.events == beside.events
    assert alone.rejected == beside.rejected[:-1]
    for message in envelope.pack(ACCOUNT, alone):
        assert opened(message) == Opened(1, ACCOUNT, alone.events, alone.rejected)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 200))
def test_a_fault_in_the_bytes_of_one_event_leaves_the_others(number, place, depth):
    first, last = json.dumps(sent(number)), json.dumps(sent(number + 1))
    bad = "{" * depth + '"a":' * place + "}" * depth
    taken = read_batch(body_of([first, bad, last]), source())
    assert [event.id for event in taken.events] == [uuid7(number), uuid7(number + 1)]
    assert len(taken.rejected) == 1


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode) | st.binary().map(lambda end: b'{"batch":[' + end))
def test_any_bytes_are_a_bad_request_or_taken(body):
    for read in (read_batch, read_pixel, lambda *request: read_one(request[0], "track", request[1])):
        try:
            taken = read(body, source())
        except BadRequest:
            continue
        envelope.pack(ACCOUNT, taken)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_damage_to_a_batch_is_a_bad_request_or_confined(data):
    body = bytearray(body_of(PIECES[:7]))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.sampled_from(b'{}[],:"\\ 0eN\x00\xff'))
    try:
        taken = read_batch(bytes(body), source())
    except BadRequest:
        return
    again = [opened(text) for text in envelope.pack(ACCOUNT, taken)]
    assert [event for each in again for event in each.events] == taken.events


# The request


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"\xff", "body"),
        (b'{"batch": ["\xff"]}', "body"),
        (b"[]", "body"),
        (b"null", "body"),
        (b"{}", "body"),
        (b'{"batch": {}}', "batch"),
        (b'{"batch": [1,]}', "body"),
        (b'{"batch": [1, 2}', "body"),
        (b'{"batch": [], "context": 1}', "context"),
        (b'{"batch": [NaN], "sentAt": NaN}', "body"),
        (b'{"batch": []} {}', "body"),
        (b'{"other": [NaN]}', "body"),
        (b'{"batch":' + b"[" * 100_000, "body"),
        (b"[" * 100_000 + b"]" * 100_000, "body"),
        (b'{"batch": [' + b"0," * MAX_EVENTS + b"0]}", "batch"),
        (b'{"batch": [' + b" " * MAX_BATCH_BYTES + b"]}", "batch"),
    ],
)
def test_a_fault_of_the_whole_request_names_what_is_wrong(body, field):
    assert fault(body).field == field


def test_limits_are_in_bytes_and_can_be_reached():
    room = MAX_EVENT_BYTES - len(json.dumps(sent(properties={"text": ""})))
    event = sent(properties={"text": "x" * room})
    assert read_one(json.dumps(event).encode(), "track", source()).events
    with pytest.raises(BadRequest) as raised:
        read_one(json.dumps(event).encode() + b" ", "track", source())
    assert raised.value.field == "event"
    full = batch(*[event] * 15)
    assert len(read_batch(full + b" " * (MAX_BATCH_BYTES - len(full)), source()).events) == 15
    check_beacon(b" " * MAX_BEACON_BYTES)
    with pytest.raises(BadRequest):
        check_beacon(b" " * (MAX_BEACON_BYTES + 1))


def test_a_batch_of_nothing_is_nothing():
    assert read_batch(b'{"batch":[ ]}', source()).events == []


def test_a_batch_s_context_holds_for_events_without():
    context = {"userAgent": GOOGLEBOT, "ip": "198.51.100.7", "page": {"url": "https://shop.example/"}}
    [event] = read_batch(batch(sent(context=None), context=context), source()).events
    assert (event.bot, event.ip, event.url) == (True, "198.51.100.0", "https://shop.example/")


def test_no_address_of_a_visitor_is_in_what_is_kept():
    agent = f"Shop/1.0 ({ADDRESS})"
    page = {"url": f"https://shop.example/?ip={ADDRESS}&next=%2F%3Fip%3D{ADDRESS.replace('.', '%2E')}"}
    one = sent(1, userId=ADDRESS, anonymousId=ADDRESS, groupId=ADDRESS, previousId=ADDRESS)
    one["context"] = {"ip": ADDRESS, "userAgent": agent, "page": page}
    one["properties"] |= {"remote_address": ADDRESS, "IPAddress": ADDRESS, "x_forwarded_for": ADDRESS}
    for body in (
        batch(one),
        batch(one, one | {"type": "bad"}),
        batch(one | {"userId": 7, "properties": {"deep": [one["properties"]]}}),
    ):
        kept = "".join(envelope.pack(ACCOUNT, read_batch(body, source(agent=agent))))
        assert "203.0.113.0" in kept
        assert ADDRESS not in kept


# Single events


def test_the_route_says_the_type():
    event = json.dumps(sent(type=None, name="Home")).encode()
    for type_ in ("track", "identify", "page", "screen", "group", "alias"):
        assert [one.type for one in read_one(event, type_, source()).events] == [type_]


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b'{"event": NaN}', b"\xff", b'{"event": "click"'])
def test_what_is_no_json_object_is_a_bad_request(body):
    for read in (read_pixel, lambda *request: read_one(request[0], "track", request[1])):
        with pytest.raises(BadRequest) as raised:
            read(body, source())
        assert raised.value.field == "body"


def test_a_single_event_that_is_wrong_is_put_aside():
    taken = read_one(json.dumps(sent(event=None)).encode(), "track", source())
    assert [row.reason for row in taken.rejected] == ["event: a track event needs a name"]
    deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
    assert [row.reason for row in read_one(deep, "track", source()).rejected] == ["event: is nested more than 32 deep"]


def test_a_pixel_is_an_event_in_base64url():
    body = json.dumps(sent(event="Клик", messageId=None), ensure_ascii=False).encode()
    for text in (
        urlsafe_b64encode(body).decode(),
        urlsafe_b64encode(body).decode().rstrip("="),
        b64encode(body).decode(),
    ):
        assert pixel_body(text) == body
    first, second = (read_pixel(body, source(received=RECEIVED + later)).events[0].id for later in (0, 1000))
    assert first != second


@pytest.mark.parametrize("text", ["a", "abcde", "a b=", "é", "a/b+-\n", "%7B%7D"])
def test_any_other_text_for_a_pixel_is_a_bad_request(text):
    with pytest.raises(BadRequest) as raised:
        pixel_body(text)
    assert raised.value.field == "d"


# Write keys


@pytest.mark.parametrize(
    "shape", [batch(sent(), writeKey=KEY), json.dumps(sent(writeKey=KEY)).encode(), body_of(PIECES)]
)
def test_the_key_is_found_in_a_body_of_any_shape(shape):
    assert body_key(shape) == KEY


def test_a_body_without_a_key_has_none():
    assert body_key(b"{}") is body_key(b'{"writeKey": 7}') is None
    for body in (b"[", b"[]", b'{"batch":[NaN]}', b'{"batch":[{"writeKey":"one"},NaN],"writeKey":"other"}'):
        with pytest.raises(BadRequest):
            body_key(body)


@pytest.mark.parametrize("scheme", ["Basic", "basic"])
def test_the_key_is_the_user_of_basic_authorization(scheme):
    assert basic_key(f"{scheme} {b64encode(f'{KEY}:'.encode()).decode()}") == KEY
    assert basic_key(f"{scheme} {b64encode(f'{KEY}:password'.encode()).decode()}") == KEY


@pytest.mark.parametrize("header", [None, "", "Basic", "Basic !", "Basic Og==", "Basic /w==", "Basic é", "Bearer abc"])
def test_other_authorization_has_no_key(header):
    assert basic_key(header) is None


# Before the key is known

ROOM = MAX_BATCH_BYTES - 200
UNREADABLE = {
    "numbers": b'{"batch":[' + b"1," * (ROOM // 2) + b"NaN]",
    "lists": b'{"batch":[NaN' + b",[]" * (ROOM // 3) + b"]",
    "strings": b'{"batch":[NaN' + b',""' * (ROOM // 3) + b"]",
    "depth": b'{"batch":[' + b"[" * (ROOM // 2) + b"]" * (ROOM // 2) + b"]",
    "members": b'{"a":NaN' + b',"a":1' * (ROOM // 6),
    "keys": b'{"batch":[NaN]' + b',"writeKey":"a"' * (ROOM // 15),
    "spaces": b'{"batch":[NaN],"writeKey":' + b" " * ROOM,
    "open": b'{"batch":["' + b"x" * ROOM,
    "escapes": b'{"batch":[NaN,"' + b'\\"' * (ROOM // 2),
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("end", [b"}", b',"writeKey":"unknown"}'])
def test_no_time_is_spent_on_a_body_without_a_valid_key(body, end):
    posted = Posted(body + end)
    started = time.process_time()
    with pytest.raises((BadRequest, Unauthorized)):
        collect.batch(posted, 0)
    assert time.process_time() - started < 0.3  # about 0.01


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_body_under_a_valid_key_takes_little_time_too(body):
    started = time.process_time()
    with suppress(BadRequest):
        read_batch(body + b"}", source())
    assert time.process_time() - started < 1.5  # about 0.2 at most


def test_the_size_is_looked_at_before_the_key_and_the_json():
    for take, limit, field in (
        (lambda posted: collect.batch(posted, 0), MAX_BATCH_BYTES, "batch"),
        (lambda posted: collect.one("track", posted, 0), MAX_EVENT_BYTES, "event"),
        (lambda posted: collect.beacon(posted, 0), MAX_BEACON_BYTES, "beacon"),
        (lambda posted: collect.pixel("A" * len(posted.raw), posted, 0), MAX_EVENT_BYTES * 4 // 3 + 4, "d"),
    ):
        with pytest.raises(BadRequest) as raised:
            take(Posted(b"{" * (limit + 1)))
        assert raised.value.field == field
        with pytest.raises(BadRequest) as raised:
            take(Posted(b"{" * (limit - limit % 4)))
        assert raised.value.field == "body"


@pytest.mark.parametrize(
    ("take", "limit"),
    [(collect.batch, MAX_BATCH_BYTES), (lambda posted, now: collect.one("track", posted, now), MAX_EVENT_BYTES)],
)
def test_an_unpacked_body_has_the_same_limit(take, limit):
    headers = {"content-encoding": "gzip"}
    with pytest.raises(BadRequest, match="unpacked"):
        take(Posted(gzip.compress(b" " * (limit + 1)), headers), 0)
    with pytest.raises(BadRequest, match="JSON"):
        take(Posted(gzip.compress(b" " * limit), headers), 0)


def test_a_batch_of_as_many_events_as_are_taken_may_hold_a_bad_one():
    taken = read_batch(b'{"batch":[NaN' + b",1" * (MAX_EVENTS - 1) + b"]}", source())
    assert len(taken.rejected) == MAX_EVENTS
    assert fault(b'{"batch":[NaN' + b",1" * MAX_EVENTS + b"]}").field == "batch"
