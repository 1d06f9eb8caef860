from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.push.game import Rules, event_key, movement, ranks, scorer, season_of

RULES = {
    "points": {"click": 1, "Goal Reached": 50, " Refund ": -20},
    "levels": [{"name": "Bronze", "from_points": 0}, {"name": "Silver", "from_points": 100}],
    "badges": [{"name": "Century", "points": 100}, {"name": "Regular", "event": "Image Clicked", "count": 30}],
    "seasons": [
        {"name": "Winter", "starts": "2026-12-01", "ends": "2027-02-28"},
        {"name": "Autumn", "starts": "2026-09-01", "ends": "2026-11-30"},
    ],
}
fallen = st.lists(st.integers(-20, 20), max_size=40).map(lambda found: sorted(found, reverse=True))


def read(**changes: Any) -> Rules:
    return msgspec.json.decode(msgspec.json.encode(RULES | changes), type=Rules)


@pytest.mark.parametrize(
    ("tally", "points", "level", "badges"),
    [
        ({}, 0, "Bronze", ()),
        ({"click": 99}, 99, "Bronze", ("Regular",)),
        ({"click": 100}, 100, "Silver", ("Century", "Regular")),
        ({"conversion": 2}, 100, "Silver", ("Century",)),
        ({"click": 29, "refund": 2}, -11, None, ()),
        ({"impression": 10**6, "unknown": 5}, 0, "Bronze", ()),
    ],
)
def test_a_tally_becomes_points_a_level_and_badges(tally, points, level, badges):
    score = scorer(read())(tally)
    assert (score.points, score.level, score.badges) == (points, level, badges)


def test_no_rules_give_nothing():
    score = scorer(Rules())({"click": 5})
    assert (score.points, score.level, score.badges) == (0, None, ())


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("click", "click"),
        ("Image Clicked", "click"),
        ("IMAGE VIEWED", "impression"),
        ("goal reached", "conversion"),
        ("Order Completed", "order completed"),
        (" Order completed ", "order completed"),
    ],
)
def test_names_of_one_event_are_one(name, key):
    assert event_key(name) == key
    assert event_key(key) == key


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"points": {"click": 1001}}, r"<= 1000 - at `\$.points"),
        ({"points": {"click": -1001}}, r">= -1000 - at `\$.points"),
        ({"points": {"click": 1.5}}, r"\$.points"),
        ({"points": {"click": True}}, r"\$.points"),
        ({"points": {"click": "1"}}, r"\$.points"),
        ({"points": {" ": 1}}, r"\$.points|points"),
        ({"points": {"click": 1, "Image Clicked": 2}}, "'click' and 'Image Clicked' are the same event"),
        (
            {"levels": [{"name": "A", "from_points": 5}, {"name": "B", "from_points": 5}]},
            r"levels\[1\].from_points` is 5",
        ),
        ({"levels": [{"name": "A", "from_points": 5}, {"name": "B", "from_points": 4}]}, "more than the 5"),
        ({"levels": [{"name": "A", "from_points": 1}, {"name": "A", "from_points": 4}]}, "`levels`, the name 'A'"),
        ({"levels": [{"name": "A", "from_points": -1}]}, r"\$.levels\[0\].from_points"),
        ({"levels": [{"name": "", "from_points": 1}]}, r"\$.levels\[0\].name"),
        ({"badges": [{"name": "A", "points": 1}, {"name": "A", "points": 2}]}, "`badges`, the name 'A'"),
        ({"badges": [{"name": "A"}]}, r"badge 'A' needs either .* - at `\$.badges\[0\]"),
        ({"badges": [{"name": "A", "points": 1, "event": "x", "count": 1}]}, "needs either"),
        ({"badges": [{"name": "A", "event": "x"}]}, "needs either"),
        ({"badges": [{"name": "A", "points": 1, "count": 1}]}, "needs either"),
        ({"badges": [{"name": "A", "event": "x", "count": 0}]}, r"\$.badges\[0\].count"),
        ({"seasons": [{"name": "A", "starts": "2026-02-30", "ends": "2026-03-01"}]}, r"\$.seasons\[0\].starts"),
        ({"seasons": [{"name": "A", "starts": "2026-03-02", "ends": "2026-03-01"}]}, "before it starts"),
        (
            {
                "seasons": [
                    {"name": "B", "starts": "2026-03-31", "ends": "2026-06-30"},
                    {"name": "A", "starts": "2026-01-01", "ends": "2026-03-31"},
                ]
            },
            "'A' and 'B' share 2026-03-31",
        ),
        ({"prizes": []}, "prizes"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_field(changes, told):
    with pytest.raises(msgspec.ValidationError, match=told):
        read(**changes)


def test_rules_are_written_as_they_were_read():
    assert msgspec.json.decode(msgspec.json.encode(read())) == RULES


@pytest.mark.parametrize(
    ("today", "name"),
    [
        ("2026-08-31", None),
        ("2026-09-01", "Autumn"),
        ("2026-11-30", "Autumn"),
        ("2026-12-01", "Winter"),
        ("2027-02-28", "Winter"),
        ("2027-03-01", "Winter"),
    ],
)
def test_a_season_lasts_from_its_first_day_until_the_next_one_starts(today, name):
    season = season_of(read(), date.fromisoformat(today))
    assert (season and season.name) == name


def test_a_game_without_seasons_has_none():
    assert season_of(Rules(), date(2026, 1, 1)) is None


def test_ties_share_a_rank_and_the_next_rank_is_left_out():
    assert list(ranks([9, 7, 7, 5, 5, 5, 1])) == [1, 2, 2, 4, 4, 4, 7]


@given(fallen)
def test_a_rank_is_one_more_than_the_number_of_those_with_more_points(points):
    assert list(ranks(points)) == [1 + sum(other > each for other in points) for each in points]


def test_points_that_rise_are_refused():
    with pytest.raises(ValueError, match="from the most"):
        list(ranks([1, 2]))


def test_ranks_come_one_by_one_so_that_any_number_fits():
    assert next(ranks(iter(range(10**9, 0, -1)))) == 1


def test_movement_is_places_climbed():
    assert (movement(5, 2), movement(2, 5), movement(3, 3), movement(None, 1)) == (3, -3, 0, None)


@given(st.permutations(range(8)), st.permutations(range(8)))
def test_without_ties_all_movements_sum_up_to_nothing(before, after):
    moved = [movement(old, new) for old, new in zip(before, after, strict=True)]
    assert sum(each or 0 for each in moved) == 0


@given(st.dictionaries(st.sampled_from(["click", "conversion", "refund"]), st.integers(0, 1000)))
def test_more_of_what_gives_points_never_lowers_a_level(tally):
    score = scorer(read())
    names = [None, "Bronze", "Silver"]
    assert names.index(score(tally | {"click": tally.get("click", 0) + 1}).level) >= names.index(score(tally).level)
