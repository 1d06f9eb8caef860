"""Sending in the emulator: what SNS was really asked for, and what became of the rows."""

from __future__ import annotations

import json
import random
import time

import pytest
from botocore.awsrequest import AWSRequest

from chalicelib import lean, log, notices
from chalicelib.push import (
    campaigns,
    chunks,
    gateway,
    inbox,
    platforms,
    progress,
    publishing,
    recipients,
    sending,
    spend,
    turn,
)
from chalicelib.push.chunks import Row
from chalicelib.push.quiet import Hours
from chalicelib.push.recipients import Device, Recipient
from chalicelib.store import AccountStore
from localcloud import shims
from tests.pipeline.world import Killed

NOW = 1_795_348_800  # 2026-11-22T12:00:00Z
OPTED_OUT = "+12025500000"


@pytest.fixture(scope="module", autouse=True)
def _sns_as_it_is(emulator):
    from ministack.services import sns

    before = sns._publish
    shims.sns_publishes()
    yield
    sns._publish = before


@pytest.fixture
def sender(world, monkeypatch):
    monkeypatch.setattr(log, "_emit", lambda _line: None)
    monkeypatch.setattr(notices, "campaign_completed", lambda *_: None)
    return Sender(world, monkeypatch)


class Sender:
    """One campaign, the queue of its chunks, and what SNS holds of it in the end."""

    def __init__(self, world, monkeypatch, delivery="at_most_once"):
        self.world, self.now, self.slept = world, NOW, 0.0
        self.store = AccountStore(f"a{time.monotonic_ns():016}")
        self.faults = []  # of the next publishes: called with their real answer, or None
        self.answered = 0
        self.head("campaign", state="sending", delivery=delivery, started_at=NOW, planned_at=NOW)
        monkeypatch.setattr(lean, "post", self.post)

    def head(self, identifier, **more):
        self.store.put("campaign", identifier, {"id": identifier, "version": 0, **more})

    def post(self, service, url, headers, body):
        """`lean.post` without a socket."""
        self.world.emulator.on_call(service, "post", "before")
        scope = f"AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/{service}/aws4_request"
        request = AWSRequest("POST", f"{url}/", {**headers, "Authorization": scope}, body)
        fault = self.faults.pop(0) if service == "sns" and self.faults else None
        if isinstance(fault, tuple):
            return fault
        if fault and not fault.sent:
            raise fault
        status, _, answer = self.world.emulator.loop.run_until_complete(self.world.emulator._ask(request))
        self.world.emulator.on_call(service, "post", "after")
        if fault:
            raise fault
        return status, answer

    def plan(self, *people, channel="sms", campaign="campaign", page=0):
        rows = [(*recipients.place(each.id), recipients.encoded(each, None)) for each in people]
        self.store.insert_many(recipients.KIND, rows)
        chunk = chunks.key(campaign, 0, page, channel)
        chunks.write(self.store, chunk, [Row(each.id, text=f"Hi {each.id}") for each in people], self.now)
        chunks.deliver(self.store, chunk)
        return chunk

    def work(self, *, most=20):
        """Deliver the chunks' messages, one after the other, until there are none."""
        for _ in range(most):
            if not self.queue:
                return
            self.take()
        raise AssertionError("the chunk does not come to rest")

    def take(self, **options):
        body = self.queue.pop(0).body
        sending.send(body, clock=lambda: self.now, sleep=self.sleep, **options)

    @property
    def queue(self):
        return self.world.bag.messages

    def sleep(self, seconds):
        self.now += seconds
        self.slept += seconds

    def states(self, chunk):
        return {row.recipient: row.state for row in chunks.rows(self.store, chunk)}

    def progress(self):
        return progress.read(self.store, "campaign", self.now)

    @property
    def state(self):
        return self.store.get("campaign", "campaign")["state"]


def phone(number):
    return f"+1202555{number:04}"


def person(number, **more):
    return Recipient(f"u{number}", **{"phone": phone(number), **more})


def received(*targets):
    """How often SNS published to these phones or endpoints."""
    from ministack.services import sns

    kept = {key[-1]: records for key, records in sns._sms_messages.to_dict().items()}
    return [len(kept.get(target, ())) for target in targets]


