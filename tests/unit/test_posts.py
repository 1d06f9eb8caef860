"""Posts from requests and labels, and the reasons why a row is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from chalicelib.tracking.labels import Label
from chalicelib.training import post
from chalicelib.training.post import MAX_METADATA, Post

NOW = 1_780_000_000.0


class Item(msgspec.Struct):
    image: str
    engagement: float
    impressions: float | msgspec.UnsetType | None = msgspec.UNSET
    posted_at: str | float | None = None
    metadata: dict[str, str | float | bool] = {}


def only(**fields):
    """The one post of a request."""
    posts, problems = post.from_items([{"image": "a", "engagement": 3, **fields}], NOW)
    assert problems == []
    return posts[0]


def reason(**fields):
    """Why the one item of a request is no post."""
    posts, problems = post.from_items([{"image": "a", "engagement": 3, **fields}], NOW)
    assert posts == []
    assert (problems[0].row, len(problems)) == (0, 1)
    return problems[0].reason


def test_an_item_becomes_a_post_whether_struct_or_mapping():
    fields = {"image": "a", "engagement": 3, "posted_at": 1.7e9, "metadata": {"kind": "reel", "ad": True, "words": 7}}
    expected = Post(0, "a", 3.0, None, 1.7e9, {"kind": "reel", "ad": True, "words": 7.0})
    assert post.from_items([Item(**fields)], NOW) == ([expected], [])
    assert post.from_items([fields], NOW) == ([expected], [])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"engagement": -1}, "engagement is negative"),
        ({"engagement": float("nan")}, "engagement is not finite"),
        ({"engagement": float("inf")}, "engagement is not finite"),
        ({"engagement": 10**400}, "engagement is not finite"),
        ({"engagement": 1e308}, "engagement is above 1e"),
        ({"engagement": None}, "engagement is missing"),
        ({"engagement": True}, "engagement is not a number"),
        ({"engagement": [1]}, "engagement is not a number"),
        ({"impressions": 0}, "impressions is 0"),
        ({"impressions": 2}, "impressions is lower than engagement"),
        ({"impressions": -5}, "impressions is negative"),
        ({"impressions": "many"}, "impressions is not a number"),
        ({"image": ""}, "image is missing"),
        ({"image": 7}, "image is not the id"),
        ({"image": "x" * 1_000_000}, "image is not the id"),
        ({"posted_at": "soon"}, "posted_at is neither"),
        ({"posted_at": float("nan")}, "posted_at is neither"),
        ({"posted_at": ["2026-01-01"]}, "posted_at is neither"),
        ({"posted_at": NOW + 301}, "in the future"),
        ({"posted_at": 1000 * NOW}, "in seconds"),
        ({"posted_at": 45_000}, "before 1990"),
        ({"posted_at": "0001-01-01T00:00:00+14:00"}, "before 1990"),
        ({"metadata": "reel"}, "metadata is not an object"),
        ({"metadata": {"kind": ["reel"]}}, "metadata 'kind' is neither"),
        ({"metadata": {"size": float("inf")}}, "metadata 'size' is neither"),
        ({"metadata": {str(number): 1 for number in range(MAX_METADATA + 1)}}, "more than 50"),
    ],
)
def test_what_cannot_be_used_is_told_with_the_reason(fields, words):
    assert words in reason(**fields)


def test_one_bad_item_costs_no_other():
    items = [{"image": name, "engagement": count} for name, count in (("a", 1), ("b", -1), ("c", 2))]
    posts, problems = post.from_items(items, NOW)
    assert [(each.row, each.image) for each in posts] == [(0, "a"), (2, "c")]
    assert [(each.row, each.image) for each in problems] == [(1, "b")]


def test_a_problem_repeats_no_megabyte():
    _, problems = post.from_items([{"image": "x" * 1_000_000, "engagement": 1}], NOW)
    assert problems[0].image == "x" * 100


@pytest.mark.parametrize(
    "moment",
    [
        1_767_225_600,
        "1767225600",
        "2026-01-01",
        "20260101",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00Z",
        "2026-01-01 02:00:00+02:00",
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_a_moment_may_be_written_in_many_ways(moment):
    assert only(posted_at=moment).posted_at == 1_767_225_600


def test_a_clock_may_be_five_minutes_fast():
    assert only(posted_at=NOW + 299).posted_at == NOW + 299


@pytest.mark.parametrize("absent", [None, "", msgspec.UNSET])
def test_what_is_absent_is_none(absent):
    found = only(impressions=absent, posted_at=absent)
    assert (found.impressions, found.posted_at) == (None, None)


def test_metadata_without_a_value_is_left_out():
    assert only(metadata={"kind": None, "words": 0}).metadata == {"words": 0.0}


def test_rows_after_the_last_that_is_read_share_one_problem(monkeypatch):
    monkeypatch.setattr(post, "MAX_POSTS", 3)
    posts, problems = post.from_items([{"image": "a", "engagement": 1}] * 9, NOW)
    assert (len(posts), [each.row for each in problems]) == (3, [3])


def test_labels_become_posts_that_are_trusted_as_far_as_their_weight():
    posts = post.from_labels([Label("a", 0.02, 0.7), Label("b", 0.01, 0.0)])
    assert posts == [Post(0, "a", 0.02, weight=0.7), Post(1, "b", 0.01, weight=0.0)]
