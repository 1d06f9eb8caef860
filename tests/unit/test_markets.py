"""Market models: honest beside the general model, and the whole path of the command on small made-up data sets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chalicelib.features import schema
from chalicelib.scoring.regression import KernelMachine
from chalicelib.training import evaluation, fit, markets
from chalicelib.training.markets import Line, Market

DIMENSIONS = len(schema.FEATURES) + schema.EMBEDDING_SIZE


def made_up(labels: np.ndarray, causes: np.ndarray, themes: np.ndarray, noise: float = 1.0) -> fit.RatedSet:
    """Images that show hidden causes, (n, c), with noise."""
    random = np.random.default_rng(7)
    mixing = random.normal(size=(causes.shape[1], DIMENSIONS))
    vectors, mirrored = (
        np.abs(3 + causes @ mixing + noise * random.normal(size=(len(labels), DIMENSIONS))) for _ in range(2)
    )
    return fit.RatedSet(vectors, mirrored, labels, themes)


@pytest.fixture(scope="module")
def photos() -> fit.RatedSet:
    """90 photos in 30 themes; what pleases in the first 40 is another thing than in the rest."""
    causes = np.random.default_rng(1).normal(size=(90, 3))
    labels = np.where(np.arange(90) < 40, causes[:, 0], causes[:, 1])
    return made_up(labels, causes, np.array([f"theme {row // 3}" for row in range(90)]))


@pytest.fixture(scope="module")
def market(photos) -> Market:
    return Market(photos, np.arange(90) < 40, fit.fit_core)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(fit, "CALIBRATION_SEEDS", (101,))
    monkeypatch.setattr(markets, "RESAMPLES", 200)


def test_a_fold_asks_about_the_market_alone_and_trains_without_its_themes(market):
    folds = list(market.folds(0))
    assert sorted(np.concatenate([asked for _, asked in folds])) == list(range(40))
    assert all(
        not set(training.photos.themes) & set(market.photos.themes[asked]) and len(training.photos.labels) > 60
        for training, asked in folds
    )


def test_a_market_with_a_taste_of_its_own_is_better_served_by_its_own_model(market):
    shuffle = markets.shuffle(market, 0)
    ours = evaluation.spearman(shuffle.unseen.labels, shuffle.unseen.values)
    assert ours > evaluation.spearman(shuffle.unseen.labels, shuffle.general) + 0.1
    assert min(shuffle.weights) > 0


def test_nothing_is_remembered_of_a_theme_that_is_asked_about():
    """Photos of a theme look alike and are rated alike, by chance: whoever has seen the theme knows the answer."""
    random = np.random.default_rng(2)
    theme = np.arange(90) // 3
    chance = made_up(random.normal(size=30)[theme], random.normal(size=(30, 20))[theme], theme.astype(str), 0.2)
    shuffle = markets.shuffle(Market(chance, theme < 15, fit.fit_core), 0)
    truth = shuffle.unseen.labels
    told = [evaluation.spearman(truth, each) for each in (shuffle.unseen.values, shuffle.general, shuffle.own)]
    assert evaluation.spearman(chance.labels, fit.fit_core(chance).predict(chance.vectors)) > 0.9
    assert max(told) < 0.3


def test_the_blend_is_the_weighted_sum_of_both(market):
    general = fit.fit_core(market.photos)
    own = markets.own_core(market.own, general)
    blended = replace(general, machine=markets.blend(own.machine, general.machine, Line(2, 1), 0.3))
    expected = 0.3 * own.predict(market.photos.vectors) + 0.7 * (2 * general.predict(market.photos.vectors) + 1)
    assert blended.predict(market.photos.vectors) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_machine_without_weight_is_left_out(weight):
    machine = KernelMachine(np.ones((2, 3)), np.ones(2), np.asarray(0.0), np.asarray(1.0), np.asarray(1.0))
    assert len(markets.blend(machine, machine, Line(1, 0), weight).weights) == 2


def test_of_weights_that_rank_alike_the_general_model_gets_the_most():
    labels = np.arange(20.0)
    assert markets.choose_weight(labels[None], labels[None], labels) == 0
    assert markets.choose_weight(labels[None], -labels[None], labels) == 0.6


def test_a_general_model_that_is_wrong_of_the_market_is_not_turned_around():
    labels = np.arange(20.0)
    line = markets.fit_line(-labels[None], labels)
    assert 0 < line.slope < 0.1
    assert line(-labels).mean() == pytest.approx(labels.mean())


def test_the_same_predictions_gain_nothing(market):
    same = np.stack([market.own.labels] * 2)
    assert markets.gain_interval(market.own, same, same) == (0, 0)


def test_a_gain_in_a_few_themes_alone_is_uncertain(market):
    labels, random = market.own.labels, np.random.default_rng(0)
    theirs = labels + random.normal(size=(2, 40))
    lucky = np.where(market.own.themes == "theme 0", labels, theirs)
    low, high = markets.gain_interval(market.own, lucky, theirs)
    assert low <= 0 < high


@pytest.mark.parametrize(("gain", "low", "ships"), [(0.1, 0.01, True), (0.1, -0.01, False), (0.0, 0.0, False)])
def test_a_market_ships_when_the_whole_interval_of_its_gain_is_above_zero(gain, low, ships):
    assert markets.Verdict(None, 0.5, 0.6, 0.5, gain, low, 0.2, 0.5).ships is ships


@pytest.mark.parametrize(
    ("rows", "labels", "reason"),
    [(18, range(18), "18 photos of 6 themes"), (40, [1, 2] * 20, "only 2 different values")],
)
def test_too_little_is_refused_with_the_reason(photos, rows, labels, reason):
    few = replace(photos.take(np.arange(rows)), labels=np.array(labels, float))
    with pytest.raises(markets.TooLittle, match=reason):
        markets.check(Market(few, np.ones(rows, bool), fit.fit_core))
