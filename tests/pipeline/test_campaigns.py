"""The life of a campaign against the emulator: what is refused; pausing, resuming, cancelling; money and the end."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chalicelib import bus, contract
from chalicelib.errors import Conflict, NotFound, ProofsheetError
from chalicelib.push import audit, campaigns, launch, listing, snapshots, spend
from chalicelib.push.game import Standing
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from tests.pipeline.inprocess import Emulator
from tests.pipeline.planned_world import START, Campaigns, connect, request, shrink
from tests.pipeline.world import Killed

PRICE = 0.00645  # dollars, of a part to +1 202


@pytest.fixture
def world(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Campaigns:
    made = connect(emulator, monkeypatch)
    shrink(monkeypatch, segments=3, rows=4)
    return made


def refused(world: Campaigns, **asked: Any) -> tuple[str | None, str]:
    with pytest.raises(ProofsheetError) as error:
        world.launch(**asked)
    assert world.store.page("campaign", 10, None).items == []
    assert error.value.STATUS_CODE == 422
    return error.value.field, error.value.message


def killed(world: Campaigns, operation: str, when: str = "before") -> None:
    """The worker dies at its next request of this kind."""

    def on_call(_service: str, name: str, moment: str) -> None:
        if (name, moment) == (operation, when):
            world.emulator.on_call = lambda *_: None
            raise Killed

    world.emulator.on_call = on_call


# Creation


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"template": {"push": "Hi"}}, "template.sms"),
        ({"template": {}}, "template.sms"),
        ({"template": {"sms": "Hi", "push": "Hi"}}, "template.push"),
        ({"channel": "both"}, "template.push"),
        ({"template": {"sms": "x" * 2000}}, "template.sms"),
        ({"template": {"sms": " "}}, "template.sms"),
        ({"template": {"sms": "{{ ''.__class__ }}"}}, "template.sms"),
        ({"template": {"sms": "{% for x in [1] %}x{% endfor %}"}}, "template.sms"),
        ({"template": {"sms": "{{ recipient.phone }}"}}, "template.sms"),
        ({"template": {"sms": "{{ standing.points }}"}}, "audience"),
        ({"audience": {"level": "Gold"}}, "audience"),
        ({"starts_at": "2026-13-01"}, "starts_at"),
        ({"starts_at": "2028-01-01"}, "starts_at"),
    ],
)
def test_what_cannot_work_is_refused_and_leaves_nothing(world: Campaigns, asked: dict[str, Any], field: str):
    assert refused(world, **asked)[0] == field


def test_an_attribute_that_nobody_has_is_refused_by_name(world: Campaigns):
    world.enrol("u1", "u2")
    field, message = refused(world, template={"sms": "Hi {{ attributes.nane }}"})
    assert field == "template.sms"
    assert "attributes.nane" in message
    assert "attributes.name" in message


def test_an_attribute_that_some_have_or_that_has_a_default_is_taken(world: Campaigns):
    world.enrol("u1")
    world.enrol("u2", attributes={"city": "Bonn"})
    assert world.launch(template={"sms": "{{ attributes.city }} {{ attributes.pet|default('cat') }}"}).id


def test_an_empty_audience_completes_at_once_with_nothing(world: Campaigns):
    campaign = world.start()
    world.drain()
    seen = world.view(campaign)
    assert (seen.state, seen.progress.total, seen.progress.total_is_final) == ("completed", 0, True)
    assert [notice["campaign"] for notice in world.notices] == [campaign]


def test_one_key_is_one_campaign_for_ever(world: Campaigns):
    first = world.launch(key="k")
    world.now += 30 * 86400
    assert world.launch(key="k").id == first.id
    assert len(world.store.page("campaign", 10, None).items) == 1
    with pytest.raises(Conflict):
        world.launch(key="k", name="Another")
    assert world.launch(key="l").id != first.id


@pytest.mark.parametrize("operation", ["TransactWriteItems", "UpdateItem", "SendMessage"])
def test_a_creation_that_was_killed_is_finished_by_its_repetition(world: Campaigns, operation: str):
    world.enrol("u1", "u2", "u3")
    killed(world, operation)
    with pytest.raises(Killed):
        world.launch(key="k")
    campaign = world.launch(key="k").id
    assert campaign is not None
    world.drain()
    world.sweep(1000)
    world.drain()
    assert world.view(campaign).progress.sent == 3
    assert len(world.store.page("campaign", 10, None).items) == 1


def test_a_campaign_starts_at_its_time_and_not_before(world: Campaigns):
    world.enrol("u1")
    campaign = world.start(starts_at="2026-11-22T14:00:00+01:00")
    assert not world.sweep(3599)
    assert (world.messages, world.view(campaign).state) == ([], "planning")
    world.sweep(1)
    world.drain()
    assert (world.view(campaign).state, sum(world.sent.values())) == ("completed", 1)


def test_a_campaign_can_be_cancelled_before_its_time(world: Campaigns):
    world.enrol("u1")
    campaign = world.start(starts_at="2026-11-23T00:00:00Z")
    campaigns.cancel(world.store, "ann", campaign, world.now)
    world.drain()
    world.sweep(10**6)
    world.drain()
    seen = world.view(campaign)
    assert (seen.state, seen.progress.total, seen.progress.total_is_final) == ("cancelled", 0, True)
    assert not world.sent


def test_a_campaign_that_is_paused_over_its_time_begins_when_it_is_resumed(world: Campaigns):
    world.enrol("u1")
    campaign = world.start(starts_at="2026-11-22T13:00:00Z")
    campaigns.pause(world.store, "ann", campaign, world.now)
    world.sweep(7200)
    assert world.messages == []
    campaigns.resume(world.store, "ann", campaign, world.now)
    world.drain()
    assert world.view(campaign).state == "completed"


# Dry runs


def test_a_dry_run_tells_numbers_parts_cost_and_time_and_keeps_nothing(world: Campaigns):
    world.enrol(*(f"u{number}" for number in range(41)))
    world.enrol("u90", phone=None)
    world.enrol("u91", attributes={})
    answer = world.launch(dry_run=True, template={"sms": "Hi {{ attributes.name }} “there”" + "x" * 80})
    found = answer.estimate
    assert (answer.id, world.messages, world.store.page("campaign", 1, None).items) == (None, [], [])
    assert found is not None
    sms = found.channels["sms"]
    assert (found.recipients, found.exact, sms.messages, sms.parts) == (43, True, 41, 82)
    assert sms.skipped == {"missing name": 1, "no_phone": 1}
    assert sms.dollars == found.dollars == round(82 * PRICE, 6)
    assert found.duration_seconds == 3  # at 20 a second
    assert found.within_budget
    assert len(found.samples) == 3
    assert [hint[0] for hint in found.hints] == ["“", "”"]


def test_a_dry_run_of_nobody_says_zero(world: Campaigns):
    found = world.launch(dry_run=True).estimate
    assert found is not None
    assert (found.recipients, found.exact, found.channels["sms"].messages, found.duration_seconds) == (0, True, 0, 0)


def test_a_dry_run_without_the_time_to_read_all_extrapolates_and_says_so(world: Campaigns):
    world.enrol(*(f"u{number}" for number in range(60)))
    ticks = iter(range(0, 10**6, 5))
    asked = request(dry_run=True)
    found = launch.create(world.store, "ann", asked, world.now, clock=lambda: float(next(ticks))).estimate
    assert found is not None
    assert (found.exact, found.segments_read) == (False, 2)
    assert 45 <= found.recipients <= 75


def test_a_dry_run_says_when_the_money_is_not_enough(world: Campaigns):
    world.enrol("u1", "u2")
    enough = world.launch(dry_run=True, max_dollars=2 * PRICE).estimate
    short = world.launch(dry_run=True, max_dollars=1.9 * PRICE).estimate
    assert enough is not None
    assert short is not None
    assert (enough.within_budget, short.within_budget) == (True, False)


# Pause, resume, cancel


def planned(world: Campaigns, count: int = 20, **asked: Any) -> str:
    """A campaign of which nothing is sent yet."""
    world.enrol(*(f"u{number}" for number in range(count)))
    campaign = world.start(**asked)
    world.drain("plan")
    return campaign


def test_a_paused_campaign_sends_nothing_until_it_is_resumed(world: Campaigns):
    campaign = planned(world)
    for _ in range(2):
        campaigns.pause(world.store, "ann", campaign, world.now)
    world.drain()
    seen = world.view(campaign)
    assert (seen.state, seen.progress.planned, sum(world.sent.values())) == ("paused", 20, 0)
    for _ in range(2):
        campaigns.resume(world.store, "bob", campaign, world.now)
    world.drain()
    assert (world.view(campaign).state, set(world.sent.values()), len(world.sent)) == ("completed", {1}, 20)


def test_a_campaign_paused_in_planning_goes_on_where_it_was(world: Campaigns):
    world.enrol(*(f"u{number}" for number in range(20)))
    campaign = world.start()
    world.handle("plan", world.messages.pop(0)[2])
    campaigns.pause(world.store, "ann", campaign, world.now)
    world.drain()
    seen = world.view(campaign)
    assert seen.state == "paused"
    assert not seen.progress.total_is_final
    assert 0 < seen.progress.total < 20
    campaigns.resume(world.store, "ann", campaign, world.now)
    world.drain()
    assert (world.view(campaign).state, world.view(campaign).progress.sent) == ("completed", 20)


def test_a_campaign_cancelled_in_planning_plans_and_sends_no_more(world: Campaigns):
    world.enrol(*(f"u{number}" for number in range(20)))
    campaign = world.start()
    world.handle("plan", world.messages.pop(0)[2])
    for _ in range(2):
        campaigns.cancel(world.store, "ann", campaign, world.now)
    world.drain()
    seen = world.view(campaign)
    assert seen.state == "cancelled"
    assert 0 < seen.progress.total == seen.progress.cancelled < 20
    assert seen.progress.total_is_final
    assert not world.sent


def test_a_campaign_cancelled_in_sending_keeps_what_was_sent(world: Campaigns):
    campaign = planned(world)
    queue, body = world.messages.pop(0)[1:]
    world.handle(queue, body)
    sent = sum(world.sent.values())
    campaigns.cancel(world.store, "ann", campaign, world.now)
    world.drain()
    progress = world.view(campaign).progress
    assert (progress.sent, progress.cancelled, progress.planned) == (sent, 20 - sent, 0)
    assert 0 < sent == sum(world.sent.values())
    assert "sweep_pk" not in campaigns.found(world.store, campaign)


def test_what_has_ended_cannot_be_changed(world: Campaigns):
    campaign = world.start()
    world.drain()
    for change in (campaigns.pause, campaigns.resume, campaigns.cancel):
        with pytest.raises(Conflict):
            change(world.store, "ann", campaign, world.now)
    with pytest.raises(NotFound):
        campaigns.cancel(world.store, "ann", "nothing", world.now)


def test_the_audit_says_who_did_what_once(world: Campaigns):
    campaign = planned(world, 1)
    for user, change in (("bob", campaigns.pause), ("bob", campaigns.pause), ("eve", campaigns.resume)):
        world.now += 1
        change(world.store, user, campaign, world.now)
    world.now += 1
    campaigns.cancel(world.store, "ann", campaign, world.now)
    entries = audit.page(world.store, contract.Paging()).items
    assert [(each.user, each.action, each.about) for each in entries] == [
        ("ann", "campaign.cancelled", campaign),
        ("eve", "campaign.resumed", campaign),
        ("bob", "campaign.paused", campaign),
        ("ann", "campaign.created", campaign),
    ]
    assert entries[-1].details == {"name": "Spring"}


# The end


def test_a_campaign_completes_once_however_often_it_is_told_to(world: Campaigns):
    campaign = planned(world, 5)
    world.drain()
    ended = world.view(campaign).ended_at
    for _ in range(3):
        world.now += 10
        campaigns.advance(world.store, campaign, world.now)
        campaigns.complete(world.store, campaign, world.now)
    assert len(world.notices) == 1
    assert world.view(campaign).ended_at == ended


def test_a_notice_that_was_lost_is_told_by_the_sweeper(world: Campaigns):
    campaign = planned(world, 1)
    _, queue, body = world.messages.pop()
    killed(world, "Publish to a topic")
    with pytest.raises(Killed):
        world.handle(queue, body)
    assert (world.view(campaign).state, world.notices) == ("completed", [])
    assert world.sweep(1000)
    assert [notice["campaign"] for notice in world.notices] == [campaign]
    assert not world.sweep(10**6)


@pytest.mark.parametrize("queue", ["plan", "send_sms"])
def test_lost_messages_are_sent_again_by_the_sweeper(world: Campaigns, queue: str):
    world.enrol(*(f"u{number}" for number in range(10)))
    campaign = world.start()
    world.drain(*(["plan"] if queue == "send_sms" else []))
    world.messages = [each for each in world.messages if each[1] != queue]
    for _ in range(3):
        world.sweep(2000)
        world.drain()
    assert (world.view(campaign).state, world.view(campaign).progress.sent) == ("completed", 10)


def test_the_end_of_quiet_hours_waits_for_no_idle_channel(world: Campaigns, monkeypatch: pytest.MonkeyPatch):
    """At 12:00 in UTC it is 21:00 in Tokyo, and 07:00 ten hours later."""
    world.enrol("u1", timezone="Asia/Tokyo", quiet_hours={"from": "20:00", "to": "07:00"})
    campaign = world.start()
    world.drain()
    monkeypatch.setattr(bus, "busy_workers", lambda: frozenset({"send_sms"}))
    world.sweep(11 * 3600)
    world.drain()
    assert (world.view(campaign).state, world.view(campaign).progress.sent) == ("completed", 1)


# Money


def test_a_campaign_stops_before_its_limit_and_goes_on_with_a_higher_one(world: Campaigns):
    campaign = planned(world, 20, max_dollars=9 * PRICE)
    world.drain()
    seen = world.view(campaign)
    sent = sum(world.sent.values())
    assert (seen.state, seen.reason) == ("paused", "max_dollars")
    assert 0 < sent <= 9
    assert seen.dollars == round(sent * PRICE, 6) <= 9 * PRICE
    campaigns.resume(world.store, "ann", campaign, world.now, max_dollars=20 * PRICE)
    world.drain()
    seen = world.view(campaign)
    assert (seen.state, seen.reason, len(world.sent)) == ("completed", None, 20)
    assert seen.dollars == round(20 * PRICE, 6)


def test_an_account_stops_before_its_budget_and_goes_on_in_the_next_month(
    world: Campaigns, monkeypatch: pytest.MonkeyPatch
):
    small = msgspec.structs.replace(settings(), sms_budget_dollars=8 * PRICE)
    monkeypatch.setattr(spend, "settings", lambda: small)
    campaign = planned(world, 14)
    world.drain()
    seen = world.view(campaign)
    assert (seen.state, seen.reason) == ("paused", "budget")
    assert 0 < len(world.sent) <= 8
    assert {entry.user for entry in audit.page(world.store, contract.Paging()).items} == {"ann", audit.SERVICE}
    world.now = START + 20 * 86400
    campaigns.resume(world.store, "ann", campaign, world.now)
    world.drain()
    assert len(world.sent) > 8
    assert spend.spent(world.store, world.now) <= spend.micros(8 * PRICE)


def test_a_chunk_is_paid_for_once_however_often_it_comes(world: Campaigns):
    campaign = planned(world, 10)
    head = campaigns.found(world.store, campaign)
    chunk = world.messages[0][2]["chunk"]
    for _ in range(3):
        assert spend.reserve(world.store, head, chunk, world.now) is None
    once = spend.spent(world.store, world.now)
    assert 0 < once <= spend.micros(4 * PRICE)
    world.drain()
    assert spend.spent(world.store, world.now) == spend.micros(PRICE) * 10


# What is shown


def test_campaigns_are_listed_newest_first(world: Campaigns):
    made = []
    for name in ("one", "two", "three"):
        world.now += 1
        made.append(world.start(name=name))
    found = campaigns.page(world.store, contract.Paging(limit=2))
    assert [each.id for each in found.items] == made[:0:-1]
    rest = campaigns.page(world.store, contract.Paging(limit=2, cursor=found.next or ""))
    assert [each.name for each in rest.items] == ["one"]


def test_messages_are_listed_by_state(world: Campaigns):
    world.enrol("u90", phone=None)
    campaign = planned(world, 6)
    world.drain()
    skipped = listing.page(world.store, campaign, contract.MessageQuery(state="skipped"))
    assert [(each.recipient, each.reason) for each in skipped.items] == [("u90", "no_phone")]
    sent = listing.page(world.store, campaign, contract.MessageQuery(state="sent"))
    assert (len(sent.items), {each.message for each in sent.items}) == (6, {"m"})


def test_a_text_shows_the_standing_of_the_frozen_snapshot(world: Campaigns, monkeypatch: pytest.MonkeyPatch):
    world.enrol("u1", "u2")
    standings = {"one": {"u1": Standing(70, 1)}, "two": {"u1": Standing(9, 9)}}
    newest = ["one"]
    monkeypatch.setattr(snapshots, "latest", lambda _store: newest[-1])
    monkeypatch.setattr(snapshots, "shard", lambda _store, snapshot, _number: standings[snapshot])
    campaign = world.start(template={"sms": "{{ standing.points }} points"})
    newest.append("two")
    world.drain("plan")
    assert {row.recipient: row.text or row.reason for _, row in world.rows(campaign)} == {
        "u1": "70 points",
        "u2": "missing standing.points",
    }


def test_another_account_sees_nothing_of_it(world: Campaigns):
    campaign = world.start()
    with pytest.raises(NotFound):
        campaigns.view(AccountStore("z"), campaign, world.now)
    with pytest.raises(NotFound):
        listing.page(AccountStore("z"), campaign, contract.MessageQuery())