@pytest.fixture(autouse=True)
def _empty_sns(emulator):
    from ministack.services import sns

    sns._sms_messages.clear()


@pytest.fixture
def endpoints(emulator):
    """Two platform endpoints."""
    sns = emulator.client("sns")
    platform = sns.create_platform_application(Name="p", Platform="GCM", Attributes={"PlatformCredential": "{}"})
    arn = platform["PlatformApplicationArn"]
    tokens = (f"t{time.monotonic_ns()}" for _ in range(2))
    return [sns.create_platform_endpoint(PlatformApplicationArn=arn, Token=each)["EndpointArn"] for each in tokens]


def test_everybody_gets_one_message_and_the_campaign_completes(sender):
    chunk = sender.plan(*map(person, range(1, 13)))
    sender.work()
    assert received(*map(phone, range(1, 13))) == [1] * 12
    assert set(sender.states(chunk).values()) == {"sent"}
    assert (sender.state, sender.progress().sent, sender.progress().planned) == ("completed", 12, 0)


def test_recipients_who_share_a_number_get_one_message_together(sender):
    chunk = sender.plan(person(1), person(2, phone=phone(1)))
    other = sender.plan(person(3, phone=phone(1)), person(4), page=1)
    sender.work()
    assert received(phone(1), phone(4)) == [1, 1]
    assert sender.states(chunk) | sender.states(other) == {"u1": "sent", "u2": "skipped", "u3": "skipped", "u4": "sent"}
    assert {row.reason for row in chunks.rows(sender.store, other)} == {None, "same_number"}


def test_a_number_stays_with_the_recipient_who_took_it_wherever_a_worker_dies(sender):
    for number in range(1, 8):
        campaign, shared = f"campaign{number}", phone(100 + number)
        sender.head(campaign, state="sending", delivery="at_most_once", planned_at=NOW)
        chunk = sender.plan(person(1, phone=shared), person(2, phone=shared), campaign=campaign)
        sender.world.kill_at(number)
        body = sender.queue[0].body
        with pytest.raises(Killed):
            sender.take()
        sender.world.emulator.on_call = lambda *_: None
        sender.now += sending.LEASE_SECONDS
        sending.send(body, clock=lambda: sender.now, sleep=sender.sleep)
        sender.queue.clear()
        states = sender.states(chunk)
        assert states["u1"] in ("sent", "unknown")
        assert states["u2"] == "skipped"
        assert received(shared)[0] <= 1


def test_the_text_is_deleted_when_it_is_sent_and_the_id_of_sns_is_kept(sender):
    chunk = sender.plan(person(1))
    sender.work()
    [row] = chunks.rows(sender.store, chunk)
    assert row.text is None
    assert row.message


def test_a_number_that_opted_out_at_sns_is_skipped_and_remembered(sender):
    chunk = sender.plan(person(1, phone=OPTED_OUT), person(2))
    sender.work()
    assert sender.states(chunk) == {"u1": "skipped", "u2": "sent"}
    assert "OptedOut" in recipients.load(sender.store, ["u1"])["u1"].sms_blocked


def test_who_opted_out_was_deleted_or_lost_the_phone_after_planning_gets_nothing(sender):
    gone, without, out = person(2), person(3, phone=None), person(4, opt_out=frozenset({"sms"}))
    chunk = sender.plan(person(1), gone, without, out)
    sender.store.delete(recipients.KIND, *recipients.place("u2"))
    sender.work()
    assert sender.states(chunk) == {"u1": "sent", "u2": "skipped", "u3": "skipped", "u4": "skipped"}
    assert {row.reason for row in chunks.rows(sender.store, chunk)} == {None, "deleted", "no_phone", "opted_out"}


def test_a_push_reaches_every_device_and_a_disabled_one_is_remembered(sender, emulator, endpoints):
    emulator.client("sns").set_endpoint_attributes(EndpointArn=endpoints[1], Attributes={"Enabled": "false"})
    devices = tuple(Device("GCM", token, endpoint) for token, endpoint in zip("ab", endpoints, strict=True))
    chunk = sender.plan(person(1, devices=devices), channel="push")
    sender.work()
    assert (sender.states(chunk), received(*endpoints)) == ({"u1": "sent"}, [1, 0])
    assert [bool(each.disabled) for each in recipients.load(sender.store, ["u1"])["u1"].devices] == [False, True]


