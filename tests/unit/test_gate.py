"""The gate: lets through what orders unseen posts better than chance, and counts nothing else as a signal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from chalicelib.training.gate import LEVEL, no_signal, p_value, rank_correlation, too_few


def test_in_one_block_the_rank_correlation_is_spearmans():
    truth, said = np.random.default_rng(0).normal(size=(2, 50))
    assert rank_correlation([truth], [said]) == pytest.approx(spearmanr(truth, said).statistic)


def test_what_only_tells_one_block_from_another_is_no_signal():
    chance = np.random.default_rng(1)
    truth = [level + chance.normal(size=20) for level in (0, 10, 20)]
    said = [level + chance.normal(size=20) for level in (0, 10, 20)]
    assert abs(rank_correlation(truth, said)) < 0.3
    assert p_value(truth, said) > LEVEL


def test_noise_passes_about_as_often_as_the_level_says():
    passed = sum(
        no_signal(rank_correlation(truth, said), p_value(truth, said)) is None
        for truth, said in (np.random.default_rng(seed).normal(size=(2, 3, 8)) for seed in range(150))
    )
    assert passed <= 8


def test_a_true_order_passes():
    truth = np.random.default_rng(2).normal(size=(3, 10))
    assert rank_correlation(truth, truth) == pytest.approx(1)
    assert p_value(truth, truth) < 0.001


def test_the_wrong_way_round_does_not_pass():
    truth = np.random.default_rng(3).normal(size=(3, 10))
    assert p_value(truth, -truth) > 0.99
    assert "no better than chance" in no_signal(rank_correlation(truth, -truth), 0.001)


def test_a_model_that_says_the_same_of_all_has_no_correlation():
    truth = np.random.default_rng(4).normal(size=(2, 10))
    assert rank_correlation(truth, np.zeros((2, 10))) == 0
    assert p_value(truth, np.zeros((2, 10))) == 1


@pytest.mark.parametrize(
    ("targets", "words"),
    [(np.zeros(0), "0 different images"), (np.arange(19.0), "19 different"), (np.zeros(30), "same engagement")],
)
def test_too_little_to_learn_from_is_said_in_words(targets, words):
    assert words in too_few(targets)


def test_twenty_different_images_may_be_enough():
    assert too_few(np.arange(20.0)) is None
