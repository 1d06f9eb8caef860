"""Dollars of a training and of scores: list prices times what was measured."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from chalicelib.features import schema
from chalicelib.scoring.model import general
from chalicelib.training import cost
from tools.cost import memory_gb


def test_the_functions_have_the_memory_that_their_seconds_are_priced_with():
    assert (memory_gb("train") * 1024, memory_gb("score") * 1024) == (cost.TRAIN_MB, cost.SCORE_MB)


def test_a_training_costs_its_seconds_and_its_reads():
    assert cost.training(1000, 0) == pytest.approx(1000 * 3008 / 1024 * 0.0000166667)
    assert cost.training(0, 5000) == pytest.approx(5000 * 2 * 0.000000125)


def test_a_thousand_scores_cost_their_requests_and_the_time_of_the_model():
    requests = 2 * 0.000125 + 3 * 0.000625 + 0.005 + 0.001 + 3 * 0.0004
    assert cost.scores(0) == pytest.approx(requests + 65 * 0.5 * 0.0000166667)
    assert cost.scores(0.01) - cost.scores(0) == pytest.approx(10 * 0.5 * 0.0000166667)


def test_an_endpoint_comes_on_top_and_so_does_its_job():
    inline, served = (cost.report(training=0.5, score=0.002, endpoint_mb=memory) for memory in (0, 2048))
    added = 1000 * 0.022 * 2 * 0.00002 + 1000 * 7.5 / 2**20 * 0.016
    assert served["thousand_scores"] - inline["thousand_scores"] == pytest.approx(added, abs=2e-6)
    assert cost.job(3600) == 0.115


def test_what_is_not_known_is_null():
    told = cost.report(training=None, score=None)
    assert told == {"training": None, "thousand_scores": None, "prices": "us-east-1, 2026-11"}


def test_a_score_takes_as_long_as_one_photo_does_by_the_clock():
    ticks = itertools.count(step=3)
    vectors = np.ones((2, len(schema.FEATURES) + schema.EMBEDDING_SIZE), np.float32)
    assert cost.score_seconds(general(), vectors, lambda: float(next(ticks))) == 3 / cost.TRIALS