def test_a_recipient_all_of_whose_devices_are_disabled_is_skipped(sender, emulator, endpoints):
    emulator.client("sns").set_endpoint_attributes(EndpointArn=endpoints[0], Attributes={"Enabled": "false"})
    chunk = sender.plan(person(1, devices=(Device("GCM", "t", endpoints[0]),)), channel="push")
    sender.work()
    assert sender.states(chunk) == {"u1": "skipped"}


def test_a_push_carries_the_platforms_message(sender, endpoints):
    from ministack.services import sns

    sender.plan(person(1, devices=(Device("GCM", "t", endpoints[0]),)), channel="push")
    sender.work()
    [kept] = next(records for key, records in sns._sms_messages.to_dict().items() if key[-1] == endpoints[0])
    assert json.loads(kept["Message"]) == json.loads(platforms.message("GCM", "Hi u1", campaign="campaign"))


def test_a_push_is_left_in_the_recipients_inbox_once(sender, endpoints):
    sender.faults = [THROTTLED]
    sender.plan(person(1, devices=(Device("GCM", "t", endpoints[0]),)), channel="push")
    sender.work()
    [message] = sender.store.partition(inbox.KIND, "u1")
    assert (message["kind"], message["text"], message["about"]) == ("campaign", "Hi u1", {"campaign": "campaign"})


def test_a_campaign_that_its_budget_does_not_allow_is_paused_and_sends_nothing(sender):
    sender.store.put("campaign", "campaign", {**sender.store.get("campaign", "campaign"), "max_micros": 1})
    chunk = sender.plan(person(1))
    spend.note(sender.store, chunk, 2)
    sender.work()
    head = sender.store.get("campaign", "campaign")
    assert (head["state"], head["reason"]) == ("paused", "max_dollars")
    assert (sender.states(chunk), received(phone(1))) == ({"u1": "planned"}, [0])


THROTTLED = (400, b"<Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error>")
INVALID = (400, b"<Error><Code>InvalidParameter</Code><Message>no</Message></Error>")
FAILED = (500, b"<Error><Code>InternalError</Code></Error>")
LOST = lean.Unanswered("timeout", sent=True)
REFUSED = lean.Unanswered("ConnectionRefusedError", sent=False)


def test_throttled_messages_are_sent_later_and_once(sender):
    sender.faults = [THROTTLED, THROTTLED]
    chunk = sender.plan(person(1), person(2))
    sender.work()
    assert (received(phone(1), phone(2)), set(sender.states(chunk).values())) == ([1, 1], {"sent"})
    assert sender.slept >= 3


def test_who_is_throttled_all_the_time_leaves_the_chunk_for_later(sender):
    sender.faults = [THROTTLED] * publishing.THROTTLES
    chunk = sender.plan(*map(person, range(1, 10)))
    sender.take()
    assert set(sender.states(chunk).values()) == {"planned"}
    sender.work()
    assert received(*map(phone, range(1, 10))) == [1] * 9


def test_credentials_that_are_refused_leave_the_chunk_for_later_at_once(sender):
    chunk = sender.plan(person(1), person(2))
    sender.faults = [(403, b"<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>")]
    sender.take()
    assert (sender.states(chunk), sender.slept < 1) == ({"u1": "planned", "u2": "planned"}, True)
    sender.work()
    assert received(phone(1), phone(2)) == [1, 1]


def test_a_campaign_says_what_holds_it_up_until_that_is_some_minutes_ago(sender):
    sender.plan(person(1))
    sender.faults = [(400, b"<Error><Code>PlatformApplicationDisabled</Code><Message>It is off</Message></Error>")]
    sender.take()
    held_up, later = (campaigns.view(sender.store, "campaign", sender.now + after).held_up for after in (299, 300))
    assert (held_up.reason, held_up.at) == ("PlatformApplicationDisabled: It is off", "2026-11-22T12:00:00.000Z")
    assert later is None


