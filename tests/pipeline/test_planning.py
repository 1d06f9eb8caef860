"""Planning against the emulator: each recipient once, whatever dies, comes twice or changes meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from chalicelib import contract
from chalicelib.push import campaigns, chunks, listing, planning, progress, recipients
from tests.pipeline.inprocess import Emulator
from tests.pipeline.planned_world import Campaigns, Schedule, Stopping, connect, shrink
from tests.pipeline.world import Killed


@pytest.fixture
def world(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Campaigns:
    made = connect(emulator, monkeypatch)
    shrink(monkeypatch, segments=3, rows=4)
    return made


def names(world: Campaigns, campaign: str) -> list[str]:
    return sorted(row.recipient for _, row in world.rows(campaign))


def test_every_recipient_is_in_one_chunk_with_their_text(world: Campaigns):
    world.enrol(*(f"u{number}" for number in range(20)))
    campaign = world.start()
    world.drain("plan")
    rows = world.rows(campaign)
    assert sorted((row.recipient, row.text) for _, row in rows) == sorted((f"u{n}", f"Hi u{n}") for n in range(20))
    assert max(Counter(chunk for chunk, _ in rows).values()) <= 4
    assert world.view(campaign).progress.total_is_final


def test_an_audience_by_ids_reads_no_others(world: Campaigns):
    world.enrol(*(f"u{number}" for number in range(10)))
    campaign = world.start(audience={"ids": ["u3", "u7", "nobody"]})
    world.drain("plan")
    assert names(world, campaign) == ["u3", "u7"]


def test_an_audience_that_few_match_fills_chunks_all_the_same(world: Campaigns):
    world.enrol(*(f"u{number}" for number in range(30)))
    world.enrol(*(f"u{number}" for number in range(0, 30, 3)), attributes={"name": "n", "tier": "gold"})
    campaign = world.start(audience={"attributes": {"tier": "gold"}})
    world.drain("plan")
    assert names(world, campaign) == sorted(f"u{number}" for number in range(0, 30, 3))
    assert len({chunk for chunk, _ in world.rows(campaign)}) <= 3 + 10 // 4


def test_a_text_that_lacks_a_value_is_skipped_with_its_name(world: Campaigns):
    world.enrol("u1")
    world.enrol("u2", attributes={})
    campaign = world.start()
    world.drain("plan")
    assert {row.recipient: (row.state, row.reason) for _, row in world.rows(campaign)} == {
        "u1": ("planned", None),
        "u2": ("skipped", "missing name"),
    }


def test_whoever_cannot_be_reached_is_counted_as_skipped(world: Campaigns):
    world.enrol("u1", phone=None)
    world.enrol("u2", opt_out=["sms"])
    campaign = world.start()
    world.drain()
    assert sorted(str(row.reason) for _, row in world.rows(campaign)) == ["no_phone", "opted_out"]
    assert (world.view(campaign).state, world.view(campaign).progress.skipped) == ("completed", 2)


def test_a_large_request_is_kept_in_pieces(world: Campaigns):
    wanted = [f"x{number:095}" for number in range(8000)]
    world.enrol("u1")
    campaign = world.start(audience={"ids": [*wanted, "u1"]})
    world.drain("plan")
    assert names(world, campaign) == ["u1"]
    assert len(world.store.partition("campaign", campaign, prefix="asked#")) == 3


def test_planning_again_adds_nothing(world: Campaigns):
    world.enrol(*(f"u{number}" for number in range(12)))
    campaign = world.start()
    asked = list(world.messages)
    world.drain("plan")
    before = world.rows(campaign)
    world.messages += asked
    world.drain("plan")
    assert world.rows(campaign) == before


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_planner_killed_at_any_request_leaves_the_rows_that_it_would_have_written(world: Campaigns, moment: str):
    world.enrol(*(f"u{number}" for number in range(9)))

    def on_call(_service: str, _operation: str, when: str) -> None:
        nonlocal left
        left -= when == moment
        if left == 0:
            raise Killed

    left, deaths = 1, 0
    campaign = world.start()
    _, _, first = world.messages[0]
    while dies(world, first, on_call):
        deaths += 1
        left = deaths + 1
    world.drain("plan")
    found = world.rows(campaign)
    assert deaths > 8
    assert sorted(row.recipient for _, row in found) == sorted(f"u{number}" for number in range(9))
    assert world.view(campaign).progress.total == 9


def test_who_comes_or_goes_in_a_frozen_page_moves_nobody_else(world: Campaigns):
    world.enrol(*(f"u{number}" for number in range(8)))
    campaign = world.start()
    frozen = {recipient: chunk for chunk, recipient in killed_after_freezing(world)}
    gone = sorted(frozen)[0]
    recipients.delete(world.store, gone)
    world.enrol(*(f"u{number}" for number in range(40, 60)))
    world.drain("plan")
    rows = world.rows(campaign)
    assert max(Counter(row.recipient for _, row in rows).values()) == 1
    assert {row.recipient: chunk for chunk, row in rows if row.recipient in frozen} == frozen
    assert next(row.reason for _, row in rows if row.recipient == gone) == "deleted"


def two_planners(world: Campaigns) -> tuple[str, list[Stopping]]:
    """A campaign, and two planners at the same segment, in which everybody is."""
    names = [name for name in (f"u{number}" for number in range(100)) if recipients.segment(name) == 0]
    world.enrol(*names[:12])
    campaign = world.start()
    _, queue, body = world.messages.pop(0)
    return campaign, [Stopping(world, queue, body) for _ in range(2)]


def test_a_page_is_frozen_by_one_planner_alone(world: Campaigns):
    """The second has a page that reaches further, since somebody left, and dies when it has written its rows."""
    campaign, (slow, quick) = two_planners(world)
    slow.go_to("UpdateItem", "before")
    recipients.delete(world.store, recipients.segment_page(world.store, 0, None, None, 1)[0][0].id)
    quick.go_to("BatchExecuteStatement", "after")
    quick.die()
    slow.end()
    plan_again(world, campaign)
    assert max(Counter(row.recipient for _, row in world.rows(campaign)).values()) == 1
    assert world.view(campaign).progress.total == 11


def test_a_planner_that_wakes_after_a_cancellation_adds_nobody(world: Campaigns):
    campaign, (slow, quick) = two_planners(world)
    slow.go_to("UpdateItem", "before")
    campaigns.cancel(world.store, "ann", campaign, world.now)
    quick.end()
    world.drain()
    assert world.view(campaign).progress.total_is_final
    slow.end()
    world.drain()
    assert (world.view(campaign).progress.total, world.rows(campaign)) == (0, [])


def test_a_segment_is_not_closed_over_a_frozen_page(world: Campaigns):
    campaign, (slow, quick) = two_planners(world)
    slow.go_to("UpdateItem", "before")
    campaigns.cancel(world.store, "ann", campaign, world.now)
    quick.go_to("UpdateItem", "before")
    slow.go_to("BatchExecuteStatement", "after")
    slow.die()
    quick.end()
    plan_again(world, campaign)
    assert [row.state for _, row in world.rows(campaign)] == ["cancelled"] * 4
    assert world.view(campaign).progress.cancelled == 4


def killed_after_freezing(world: Campaigns) -> list[tuple[str, str]]:
    """(chunk, recipient) of the page that was frozen when its planner died."""

    def on_call(_service: str, operation: str, when: str) -> None:
        if operation == "BatchExecuteStatement" and when == "before":
            raise Killed

    body = next(body for _, _, body in world.messages if dies(world, body, on_call))
    page = world.store.get("campaign", body["campaign"], f"segment#{body['segment']:02}")
    assert page is not None
    chunk = chunks.key(body["campaign"], body["segment"], 0, "sms")
    return [(chunk, name) for name in msgspec.json.decode(page["ids"])]


def dies(world: Campaigns, message: Any, on_call: Callable[[str, str, str], None]) -> bool:
    """Whether its planner is killed by what `on_call` raises."""
    world.emulator.on_call = on_call
    try:
        world.handle("plan", message)
    except Killed:
        return True
    finally:
        world.emulator.on_call = lambda *_: None
    return False


def test_a_planner_whose_time_is_over_goes_on_with_its_next_message(world: Campaigns):
    world.enrol(*(f"u{number}" for number in range(20)))
    campaign = world.start()
    turns = 0
    while world.messages:
        _, queue, body = world.messages.pop(0)
        if queue == "plan":
            ticks = iter(range(10**6))
            planning.plan(body, clock=lambda: next(ticks), seconds=3)  # noqa: B023
            turns += 1
    assert turns > 3
    assert names(world, campaign) == sorted(f"u{number}" for number in range(20))


@pytest.mark.parametrize("seed", range(30))
def test_no_schedule_loses_or_doubles_anybody(world: Campaigns, seed: int):
    schedule = Schedule(world, seed)
    campaign = schedule.run()
    rows, seen = world.rows(campaign), world.view(campaign)
    assert seen.state == ("cancelled" if schedule.cancelled else "completed")
    assert seen.progress.total_is_final
    placed = Counter((chunks.channel_of(chunk), row.recipient) for chunk, row in rows)
    assert max(placed.values(), default=1) == 1
    states = Counter(row.state for _, row in rows)
    assert chunks.OPEN.isdisjoint(states)
    assert {state: states[state] for state in progress.FINAL} == {
        state: getattr(seen.progress, state) for state in progress.FINAL
    }
    assert max(world.sent.values(), default=0) <= 1
    if not schedule.cancelled:
        assert {name for channel, name in placed if channel == "sms"} >= schedule.stayed
        assert {notice["campaign"] for notice in world.notices} == {campaign}
    assert "sweep_pk" not in campaigns.found(world.store, campaign)
    plan_again(world, campaign)
    assert world.rows(campaign) == rows


def plan_again(world: Campaigns, campaign: str) -> None:
    world.messages = [
        (0, "plan", campaigns.message(world.store, campaign, segment)) for segment in range(campaigns.SEGMENTS)
    ]
    world.drain()


def test_the_recipients_of_a_campaign_are_listed_once_page_by_page(world: Campaigns):
    world.enrol(*(f"u{number}" for number in range(20)))
    campaign = world.start()
    world.drain("plan")
    listed, cursor = [], None
    while True:
        query = contract.MessageQuery(limit=3, **({"cursor": cursor} if cursor else {}))
        found = listing.page(world.store, campaign, query)
        listed += [each.recipient for each in found.items]
        if (cursor := found.next) is None:
            break
    assert sorted(listed) == sorted(set(listed)) == names(world, campaign)
