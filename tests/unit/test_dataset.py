"""Data sets: posts of images that are known, by time, with targets and groups."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest

from chalicelib.training import post
from chalicelib.training.dataset import DataSet, Known, prepare
from chalicelib.training.post import Post, Problem

NOW = 1.7e9


def known(*images, **others):
    """Images with vectors of their own; others: an image's fingerprint."""
    chance = np.random.default_rng(0)
    hashes = dict.fromkeys(images) | others
    return {
        image: Known(chance.normal(size=20).astype(np.float32), phash, NOW + number)
        for number, (image, phash) in enumerate(hashes.items())
    }


def test_rows_are_sorted_by_time_and_by_row_where_it_is_the_same():
    posts = [Post(1, "a", 1, None, NOW + 9), Post(2, "b", 2, None, NOW + 3), Post(3, "a", 3, None, NOW + 3)]
    data, problems = prepare(posts, known("a", "b"))
    assert problems == []
    assert (data.images, data.engagement.tolist()) == (["b", "a", "a"], [2, 3, 1])
    assert data.posted_at.tolist() == [NOW + 3, NOW + 3, NOW + 9]
    assert np.argsort(data.targets).tolist() == [2, 0, 1]


def test_without_a_moment_the_upload_counts():
    data, _ = prepare([Post(0, "b", 1), Post(1, "a", 1), Post(2, "c", 1, None, NOW + 0.5)], known("a", "b", "c"))
    assert (data.images, data.posted_at.tolist()) == (["a", "c", "b"], [NOW, NOW + 0.5, NOW + 1])


def test_every_row_has_its_own_image_vector_and_weight():
    images = known("a", "b")
    data, _ = prepare([Post(0, "b", 1, weight=0.3), Post(1, "a", 1)], images)
    assert data.vectors.dtype == np.float32
    assert data.vectors.tolist() == [images["a"].vector.tolist(), images["b"].vector.tolist()]
    assert data.weights.tolist() == [1.0, 0.3]


def test_reposts_and_near_duplicates_share_a_group():
    images = known("other", a=0b111, b=0b101, c=2**63 + 2**33 - 1)
    data, _ = prepare([Post(row, image, 1) for row, image in enumerate(["a", "b", "c", "other", "a"])], images)
    groups = {image: set(data.groups[np.array(data.images) == image].tolist()) for image in data.images}
    assert groups["a"] == groups["b"]
    assert len({*groups["a"], *groups["c"], *groups["other"]}) == 3


def test_a_post_of_an_image_that_is_not_known_is_a_problem():
    data, problems = prepare([Post(4, "a", 1), Post(7, "gone", 2)], known("a"))
    assert (len(data), [(each.row, each.image) for each in problems]) == (1, [(7, "gone")])


def test_engagement_is_per_impression_where_impressions_are_given():
    data, _ = prepare([Post(0, "a", 5, 100), Post(1, "b", 6, 1000)], known("a", "b"))
    assert data.engagement.tolist() == [0.05, 0.006]
    assert data.targets[0] > data.targets[1]


@pytest.mark.parametrize(
    ("with_impressions", "used", "engagement"), [(5, 5, 0.5), (3, 3, 0.5), (2, 6, 1.0), (0, 6, 1.0)]
)
def test_the_kind_of_engagement_that_most_rows_have_is_used(with_impressions, used, engagement):
    posts = [Post(row, "a", 1, 2 if row < with_impressions else None) for row in range(6)]
    data, problems = prepare(posts, known("a"))
    assert (len(data), len(problems)) == (used, 6 - used)
    assert set(data.engagement.tolist()) == {engagement}
    assert all("impressions is missing" in each.reason for each in problems)


def test_what_is_dumped_is_loaded():
    data, _ = prepare([Post(row, image, row) for row, image in enumerate("abcab")], known("a", "b", "c"))
    loaded = DataSet.load(data.dump())
    assert loaded.images == data.images
    for name in ("vectors", "targets", "engagement", "weights", "groups", "posted_at"):
        assert getattr(loaded, name).dtype == getattr(data, name).dtype
        assert getattr(loaded, name).tolist() == getattr(data, name).tolist()


def test_a_pickle_is_not_loaded():
    out = io.BytesIO()
    np.savez(out, images=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        DataSet.load(out.getvalue())


def test_rows_can_be_taken_by_number_or_by_truth():
    data, _ = prepare([Post(row, image, row) for row, image in enumerate("abc")], known("a", "b", "c"))
    assert data.take(np.array([2, 0])).images == ["c", "a"]
    assert data.take(data.engagement > 0).vectors.tolist() == data.vectors[1:].tolist()


@pytest.mark.parametrize("posts", [[], [Post(0, "gone", 1)]])
def test_a_data_set_may_be_empty(posts):
    data, problems = prepare(posts, {})
    assert len(DataSet.load(data.dump())) == len(data) == 0
    assert problems == [Problem(each.row, each.image, "There is no such image.") for each in posts]


@pytest.mark.parametrize("engagement", [0, 3])
def test_ten_posts_that_are_all_the_same_have_targets_of_zero(engagement):
    posts = [Post(row, "abcdefghij"[row], engagement, None, NOW + row, {"row": row}) for row in range(10)]
    assert prepare(posts, known(*"abcdefghij"))[0].targets.tolist() == [0.0] * 10


def test_a_request_ends_row_by_row_as_data_or_as_problems():
    items = [
        {"image": image, "engagement": count, "posted_at": NOW}
        for image, count in (("a", 1), ("b", -1), ("gone", 2), ("b", float("nan")), ("b", 4))
    ]
    posts, unreadable = post.from_items(items, NOW)
    data, unusable = prepare(posts, known("a", "b"))
    assert (data.images, sorted(each.row for each in unreadable + unusable)) == (["a", "b"], [1, 2, 3])


def test_ten_thousand_copies_of_one_image_are_one_group_in_no_time():
    posts = [Post(row, "a", row % 7, None, NOW + row * 3600.0, {"kind": f"{row % 3}"}) for row in range(10_000)]
    begin = time.process_time()
    data, _ = prepare(posts, known("a"))
    assert set(data.groups.tolist()) == {0}
    assert np.isfinite(data.targets).all()
    assert time.process_time() - begin < 3


def test_ten_thousand_different_posts_take_a_moment():
    chance = np.random.default_rng(1)
    names = [f"{row:026}" for row in range(10_000)]
    images = known(**dict(zip(names, chance.integers(0, 2**64, 10_000, dtype=np.uint64).tolist(), strict=True)))
    posts = [
        Post(row, name, row % 97, 1000, NOW + row * 3600.0, {"kind": f"{row % 3}"}) for row, name in enumerate(names)
    ]
    begin = time.process_time()
    data, _ = prepare(posts, images)
    assert len(set(data.groups.tolist())) == 10_000
    assert time.process_time() - begin < 4