def test_one_message_that_is_throttled_at_the_end_of_a_turn_holds_nothing_up(sender):
    sender.plan(person(1))
    sender.faults = [THROTTLED]
    sender.take(seconds=0.5)
    assert campaigns.view(sender.store, "campaign", sender.now).held_up is None
    sender.work()
    assert received(phone(1)) == [1]


def test_an_invalid_message_fails_with_the_reason(sender):
    sender.faults = [INVALID]
    chunk = sender.plan(person(1))
    sender.work()
    assert [(row.state, row.reason) for row in chunks.rows(sender.store, chunk)] == [("failed", "InvalidParameter: no")]


@pytest.mark.parametrize("fault", [LOST, FAILED], ids=["lost", "failed"])
def test_at_most_once_what_may_have_been_sent_is_unknown(sender, fault):
    sender.faults = [fault]
    chunk = sender.plan(person(1), person(2))
    sender.work()
    assert sender.states(chunk) == {"u1": "unknown", "u2": "sent"}
    assert (sender.progress().unknown, sender.state) == (1, "completed")


@pytest.mark.parametrize("fault", [LOST, FAILED], ids=["lost", "failed"])
def test_at_least_once_what_may_have_been_sent_is_sent_again(world, sender, fault, monkeypatch):
    sender = Sender(world, monkeypatch, delivery="at_least_once")
    sender.faults = [fault]
    chunk = sender.plan(person(1))
    sender.work()
    assert sender.states(chunk) == {"u1": "sent"}
    assert received(phone(1)) == [2 if fault is LOST else 1]


def test_at_least_once_gives_up_in_the_end_and_says_that_it_does_not_know(world, sender, monkeypatch):
    sender = Sender(world, monkeypatch, delivery="at_least_once")
    sender.faults = [FAILED] * publishing.TRIES
    chunk = sender.plan(person(1))
    sender.work()
    assert (sender.states(chunk), sender.faults) == ({"u1": "unknown"}, [])


def test_in_quiet_hours_the_row_waits_and_the_others_do_not(sender):
    """At 12:00 in UTC it is 21:00 in Tokyo."""
    chunk = sender.plan(person(1, timezone="Asia/Tokyo", quiet_hours=Hours("20:00", "07:00")), person(2))
    sender.work()
    assert sender.states(chunk) == {"u1": "planned", "u2": "sent"}
    head = sender.store.get("chunk", chunk)
    assert head["not_before"] == head["sweep_at"] == NOW + 10 * 3600


def test_after_the_quiet_hours_the_sweepers_message_sends_the_rest(sender):
    chunk = sender.plan(person(1, timezone="Asia/Tokyo", quiet_hours=Hours("20:00", "07:00")))
    sender.work()
    sender.now = NOW + 10 * 3600
    sending.again(sender.store, chunk)
    sender.work()
    assert (sender.states(chunk), received(phone(1)), sender.state) == ({"u1": "sent"}, [1], "completed")


def test_quiet_hours_do_not_keep_a_campaign_from_being_cancelled(sender):
    chunk = sender.plan(person(1, timezone="Asia/Tokyo", quiet_hours=Hours("20:00", "07:00")))
    sender.work()
    sender.head("campaign", state="cancelled", delivery="at_most_once", planned_at=NOW)
    sending.again(sender.store, chunk)
    sender.work()
    assert (sender.states(chunk), received(phone(1))) == ({"u1": "cancelled"}, [0])


def test_a_paused_campaign_sends_nothing_and_keeps_its_rows(sender):
    chunk = sender.plan(person(1))
    sender.head("campaign", state="paused", delivery="at_most_once", planned_at=NOW)
    sender.work()
    assert (sender.states(chunk), received(phone(1)), sender.queue) == ({"u1": "planned"}, [0], [])


def test_a_turn_ends_in_time_and_hands_the_rest_on(sender):
    """At 10 a second, 3 s are enough for some 30."""
    chunk = sender.plan(*map(person, range(1, 61)))
    sender.take(seconds=3)
    assert 25 <= sum(received(*map(phone, range(1, 61)))) <= 32
    assert "lease" not in sender.store.get("chunk", chunk)
    sender.work()
    assert received(*map(phone, range(1, 61))) == [1] * 60


