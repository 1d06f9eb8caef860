"""The target: freed of trend and metadata, and of nothing else. Accounts are made up, so that the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import rankdata

from chalicelib.training import context, target
from chalicelib.training.post import Post

SEEDS = range(6)
DAY = 86400


@dataclass
class Account:
    """Posts, and what of the logarithm of their engagement comes from the picture and from elsewhere."""

    posts: list[Post]
    picture: np.ndarray
    elsewhere: np.ndarray

    @property
    def engagement(self):
        return np.array([post.engagement for post in self.posts])

    def targets(self):
        return target.targets(self.engagement, None, context.parts(self.posts), np.arange(len(self.posts)))


def account(seed, n, *, picture=1.0, metadata=0.0, weekend=0.0, trend=0.0, noise=0.5, columns=0):
    chance = np.random.default_rng(seed)
    kind, words, looks = chance.integers(0, 3, n), chance.lognormal(4, 1, n), picture * chance.normal(size=n)
    moments = 1.7e9 + np.cumsum(chance.exponential(DAY / 2, n))
    elsewhere = metadata * (np.array([-1.2, 0, 1.2])[kind] + 0.5 * np.log(words / 50))
    elsewhere += weekend * ((moments // DAY + 3) % 7 >= 5) + trend * np.linspace(-1.7, 1.7, n)
    engagement = np.exp(6 + 0.5 * (looks + elsewhere + noise * chance.normal(size=n)))
    useless = [{f"c{number}": f"v{chance.integers(7)}" for number in range(columns)} for _ in range(n)]
    given = [{"kind": "abc"[kind[row]], "words": float(words[row])} if metadata else {} for row in range(n)]
    posts = [
        Post(row, str(row), float(engagement[row]), None, float(moments[row]), given[row] | useless[row])
        for row in range(n)
    ]
    return Account(posts, looks, elsewhere)


def correlation(values, truth):
    return float(np.corrcoef(rankdata(values), rankdata(truth))[0, 1])


def mean_correlation(part, n, **effects):
    """Over some accounts: of the raw engagement and of the targets with a part of the truth."""
    accounts = [account(seed, n, **effects) for seed in SEEDS]
    raw = [correlation(each.engagement, getattr(each, part)) for each in accounts]
    return np.mean(raw), np.mean([correlation(each.targets(), getattr(each, part)) for each in accounts])


def plain(engagement, impressions=None):
    """Targets of posts of which nothing else is known."""
    count = len(engagement)
    shown = None if impressions is None else np.array(impressions, float)
    return target.targets(np.array(engagement, float), shown, [np.zeros((count, 0))] * 2, np.arange(count))


# Effects


@pytest.mark.parametrize("effect", [{"metadata": 1.0}, {"weekend": 2.5}, {"trend": 1.0}])
def test_without_what_is_elsewhere_a_target_tells_more_of_the_picture(effect):
    raw, freed = mean_correlation("picture", 150, **effect)
    assert freed > raw + 0.07


@pytest.mark.parametrize(
    ("effect", "left"),
    [({"metadata": 1.0, "noise": 0.8}, 0.1), ({"metadata": 1.0, "noise": 0.1}, 0.1), ({"trend": 1.0}, 0.25)],
)
def test_engagement_from_elsewhere_alone_is_not_in_the_target(effect, left):
    raw, freed = mean_correlation("elsewhere", 150, picture=0.0, **effect)
    assert raw > 0.7
    assert abs(freed) < left


def test_posts_that_went_around_the_world_do_not_decide_what_metadata_is_worth():
    each = account(1, 150, metadata=1.0)
    values, part = np.log(each.engagement), context.parts(each.posts)[0]
    viral = values.copy()
    viral[[20, 90]] += 15
    calm, excited = (target.foretold(each, part, np.arange(150)) for each in (values, viral))
    assert correlation(calm, excited) > 0.97
    assert np.abs(calm - excited).max() < 0.5


@pytest.mark.parametrize("n", [10, 19, 20, 40, 150])
def test_metadata_that_tells_nothing_costs_nothing(n):
    raw, freed = mean_correlation("picture", n, columns=8)
    assert freed > raw - 0.02


@pytest.mark.parametrize("n", [10, 15, 20])
def test_few_posts_are_not_harmed(n):
    raw, freed = mean_correlation("picture", n, metadata=1.0, columns=3)
    assert freed > raw - 0.02


def test_metadata_that_names_the_picture_does_not_take_its_effect():
    chance = np.random.default_rng(3)
    pictures = chance.permutation(np.repeat(np.arange(30), 6))
    looks = chance.normal(size=30)[pictures]
    engagement = np.exp(5 + looks + 0.3 * chance.normal(size=180))
    posts = [Post(row, str(row), 1.0, metadata={"sku": f"n{picture}"}) for row, picture in enumerate(pictures)]
    _, first = np.unique(pictures, return_index=True)
    groups = rankdata(first).astype(int)[pictures] - 1
    freed = target.targets(engagement, None, context.parts(posts), groups)
    assert correlation(freed, looks) > correlation(engagement, looks) - 0.01


def test_no_post_takes_part_in_what_is_foretold_of_it_or_of_its_copies():
    each = account(5, 60, metadata=1.0)
    values, part, groups = np.log(each.engagement), context.parts(each.posts)[0], np.arange(60)
    groups[[40, 50]] = groups[10]
    groups = np.unique(groups, return_inverse=True)[1]
    changed = values.copy()
    changed[[10, 40, 50]] = values[[40, 50, 10]]
    before, after = target.foretold(values, part, groups), target.foretold(changed, part, groups)
    assert before[[10, 40, 50]] == pytest.approx(after[[10, 40, 50]])
    assert before[59] != pytest.approx(after[59])


# Engagement


@pytest.mark.parametrize("engagement", [[], [7], [0] * 10, [3] * 50, [0.02] * 200, [1e15] * 30])
def test_engagement_that_is_all_the_same_gives_zeros(engagement):
    assert plain(engagement).tolist() == [0.0] * len(engagement)


def test_equal_rates_give_zeros_whatever_their_impressions():
    impressions = np.arange(10, 510, 10)
    assert set(plain(impressions / 10, impressions).tolist()) == {0.0}


def test_targets_are_normal_scores_that_keep_the_order_and_the_ties():
    chance = np.random.default_rng(0)
    engagement = chance.permutation([0, 0, 0, *range(5, 95), 40, 40])
    found = plain(engagement)
    assert correlation(found, engagement) > 0.95
    assert abs(found.mean()) < 0.02
    assert 0.9 < found.std() < 1.0


def test_few_posts_are_ranked_as_they_are():
    engagement = [5, 3, 3, 80, 0, 1e15, 7, 6, 12, 1]
    assert rankdata(plain(engagement)).tolist() == rankdata(engagement).tolist()


@pytest.mark.parametrize("scale", [1e-12, 0.01, 1, 1e12])
def test_the_unit_of_the_engagement_does_not_matter(scale):
    engagement = np.random.default_rng(1).lognormal(1, 1, 60)
    assert correlation(plain(scale * engagement), engagement) > 0.98


@pytest.mark.parametrize(
    ("engagement", "impressions"), [((0, 1e15), (1, 1e15)), ((0, 5e-324), (1e15, 1)), ((0,), (1,))]
)
def test_the_extremes_of_what_is_allowed_give_finite_targets(engagement, impressions):
    many = 20
    assert np.isfinite(plain(engagement * many, impressions * many)).all()
    assert np.isfinite(plain(engagement * many)).all()


def test_no_click_of_few_impressions_is_better_than_none_of_many():
    clicks, impressions = [30, 30, 30, 0, 0, 60], [1000, 1000, 1000, 10, 5000, 1000]
    found = plain(clicks, impressions)
    assert found[4] < found[3] < found[0] < found[5]


# The parts


def test_the_trend_is_the_median_of_fifteen_posts_before():
    values = np.random.default_rng(2).normal(size=40)
    found = target.trend(values)
    assert found[30] == np.median(values[15:30])
    assert found[8] == np.median(values[:8])
    assert found[0] == np.median(values[:15])


def test_blocks_follow_time_are_about_equal_and_part_no_group():
    groups = np.arange(100)
    groups[[3, 97]] = 3
    found = target.blocks(np.unique(groups, return_inverse=True)[1])
    assert found[97] == found[3] == 0
    assert np.bincount(np.delete(found, 97)).tolist() == pytest.approx([20] * 5, abs=1)
    assert set(target.blocks(np.zeros(50, int)).tolist()) == {0}


def test_a_prediction_farther_away_than_the_mean_is_not_taken_away():
    values = np.random.default_rng(4).normal(size=500)
    apart = np.random.default_rng(5).normal(size=500)
    assert target.without(values, 0.3 * values + apart) is values
    assert target.without(values, np.full(500, 3.0)) is values
    assert np.std(target.without(values, values + 0.1 * apart)) < 0.15


# The context


def parts_of(metadata, moments=None):
    count = len(metadata)
    moments = moments or [None] * count
    return context.parts([Post(row, "a", 1.0, None, moments[row], metadata[row]) for row in range(count)])


def test_without_metadata_and_moments_there_is_no_context():
    assert [part.shape for part in parts_of([{}] * 9)] == [(9, 0), (9, 0)]
    assert [part.shape for part in parts_of([])] == [(0, 0), (0, 0)]


def test_a_constant_column_is_none():
    assert parts_of([{"kind": "reel", "size": 3.0}] * 9)[0].shape == (9, 0)


def test_a_text_of_many_values_keeps_its_frequent_ones_and_a_number_its_rank():
    metadata = [{"kind": f"k{row % 70}" if row < 150 else "k0", "size": 10.0**row} for row in range(300)]
    given, _ = parts_of(metadata)
    assert given.shape == (300, context.CATEGORIES + 2)
    assert np.abs(given).max() < 10


def test_a_text_that_is_hardly_ever_the_same_counts_by_its_length():
    given, _ = parts_of([{"caption": "word " * row} for row in range(1, 30)])
    assert correlation(given[:, 0], np.arange(29)) == pytest.approx(1)


def test_a_column_of_numbers_and_texts_is_one_of_texts_and_missing_values_are_seen():
    mixed, _ = parts_of([{"x": 1.0}, {"x": "one"}] * 10)
    missing, _ = parts_of([{"x": float(row)} if row % 3 else {} for row in range(30)])
    assert mixed.shape == (20, 2)
    assert set(missing[:, -1].tolist()) == {0.0, 1.0}


def test_weekdays_are_those_of_utc():
    monday = 1_767_571_200  # 2026-01-05
    _, calendar = parts_of([{}] * 14, [float(monday + day * DAY) for day in range(14)])
    weekdays = calendar[:, :7]
    assert weekdays.tolist() == np.tile(np.eye(7), (2, 1)).tolist()


def test_metadata_without_bound_has_a_bounded_number_of_columns():
    chance = np.random.default_rng(0)
    metadata = [
        {f"{name}": f"{chance.integers(40)}" for name in chance.choice(500, 50, replace=False)} for _ in range(300)
    ]
    given, _ = parts_of(metadata)
    assert given.shape[1] <= 1260
