"""Fitting and judging a model, on a small made-up set of rated images."""

from __future__ import annotations

import numpy as np
import pytest

from chalicelib.features import schema
from chalicelib.scoring.model import Reason, Score
from chalicelib.training import evaluation, fit, rated
from tools import general_card, train_general

SCALARS = len(schema.FEATURES)


def made_up(seed: int, count: int = 150) -> fit.RatedSet:
    """Images whose labels depend on a few hidden causes that embedding and scalars show with noise."""
    random = np.random.default_rng(seed)
    causes = random.normal(size=(count, 4))
    mixing = np.random.default_rng(0).normal(size=(4, SCALARS + schema.EMBEDDING_SIZE))
    embed = lambda: np.abs(3 + causes @ mixing + random.normal(size=(count, mixing.shape[1])))  # noqa: E731
    vectors, mirrored = embed(), embed()
    vectors[:, 0] = mirrored[:, 0] = 7  # constant, as the shape of all OASIS photos is
    return fit.RatedSet(vectors, mirrored, causes[:, 0] + 4, np.array([f"theme {i // 3}" for i in range(count)]))


@pytest.fixture(scope="module")
def small() -> fit.RatedSet:
    return made_up(1)


@pytest.fixture(scope="module")
def model(small):
    return fit.fit_model(small)


def test_a_fitted_model_ranks_images_that_it_has_not_seen(model):
    unseen = made_up(2)
    values = np.array([score.value for score in model.score(unseen.vectors)])
    assert evaluation.spearman(unseen.labels, values) > 0.7


def test_fitting_twice_gives_the_same_bytes(small, model):
    assert fit.fit_model(small).dump() == model.dump()


def test_a_feature_that_was_constant_in_training_says_nothing(small, model):
    changed = small.vectors.copy()
    changed[:, 0] = 1e6
    assert model.score(changed) == model.score(small.vectors)


def test_no_theme_is_on_both_sides_of_a_fold_and_every_image_is_tested_once(small):
    folds = list(fit.theme_folds(small.themes, 0))
    assert all(not set(small.themes[train]) & set(small.themes[test]) for train, test in folds)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(small.labels)))


def test_the_interval_covers_what_it_says_on_unseen_images(model):
    unseen = made_up(3, 300)
    truth = evaluation.percentiles_among(unseen.labels, unseen.labels)
    run = evaluation.Unseen(model.score(unseen.vectors), unseen.labels, truth)
    assert 0.7 < evaluation.coverage(run) < 0.9


def test_labels_without_a_cause_in_the_image_give_no_correlation(small):
    shuffled = np.random.default_rng(0).permutation(small.labels)
    noise = fit.RatedSet(small.vectors, small.mirrored, shuffled, small.themes)
    assert abs(evaluation.spearman(shuffled, fit.out_of_fold(noise, 0, fit.core_predictor))) < 0.25


@pytest.mark.parametrize(
    ("values", "accuracy"), [([1, 2, 3, 4], 1.0), ([4, 3, 2, 1], 0.0), ([1, 1, 1, 1], 0.5), ([2, 1, 3, 4], 5 / 6)]
)
def test_pair_accuracy_counts_pairs_in_the_right_order_and_ties_half(values, accuracy):
    assert evaluation.pair_accuracy(np.arange(4.0), np.array(values, float)) == pytest.approx(accuracy)


def test_pairs_with_equal_labels_do_not_count():
    assert evaluation.pair_accuracy(np.array([1.0, 1, 2]), np.array([5.0, 0, 9])) == 1.0


def test_percentiles_count_equals_half():
    assert evaluation.percentiles_among(np.array([0.0, 2, 9]), np.array([1.0, 2, 3, 4])).tolist() == [0, 37.5, 100]


def test_reliability_compares_what_was_promised_with_what_was_kept():
    scores = [Score(value, 50, 0, 100, 1.0, "in", [Reason("blur", 1.0, "")]) for value in (0.0, 0.1, 3.0)]
    promises = evaluation.reliability([evaluation.Unseen(scores, np.array([0.0, 1, -1]), np.zeros(3))])
    assert [(promise.pairs, promise.kept) for promise in promises] == [(1, 1.0), (2, 0.0)]


def test_training_without_the_rated_photos_says_where_they_belong(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PROOFSHEET_DATA", str(tmp_path))
    assert train_general.main() == 2
    assert "PROOFSHEET_DATA" in capsys.readouterr().err


def test_ratings_are_read_with_their_themes(tmp_path):
    (tmp_path / "ratings.csv").write_text("image,theme,beauty_mean\nA1.jpg,A,4.5\n")
    assert rated.ratings(tmp_path) == [rated.Rating(tmp_path / "images" / "A1.jpg", "A", 4.5)]


def test_the_card_that_ships_is_the_one_of_the_catalog():
    from chalicelib.scoring import catalog

    assert train_general.CARD.read_text(encoding="utf-8") == general_card.card(catalog.entries()["general"])