def test_the_channels_rate_is_kept(sender):
    sender.plan(*map(person, range(1, 41)))
    sender.work()
    assert sender.slept == pytest.approx(39 / turn.rate("sms"))


def test_a_worker_that_dies_leaves_at_most_a_group_unknown_and_no_two_messages(sender):
    """It dies at each of its requests in turn."""
    for number in range(1, 61, 5):
        campaign = f"campaign{number}"
        sender.head(campaign, state="sending", delivery="at_most_once", planned_at=NOW)
        people = [person(1000 + number * 10 + each) for each in range(12)]
        chunk = sender.plan(*people, campaign=campaign)
        sender.world.kill_at(number // 2)
        body = sender.queue[0].body
        with pytest.raises(Killed):
            sender.take()
        sender.world.emulator.on_call = lambda *_: None
        sender.now += sending.LEASE_SECONDS
        sending.send(body, clock=lambda: sender.now, sleep=sender.sleep)
        sender.queue.clear()
        states = sorted(sender.states(chunk).values())
        assert set(states) <= {"sent", "unknown"}
        assert states.count("unknown") <= turn.GROUP
        assert max(received(*(each.phone for each in people))) == 1


def test_random_schedules_in_the_emulator(sender):
    """Killed at any request, delivered twice, with lost answers: as the imagined cloud, so that it stays honest."""
    for seed in range(24):
        chance, campaign = random.Random(seed), f"campaign{seed}"
        sender.head(campaign, state="sending", delivery="at_most_once", planned_at=NOW, started_at=NOW)
        people = [person(2000 + seed * 20 + each) for each in range(chance.randint(3, 9))]
        chunk = sender.plan(*people, campaign=campaign)
        for _ in range(5):
            sender.faults = [chance.choice((None, LOST, FAILED, THROTTLED, INVALID, REFUSED)) for _ in range(2)]
            chunks.deliver(sender.store, chunk)
            sender.world.kill_at(chance.randrange(24))
            try:
                sender.take()
            except Killed:
                sender.now += chance.choice((1, sending.LEASE_SECONDS))
            sender.world.emulator.on_call = lambda *_: None
        sender.faults = []
        sender.now += sending.LEASE_SECONDS
        sending.again(sender.store, chunk)
        sender.work()
        states, published = sender.states(chunk), received(*(each.phone for each in people))
        assert max(published) <= 1
        assert not set(states.values()) & chunks.OPEN
        assert sender.store.get("campaign", campaign)["state"] in campaigns.ENDED
        found = progress.read(sender.store, campaign, sender.now)
        assert (found.sent, found.total) == (list(states.values()).count("sent"), len(people))


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        (400, "Throttling", "throttled"),
        (429, "Throttled", "throttled"),
        (403, "ExpiredToken", "throttled"),
        (403, "AccessDeniedException", "throttled"),
        (400, "OptedOut", "opted_out"),
        (400, "EndpointDisabled", "disabled"),
        (404, "NotFound", "disabled"),
        (400, "InvalidParameter", "invalid"),
        (400, "ParameterValueInvalid", "invalid"),
    ],
)
def test_what_sns_refuses_was_certainly_not_sent(status, code, why):
    answer = f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>".encode()
    assert gateway.outcome(status, answer).why == why


def test_an_endpoint_that_was_deleted_takes_no_more_messages():
    says = "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified"
    answer = f"<ErrorResponse><Error><Code>InvalidParameter</Code><Message>{says}</Message></Error></ErrorResponse>"
    assert gateway.outcome(400, answer.encode()).why == "disabled"


def test_a_reason_holds_no_phone_number():
    says = f"Invalid parameter: PhoneNumber Reason: {phone(1)} is not valid to publish to"
    answer = f"<ErrorResponse><Error><Code>InvalidParameter</Code><Message>{says}</Message></Error></ErrorResponse>"
    assert phone(1).removeprefix("+") not in gateway.outcome(400, answer.encode()).reason


@pytest.mark.parametrize(("status", "answer"), [(500, b""), (503, FAILED[1]), (200, b"<html>"), (302, b""), (400, b"")])
def test_what_cannot_be_understood_may_have_been_sent(status, answer):
    assert isinstance(gateway.outcome(status, answer), gateway.Unsure)
