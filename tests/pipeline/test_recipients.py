"""Recipients against the emulator: what is stored, refused, moved, remembered and deleted."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib import contract
from chalicelib.errors import NotFound, Unavailable
from chalicelib.push import devices, recipients
from chalicelib.store import AccountStore
from tests.pipeline.inprocess import Emulator
from tests.pipeline.recipient_world import GCM, PHONES, Recipients, connect, device, token
from tests.pipeline.world import Killed, World


@pytest.fixture
def people(world: World, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Recipients:
    return connect(world, emulator, monkeypatch)


def error(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "")


def test_a_recipient_is_stored_as_it_was_given(people: Recipients):
    item = {
        "id": "ann@example.com",
        "phone": "+49 170 1234567",
        "devices": [device(1), device(2, GCM)],
        "attributes": {"city": "Berlin", "vip": True, "shoe": 38.5, "tags": ["a", "b"], "address": {"zip": "01234"}},
        "timezone": "Europe/Berlin",
        "quiet_hours": {"from": "22:00", "to": "07:00"},
        "opt_out": ["sms"],
    }
    assert people.put(item) == contract.RecipientsStored(stored=1, problems=[])
    shown = recipients.read(people.store, "ann@example.com")
    assert shown.phone == PHONES[0]
    assert shown.attributes == item["attributes"]
    assert (shown.timezone, shown.opt_out) == ("Europe/Berlin", ["sms"])
    assert shown.quiet_hours == contract.QuietHours(start="22:00", end="07:00")
    assert [(each.platform, each.token, each.disabled) for each in shown.devices] == [
        ("APNS", token(1), None),
        ("GCM", token(2), None),
    ]


def test_bad_items_are_named_one_by_one_and_the_good_ones_stored(people: Recipients):
    answer = people.put(
        {"id": "good"},
        {"id": "no such number", "phone": "+491701234567"},
        {"id": "landline", "phone": "+4930123456"},
        {"id": "zone", "timezone": "Europe/Berln"},
        {"id": "hours", "quiet_hours": {"from": "22:00", "to": "07:00"}},
        {"id": "same", "timezone": "UTC", "quiet_hours": {"from": "22:00", "to": "22:00"}},
        {"id": "token", "devices": [device(1), {"platform": "APNS", "token": "nonsense"}]},
        {"id": "sandbox", "devices": [device(1, "APNS_SANDBOX")]},
        {"id": "color", "colour": "red"},
        {"phone": "+491701234567"},
        "ann",
        {"id": "null", "attributes": {"a": [None]}},
        {"id": "full", "attributes": {"a": "x" * 5000}},
        {"id": "deep", "attributes": {"a": {"b": {"c": {"d": {"e": 1}}}}}},
    )
    assert answer.stored == 1
    assert [(each.index, each.id, each.field) for each in answer.problems] == [
        (1, "no such number", "id"),
        (2, "landline", "phone"),
        (3, "zone", "timezone"),
        (4, "hours", "timezone"),
        (5, "same", "quiet_hours"),
        (6, "token", "devices[1].token"),
        (7, "sandbox", "devices[0].platform"),
        (8, "color", "colour"),
        (9, None, "id"),
        (10, None, None),
        (11, "null", "attributes.a"),
        (12, "full", "attributes"),
        (13, "deep", "attributes.a"),
    ]
    assert all(each.reason for each in answer.problems)
    assert "Did you mean Europe/Berlin" in answer.problems[2].reason


def test_of_two_items_with_one_id_or_one_token_the_later_is_a_problem(people: Recipients):
    answer = people.put(
        {"id": "ann", "phone": PHONES[0]},
        {"id": "ann", "phone": PHONES[1]},
        {"id": "bob", "devices": [device(1), device(1)]},
        {"id": "cid", "devices": [device(2), device(1)]},
    )
    assert [(each.index, each.field) for each in answer.problems] == [(1, "id"), (3, "devices[1].token")]
    assert people.get("ann").phone == PHONES[0]
    assert people.tokens("bob") == [token(1)]


def test_what_is_left_out_is_gone(people: Recipients):
    people.put({"id": "ann", "phone": PHONES[0], "devices": [device(1)], "attributes": {"a": 1}, "opt_out": ["push"]})
    endpoint = people.get("ann").devices[0].endpoint
    people.put({"id": "ann"})
    left = people.get("ann")
    assert (left.phone, left.devices, left.removed, left.attributes, left.opt_out) == (None, (), (), {}, frozenset())
    assert people.endpoint(endpoint) is None
    assert people.owner(1) is None


def test_a_token_goes_to_the_newest_who_brings_it(people: Recipients):
    people.put({"id": "ann", "devices": [device(1), device(2)]})
    first = people.get("ann").devices[0].endpoint
    people.put({"id": "bob", "devices": [device(1)]})
    assert people.tokens("ann") == [token(2)]
    assert people.get("bob").devices[0].endpoint == first
    assert people.endpoint(first)["Enabled"] == "true"
    assert people.owner(1) == "bob"


def test_a_token_moves_within_one_request(people: Recipients):
    people.put({"id": "ann", "devices": [device(1)]})
    answer = people.put({"id": "ann", "phone": PHONES[0]}, {"id": "bob", "devices": [device(1)]})
    assert (answer.stored, answer.problems) == (2, [])
    assert (people.tokens("ann"), people.tokens("bob")) == ([], [token(1)])
    assert people.get("ann").phone == PHONES[0]
    assert people.endpoint(people.get("bob").devices[0].endpoint) is not None


def test_a_disabled_device_and_a_blocked_number_stay_so_until_there_are_others(people: Recipients):
    item = {"id": "ann", "phone": PHONES[0], "devices": [device(1)]}
    people.put(item)
    recipients.block_sms(people.store, "ann", "opted out")
    recipients.disable_device(people.store, "ann", people.get("ann").devices[0].endpoint, "EndpointDisabled")
    people.put({**item, "attributes": {"a": 1}})
    kept = people.get("ann")
    assert (kept.sms_blocked, kept.devices[0].disabled) == ("opted out", "EndpointDisabled")
    people.put({**item, "phone": PHONES[1], "devices": [device(2)]})
    fresh = people.get("ann")
    assert (fresh.sms_blocked, fresh.devices[0].disabled) == (None, None)


def test_a_block_of_a_number_that_was_replaced_is_nothing(people: Recipients):
    people.put({"id": "ann", "phone": PHONES[1]})
    recipients.block_sms(people.store, "ann", "opted out", phone=PHONES[0])
    assert people.get("ann").sms_blocked is None


def test_what_sns_says_of_somebody_who_is_gone_changes_nothing(people: Recipients):
    recipients.block_sms(people.store, "ann", "opted out")
    recipients.disable_device(people.store, "ann", "arn", "EndpointDisabled")
    assert people.get("ann") is None


def test_an_endpoint_that_sns_has_disabled_is_enabled_for_a_new_owner(people: Recipients):
    people.put({"id": "ann", "devices": [device(1)]})
    arn = people.get("ann").devices[0].endpoint
    people.sns.set_endpoint_attributes(EndpointArn=arn, Attributes={"Enabled": "false", "CustomUserData": "old"})
    people.sns.set_endpoint_attributes(EndpointArn=arn, Attributes={"CustomUserData": ""})
    people.put({"id": "bob", "devices": [device(1)]})
    assert people.endpoint(arn)["Enabled"] == "true"


def test_a_token_of_another_account_is_refused(people: Recipients):
    people.put({"id": "ann", "devices": [device(1)]})
    [problem] = people.put({"id": "eve", "devices": [device(1)]}, store=AccountStore("zother")).problems
    assert problem.reason == devices.ELSEWHERE
    assert people.tokens("ann") == [token(1)]


def test_another_accounts_recipients_are_out_of_reach(people: Recipients):
    people.put({"id": "ann"})
    other = AccountStore("zother")
    with pytest.raises(NotFound):
        recipients.read(other, "ann")
    with pytest.raises(NotFound):
        recipients.delete(other, "ann")
    assert people.get("ann") is not None


def test_a_busy_sns_is_a_problem_of_whoever_needs_it(people: Recipients):
    people.fail("CreatePlatformEndpoint", error("Throttling"))
    answer = people.put({"id": "ann", "devices": [device(1)]}, {"id": "bob", "devices": [device(2)]}, {"id": "cid"})
    assert answer.stored == 2
    assert [(each.id, each.reason) for each in answer.problems] == [("ann", devices.BUSY)]
    assert people.get("ann") is None


def test_five_devices_of_one_go_to_five_others_in_one_request(people: Recipients):
    people.put({"id": "ann", "devices": [device(number) for number in range(5)]})
    answer = people.put(*({"id": f"user-{number}", "devices": [device(number)]} for number in range(5)))
    assert (answer.stored, answer.problems) == (5, [])
    assert people.tokens("ann") == []
    assert [people.owner(number) for number in range(5)] == [f"user-{number}" for number in range(5)]


def test_endpoints_are_asked_for_many_at_once(people: Recipients, monkeypatch: pytest.MonkeyPatch):
    together = threading.Barrier(8)

    class Slow:
        def create_platform_endpoint(self, Token: str, **_: Any) -> dict[str, str]:  # noqa: N803 - boto3's own name
            together.wait(timeout=20)
            return {"EndpointArn": f"arn:{Token}"}

    monkeypatch.setattr(devices, "THREADS", 8)
    monkeypatch.setattr(devices.aws, "sns", Slow)
    tokens: list[devices.Token] = [("APNS", token(number)) for number in range(16)]
    assert devices.register("a", tokens) == {each: f"arn:{each[1]}" for each in tokens}


def test_no_endpoint_is_asked_for_once_the_time_is_over(people: Recipients, monkeypatch: pytest.MonkeyPatch):
    seconds = iter(range(0, 1000, 8))
    made = devices.register("a", [("APNS", token(n)) for n in range(4)], clock=lambda: next(seconds), seconds=18)
    assert [isinstance(each, str) for each in made.values()] == [True, True, False, False]


@pytest.mark.parametrize(
    ("refusal", "field", "says"),
    [
        (error("InvalidParameter", "Invalid parameter: Token Reason: bad"), "devices[0].token", "Token Reason: bad"),
        (error("NotFound", "PlatformApplication does not exist"), "devices[0].platform", "does not exist"),
        (error("PlatformApplicationDisabled"), "devices[0].platform", "disabled"),
        (error("InternalError"), None, ""),
    ],
)
def test_what_sns_says_of_a_token_is_told(people: Recipients, refusal: ClientError, field: str | None, says: str):
    people.fail("CreatePlatformEndpoint", refusal)
    if field is None:
        with pytest.raises(ClientError):
            people.put({"id": "ann", "devices": [device(1)]})
        return
    [problem] = people.put({"id": "ann", "devices": [device(1)]}).problems
    assert problem.field == field
    assert says in problem.reason


def test_a_write_between_reading_and_writing_is_not_lost(people: Recipients):
    people.put({"id": "ann", "phone": PHONES[0]})
    blocked = []

    def on_call(_service: str, operation: str, when: str) -> None:
        if operation == "BatchExecuteStatement" and when == "before" and not blocked:
            blocked.append(True)
            recipients.block_sms(people.store, "ann", "opted out")

    people.emulator.on_call = on_call
    people.put({"id": "ann", "phone": PHONES[0], "attributes": {"a": 1}})
    assert (people.get("ann").sms_blocked, people.get("ann").attributes) == ("opted out", {"a": 1})


def test_deletion_leaves_nothing(people: Recipients):
    people.put({"id": "ann", "phone": PHONES[0], "devices": [device(1), device(2, GCM)]})
    endpoints = [each.endpoint for each in people.get("ann").devices]
    people.store.put("inbox", "ann", {"text": "Hi"}, sk="01")
    people.store.put("inbox", "ann", {"until": "01"}, sk="read")
    recipients.delete(people.store, "ann")
    assert people.get("ann") is None
    assert [people.endpoint(each) for each in endpoints] == [None, None]
    assert (people.owner(1), people.owner(2, GCM)) == (None, None)
    assert people.store.partition("inbox", "ann") == []
    with pytest.raises(NotFound):
        recipients.delete(people.store, "ann")


def test_deletion_leaves_a_device_to_whoever_has_it_now(people: Recipients):
    people.put({"id": "ann", "devices": [device(1)]})
    people.put({"id": "bob", "devices": [device(1)]})
    recipients.delete(people.store, "ann")
    assert people.owner(1) == "bob"
    assert people.endpoint(people.get("bob").devices[0].endpoint) is not None


def test_a_deletion_that_died_anywhere_can_be_asked_for_again(people: Recipients):
    for call in range(100):
        people.put({"id": "ann", "devices": [device(1)]})
        arn = people.get("ann").devices[0].endpoint
        people.store.put("inbox", "ann", {"text": "Hi"}, sk="01")
        people.world.kill_at(call)
        try:
            recipients.delete(people.store, "ann")
        except Killed:
            people.emulator.on_call = lambda *_: None
            if people.get("ann"):
                recipients.delete(people.store, "ann")
        else:
            break
        assert (people.get("ann"), people.owner(1), people.endpoint(arn)) == (None, None, None)
        assert people.store.partition("inbox", "ann") == []
    assert call > 8


def test_a_busy_sns_puts_a_deletion_off_and_stops_messages_at_once(people: Recipients):
    people.put({"id": "ann", "devices": [device(1)]})
    people.fail("DeleteEndpoint", error("Throttling"))
    with pytest.raises(Unavailable):
        recipients.delete(people.store, "ann")
    assert people.tokens("ann") == []
    recipients.delete(people.store, "ann")
    assert (people.get("ann"), people.owner(1)) == (None, None)


def test_a_log_names_no_recipient(people: Recipients, capsys: pytest.CaptureFixture[str]):
    """An id may be an address or a phone number."""
    people.put({"id": "ann@mail.example", "devices": [device(1)]})
    people.fail("DeleteEndpoint", error("Throttling"))
    people.put({"id": "ann@mail.example"})
    logged = capsys.readouterr().out
    assert "devices stay for later" in logged
    assert "ann@mail" not in logged


def test_a_device_comes_back_after_its_removal_was_interrupted(people: Recipients):
    people.put({"id": "ann", "devices": [device(1)]})
    people.fail("DeleteEndpoint", error("Throttling"))
    people.put({"id": "ann"})
    assert people.owner(1) == "ann"
    assert people.put({"id": "ann", "devices": [device(1)]}).problems == []
    known = people.get("ann")
    assert (people.tokens("ann"), known.removed) == ([token(1)], ())
    assert people.endpoint(known.devices[0].endpoint) is not None


def test_a_device_that_is_just_leaving_can_be_taken_a_minute_later(people: Recipients):
    people.put({"id": "ann", "devices": [device(1)]})
    people.fail("DeleteEndpoint", error("Throttling"))
    people.put({"id": "ann"})
    people.emulator.on_call = lambda *_: None
    [problem] = people.put({"id": "bob", "devices": [device(1)]}).problems
    assert problem.reason == devices.LEAVING
    people.now += devices.LEAVING_SECONDS + 1
    assert people.put({"id": "bob", "devices": [device(1)]}).stored == 1
    assert people.endpoint(people.get("bob").devices[0].endpoint) is not None


def consistent(people: Recipients, names: list[str], tokens: range) -> None:
    """Each token has one owner, who alone has it, and an endpoint that takes messages."""
    for number in tokens:
        holders = [name for name in names if token(number) in people.tokens(name)]
        assert len(holders) <= 1
        if holders:
            assert people.owner(number) == holders[0]
            [arn] = {each.endpoint for each in people.get(holders[0]).devices if each.token == token(number)}
            assert people.endpoint(arn) is not None


@pytest.mark.parametrize("seed", range(40))
def test_devices_have_one_owner_whatever_dies_and_whoever_comes_between(people: Recipients, seed: int):
    chance, names = random.Random(seed), ["ann", "bob", "cid"]
    people.world.random = chance

    def item(name: str) -> dict[str, Any]:
        return {"id": name, "devices": [device(number) for number in chance.sample(range(4), chance.randrange(3))]}

    def between(count: int) -> None:
        """Another request comes between two requests to AWS of this one, or this one dies there."""
        other = item(chance.choice(names))

        def on_call(_service: str, _operation: str, when: str) -> None:
            nonlocal count
            count -= when == "before"
            if count == 0 and when == "before":
                count = -1
                people.emulator.on_call = lambda *_: None
                if chance.random() < 0.4:
                    raise Killed
                people.put(other)

        people.emulator.on_call = on_call

    for _ in range(6):
        between(chance.randrange(1, 15))
        try:
            people.put(*(item(name) for name in chance.sample(names, 2)))
        except Killed:
            people.now += devices.LEAVING_SECONDS + 1
        people.emulator.on_call = lambda *_: None
        consistent(people, names, range(4))
    people.now += devices.LEAVING_SECONDS + 1
    last = {"id": "dan", "devices": [device(number) for number in range(4)]}
    assert people.put(last).problems == []
    consistent(people, [*names, "dan"], range(4))
    assert len(people.tokens("dan")) == 4


def test_pages_of_a_segment_are_complete_and_in_order(people: Recipients):
    names = [f"user-{number}" for number in range(150)]
    for start in range(0, 150, 50):
        people.put(*({"id": name} for name in names[start : start + 50]))
    found: list[str] = []
    for number in range(recipients.SEGMENTS):
        after, mine = None, []
        while True:
            page, after = recipients.segment_page(people.store, number, after, None, 2)
            mine += [each.id for each in page]
            if after is None:
                break
        assert mine == sorted(mine)
        assert all(recipients.segment(name) == number for name in mine)
        found += mine
    assert sorted(found) == sorted(names)


def test_a_page_ends_where_it_was_told_to(people: Recipients):
    names = sorted(name for number in range(300) if recipients.segment(name := f"u{number}") == 5)
    people.put(*({"id": name} for name in names))
    page, last = recipients.segment_page(people.store, 5, names[1], names[4], 50)
    assert ([each.id for each in page], last) == (names[2:5], None)
    assert recipients.segment_page(people.store, 5, names[4], names[4], 50) == ([], None)


def test_the_list_goes_through_all_segments(people: Recipients):
    people.put(*({"id": f"user-{number}"} for number in range(40)))
    found, cursor = [], None
    while True:
        query = contract.RecipientQuery(limit=7) if cursor is None else contract.RecipientQuery(limit=7, cursor=cursor)
        page = recipients.page(people.store, query)
        found += [each.id for each in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert sorted(found) == sorted(f"user-{number}" for number in range(40))
