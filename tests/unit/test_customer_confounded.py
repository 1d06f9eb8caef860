"""From posts to a model: what the metadata explains is not credited to the photos, and posts of one image are one."""

from __future__ import annotations

import numpy as np
import pytest

from chalicelib.training.customer import train
from chalicelib.training.dataset import Known, prepare
from chalicelib.training.distinct import distinct
from chalicelib.training.fit import normal_ranks
from chalicelib.training.post import Post
from tests.posts import photos, posts, silent, taste

HOUR = 3600.0
START = 1_700_000_000.0


def prepared(vectors, engagement, metadata):
    images = [f"{number:026d}" for number in range(len(vectors))]
    known = {image: Known(vector, None, START) for image, vector in zip(images, vectors, strict=True)}
    made = [
        Post(row, image, count, None, START + 7 * HOUR * row, about)
        for row, (image, count, about) in enumerate(zip(images, engagement.tolist(), metadata, strict=True))
    ]
    data, problems = prepare(made, known)
    assert problems == []
    return data


@pytest.mark.parametrize("seed", range(4))
def test_engagement_that_leaks_through_the_metadata_only_is_not_credited_to_the_photos(seed):
    chance, vectors = np.random.default_rng(seed), photos(seed, 120)
    promoted = taste(vectors) + 0.5 * chance.normal(size=120) > 0  # the photos that look so are those that are promoted
    engagement = np.round(chance.lognormal(3, 0.5, 120) * np.where(promoted, 10, 1))
    told = prepared(vectors, engagement, [{"promoted": bool(each)} for each in promoted])
    untold = prepared(vectors, engagement, [{} for _ in promoted])
    assert not train(told, [], silent).released
    assert train(untold, [], silent).released


def test_metadata_does_not_take_away_what_is_in_the_photos():
    chance, vectors = np.random.default_rng(9), photos(9, 150)
    promoted = chance.random(150) < 0.5
    engagement = np.round(100 * np.exp(taste(vectors) + 0.3 * chance.normal(size=150) + 2 * promoted))
    assert train(prepared(vectors, engagement, [{"promoted": bool(each)} for each in promoted]), [], silent).released


def test_what_many_small_campaigns_explain_is_not_credited_to_the_photos_that_look_alike_in_each():
    chance = np.random.default_rng(4)
    campaign = chance.permutation(np.arange(120) // 4)
    vectors = 0.6 * photos(20000, 30)[campaign] + 0.4 * photos(60000, 120)
    engagement = np.round(np.exp(3 + 1.2 * chance.normal(size=30)[campaign] + 0.5 * chance.normal(size=120)))
    told, untold = (
        prepared(
            vectors.astype(np.float32), engagement, [{"campaign": f"c{each}"} if named else {} for each in campaign]
        )
        for named in (True, False)
    )
    assert not train(told, [], silent).released
    assert train(untold, [], silent).released


# Each image once


def test_posts_of_one_image_become_one_at_the_time_of_the_last():
    data = posts(photos(1, 5), np.array([3.0, 1.0, 9.0, 4.0, 5.0]), groups=np.array([0, 1, 0, 2, 1]))
    once = distinct(data)
    assert once.posts.images == [data.images[2], data.images[3], data.images[4]]
    np.testing.assert_allclose(once.posts.engagement, [6.0, 4.0, 3.0])
    np.testing.assert_allclose(once.posts.targets, normal_ranks(np.array([2.0, 1.0, 0.0])))
    assert once.first_at.tolist() == [0.0, 3 * HOUR, HOUR]


def test_a_post_counts_by_its_weight():
    data = posts(
        photos(1, 3), np.array([1.0, 9.0, 5.0]), groups=np.array([0, 0, 1]), weights=np.array([0.75, 0.25, 0.5])
    )
    once = distinct(data).posts
    np.testing.assert_allclose(once.engagement, [3.0, 5.0])
    np.testing.assert_allclose(once.weights, [4 / 3, 2 / 3])


def test_a_hundred_posts_of_one_image_do_not_outweigh_all_others():
    data = posts(photos(1, 110), np.arange(110.0), groups=np.r_[np.zeros(100, int), np.arange(1, 11)])
    assert distinct(data).posts.weights.max() == 3.0
