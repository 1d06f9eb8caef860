"""What a customer's model says of itself is true of posts that it has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from chalicelib.scoring.percentile import percent
from chalicelib.training import calibration


def related(seed, count, correlation=0.5):
    """Predictions and the normal scores that come true."""
    chance = np.random.default_rng(seed)
    truth = chance.normal(size=count)
    return correlation * truth + np.sqrt(1 - correlation**2) * chance.normal(size=count), truth


@pytest.mark.parametrize("count", [12, 40, 200])
def test_the_interval_holds_four_of_five_new_posts_from_a_dozen_posts_on(count):
    shares = [
        calibration.covered(calibration.percentiles(*related(seed, count)), *related(seed + 1000, 50)).mean()
        for seed in range(200)
    ]
    assert 0.78 < np.mean(shares) < 0.82


def test_a_percentile_is_one_among_the_own_predictions():
    predicted, truth = related(1, 500)
    scores = [percent(each) for each in calibration.percentiles(predicted, truth).normal_scores(predicted).tolist()]
    assert np.percentile(scores, [10, 50, 90]) == pytest.approx([10, 50, 90], abs=3)


def test_a_model_that_says_the_same_of_all_puts_all_in_the_middle():
    scale = calibration.percentiles(np.full(30, 0.3), related(1, 30)[1])
    assert [percent(each) for each in scale.normal_scores(np.array([0.0, 0.3, 5.0])).tolist()] == [50, 50, 50]
    low, high = scale.interval(0.0)
    assert 0 < low < 25
    assert 75 < high < 100


def test_a_model_that_has_it_the_wrong_way_round_promises_nothing():
    predicted, truth = related(1, 100, correlation=-0.8)
    assert float(calibration.percentiles(predicted, truth).regression) == 0


def test_the_spread_is_finite_where_no_two_targets_differ():
    assert calibration.spread(np.arange(10.0), np.zeros(10)) == 1.0


def test_a_large_accounts_spread_looks_at_its_newest_posts(monkeypatch):
    monkeypatch.setattr(calibration, "PAIRED", 200)
    predicted, truth = related(1, 1000)
    newest = slice(-calibration.PAIRED, None)
    assert calibration.spread(predicted, truth) == calibration.spread(predicted[newest], truth[newest])
