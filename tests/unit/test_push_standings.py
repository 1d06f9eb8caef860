"""Standings without AWS: scores of a shard, ranks over all shards, and the rules' limits."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import msgspec
import pytest

from chalicelib.errors import Unprocessable
from chalicelib.push import game, recipients, rules, standings
from chalicelib.push.game import Rules
from chalicelib.push.standings import Held, Rank, Scored
from chalicelib.store import AccountStore
from chalicelib.tracking import tallies

RULES = msgspec.convert(
    {
        "points": {"Image Clicked": 1, "Level Up": 10, "refund": -5},
        "badges": [{"name": "Dozen", "points": 12}, {"name": "Visitor", "event": "visit", "count": 2}],
        "levels": [{"name": "Bronze", "from_points": 0}, {"name": "Silver", "from_points": 20}],
    },
    Rules,
)


def test_a_score_is_the_sum_of_all_days_of_what_the_rules_name():
    days = [
        [("ana", "click", 3), ("ana", "level up", 1), ("ben", "visit", 1), ("cem", "scrolled", 9)],
        [("ana", "level up", 1), ("ben", "visit", 1), ("dia", "refund", 1), ("nobody", "click", 50)],
    ]
    assert standings.scores(RULES, ["cem", "dia", "ben", "ana"], days) == [
        Scored("ana", 23, "Silver", ("Dozen",)),
        Scored("ben", 0, "Bronze", ("Visitor",)),
        Scored("dia", -5, None, ()),
    ]


def test_ties_of_several_shards_share_a_rank_and_no_place():
    shards = [[Held(9, 1), Held(5, 2)], [], [Held(7, 1), Held(5, 1), Held(-1, 3)]]
    assert standings.order(shards) == [
        [Rank(9, 1, 0), Rank(5, 3, 2)],
        [],
        [Rank(7, 2, 1), Rank(5, 3, 4), Rank(-1, 6, 5)],
    ]


@pytest.mark.parametrize("seed", range(20))
def test_ranks_over_shards_are_those_of_one_list(seed):
    chance = random.Random(seed)
    shards = [
        sorted((Scored(f"{shard}-{n}", chance.randrange(9), None, ()) for n in range(chance.randrange(12))), key=best)
        for shard in range(4)
    ]
    held = [[Held(p, sum(each.points == p for each in shard)) for p in points_of(shard)] for shard in shards]
    ranked = [
        row
        for scores, ranks in zip(shards, standings.order(held), strict=True)
        for row in standings.rank(scores, ranks, {})
    ]
    ranked.sort(key=lambda row: row.place)
    assert [row.place for row in ranked] == list(range(len(ranked)))
    assert [row.rank for row in ranked] == list(game.ranks(row.points for row in ranked))


def best(scored):
    return -scored.points, scored.id


def points_of(shard):
    return sorted({each.points for each in shard}, reverse=True)


def test_movement_is_told_against_the_snapshot_before():
    scores = [Scored("ana", 9, None, ()), Scored("ben", 9, None, ()), Scored("cem", 9, None, ())]
    moved = [row.movement for row in standings.rank(scores, [Rank(9, 4, 3)], {"ana": 6, "ben": 2})]
    assert moved == [2, -2, None]


@pytest.mark.parametrize("recipient", ["ana", "zoë", "用户", "x" * 200])
def test_tallies_and_recipients_have_the_same_shards(recipient):
    assert tallies.SHARDS == recipients.SEGMENTS
    assert tallies.shard_of(recipient) == recipients.segment(recipient)


@pytest.mark.parametrize(
    ("now", "following"),
    [("2026-11-22T00:00", "2026-11-22T04:30"), ("2026-11-22T04:30", "2026-11-23T04:30")],
)
def test_standings_are_computed_an_hour_after_the_compaction_begins(now, following):
    assert rules.next_time(second(now)) == second(following)


def second(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_season_longer_than_a_year_is_refused():
    long = {"seasons": [{"name": "Long", "starts": "2026-01-01", "ends": "2027-01-02"}]}
    with pytest.raises(Unprocessable) as refused:
        rules.put(AccountStore("a"), msgspec.convert(long, Rules), 0)
    assert refused.value.field == "seasons[0].ends"


def test_rules_too_large_for_the_row_of_a_snapshot_are_refused():
    badges = [{"name": f"{number} " + "漢" * 90, "event": "漢" * 99, "count": 1} for number in range(100)]
    levels = [{"name": f"{number} " + "漢" * 90, "from_points": number} for number in range(100)]
    points = {f"{number} " + "漢" * 90: 1 for number in range(200)}
    with pytest.raises(Unprocessable, match="100,000 bytes"):
        rules.put(AccountStore("a"), msgspec.convert({"badges": badges, "levels": levels, "points": points}, Rules), 0)
