"""A customer's model: what it learns, what it is not fooled by, and what it says when there is nothing to learn."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from chalicelib.scoring.model import general, load
from chalicelib.training import customer, judgment
from chalicelib.training.choice import Choice, Examples, blocks
from chalicelib.training.customer import Prior, train
from chalicelib.training.evaluation import spearman
from chalicelib.training.pipeline import Recipe, Space, pipeline
from tests.posts import believer, liked, photos, posts, silent, taste, values

GENERAL = Prior("general", general())


@pytest.fixture(scope="module")
def learned():
    return train(liked(1, 120), [GENERAL], silent)


def stored(model):
    data = model.dump()
    return load(data, hashlib.sha256(data).hexdigest())


# What it learns


def test_a_taste_that_shows_in_the_photos_is_learned_and_released(learned):
    new = photos(2, 100)
    assert learned.released
    assert "reason" not in learned.report
    assert spearman(taste(new), values(learned.model, new)) > 0.5
    assert abs(spearman(taste(new), values(general(), new))) < 0.4


def test_the_report_tells_what_the_gate_saw(learned):
    report = learned.report
    assert json.loads(json.dumps(report)) == report
    assert (report["n"], report["distinct"]) == (120, 120)
    assert report["rank_correlation"] > 0.3
    assert report["p_value"] < 0.02
    assert 0.5 < report["pair_accuracy"] < 1
    assert 0.6 < report["coverage_80"] < 0.95
    assert report["compared_with_general"]["own"] > report["compared_with_general"]["general"]
    assert [point["n"] for point in report["learning_curve"]] == [20, 50, 80]
    assert report["explanation_r2"] == pytest.approx(float(learned.model.companion.fidelity), abs=1e-4)


def test_pairs_are_compared_within_a_block_for_each_has_a_model_of_its_own():
    truth, levels = [np.arange(10.0), np.arange(20.0)], (100.0, 0.0)
    assert judgment.pairs_in_order(truth, [each + level for each, level in zip(truth, levels, strict=True)]) == 1
    assert judgment.pairs_in_order(truth, [truth[0], -truth[1]]) == pytest.approx(1 / 3)


def test_what_orders_posts_well_has_their_pairs_in_order_too():
    report = train(posts(photos(2, 60), np.exp(taste(photos(2, 60)))), [], silent).report
    assert report["rank_correlation"] > 0.4
    assert report["pair_accuracy"] > 0.6


def test_the_same_posts_make_the_same_model(learned):
    again = train(liked(1, 120), [GENERAL], silent)
    assert again.model.dump() == learned.model.dump()
    assert again.report == learned.report


def test_a_model_that_is_stored_and_read_scores_alike(learned):
    new = photos(3, 20)
    assert stored(learned.model).score(new) == learned.model.score(new)


def test_an_image_is_shown_with_the_own_posts_most_like_it(learned):
    data = liked(1, 120)
    score = learned.model.score(data.vectors[7:8])[0]
    assert len(score.similar) == 3
    known = dict(zip(data.images, data.engagement.tolist(), strict=True))
    assert all(each.engagement == float(f"{known[each.image]:.6g}") for each in score.similar)
    assert score.domain == "in"
    assert general().score(data.vectors[7:8])[0].similar == []


def test_an_image_that_is_an_own_post_is_not_its_own_evidence(learned):
    data = liked(1, 120)
    for model in (learned.model, stored(learned.model)):
        shown = [[each.image for each in score.similar] for score in model.score(data.vectors)]
        assert all(len(images) == 3 for images in shown)
        assert not any(own in images for own, images in zip(data.images, shown, strict=True))


def test_photos_of_the_customers_kind_are_in_its_domain_and_others_are_not(learned):
    new, strange = photos(2, 100), photos(2, 100, center=6)
    assert [score.domain for score in learned.model.score(new)].count("in") > 70
    assert [score.domain for score in learned.model.score(strange)].count("in") < 10


def test_progress_is_told_step_by_step():
    told = []
    train(liked(1, 40), [], lambda *step: told.append(step))
    assert list(dict.fromkeys(step for step, _, _ in told)) == ["choose", "fit", "calibrate", "judge"]
    assert all(done <= total for _, done, total in told)
    assert told[-1] == ("judge", 1, 1)


def test_the_shipped_model_scores_as_it_did_before_there_were_customers_models():
    vectors = np.abs(np.sin(np.arange(3 * 1385.0))).reshape(3, 1385)
    scores = general().score(vectors)
    assert [score.value for score in scores] == pytest.approx([4.192093, 4.227605, 4.224158], abs=2e-6)
    assert [(score.low, score.score, score.high) for score in scores] == [
        (9.9, 29.3, 68.2),
        (10.6, 31.2, 69.6),
        (10.5, 31.0, 69.5),
    ]


# Two homes


@pytest.mark.parametrize("most_for_svr", [5000, 100])
def test_the_pipeline_fitted_elsewhere_says_what_the_artifact_says(monkeypatch, most_for_svr):
    monkeypatch.setattr(customer, "MOST_FOR_SVR", most_for_svr)
    outcome, new = train(liked(1, 120), [GENERAL], silent), photos(2, 50)
    rows = outcome.learned
    elsewhere = pipeline(Space.of(general()), outcome.recipe, general().machine)
    elsewhere.fit(rows.vectors, rows.targets, model__sample_weight=rows.weights)
    np.testing.assert_allclose(elsewhere.predict(new), values(stored(outcome.model), new), atol=1e-6)
    assert outcome.recipe.estimator == ("svr" if most_for_svr == 5000 else "nystroem")
    assert outcome.released


def test_values_from_elsewhere_take_the_place_of_the_own(learned):
    new = photos(2, 5)
    given = values(learned.model, new)
    assert learned.model.score(new, given) == learned.model.score(new)
    assert [score.value for score in learned.model.score(new, given + 1)] == pytest.approx(given + 1)


@pytest.mark.parametrize("wrong", [np.zeros(4), np.zeros((5, 1)), np.full(5, np.nan)])
def test_values_that_cannot_be_of_these_images_are_refused(learned, wrong):
    with pytest.raises(ValueError, match="values"):
        learned.model.score(photos(2, 5), wrong)


# What it is not fooled by


def test_pure_noise_is_not_enough_signal():
    outcomes = [
        train(posts(photos(seed, 30), np.random.default_rng(seed).normal(size=30)), [GENERAL], silent)
        for seed in range(100)
    ]
    assert sum(outcome.released for outcome in outcomes) <= 5
    assert all("no better than chance" in each.report["reason"] for each in outcomes if not each.released)


def test_near_duplicates_with_one_luck_are_no_signal():
    chance = np.random.default_rng(5)
    groups = np.tile(np.arange(30), 4)
    vectors = np.repeat(photos(5, 30)[None], 4, axis=0).reshape(120, -1) * chance.uniform(0.99, 1.01, (120, 1))
    luck = chance.normal(size=30)[groups]
    outcome = train(posts(vectors.astype(np.float32), luck, groups=groups), [], silent)
    assert not outcome.released
    assert outcome.report["distinct"] == 30
    assert train(posts(vectors.astype(np.float32), luck), [], silent).released  # were they not known as duplicates


def test_what_is_chosen_and_predicted_for_a_time_knows_nothing_of_later_posts():
    data = liked(1, 100)
    inputs = Space.of(general()).inputs(data.vectors)
    later = blocks(100)[-1].start
    turned = np.where(np.arange(100) < later, data.targets, -data.targets)
    known, changed = (
        Choice(Examples(inputs, targets, np.ones(100)), general().machine, Recipe(prior_weight=0.1)).out_of_time(silent)
        for targets in (data.targets, turned)
    )
    assert known.recipes == changed.recipes
    np.testing.assert_array_equal(known.values, changed.values)


@pytest.mark.parametrize("count", [20, 21, 33, 100, 1001, 50_000])
def test_blocks_follow_each_other_to_the_newest_post(count):
    found = blocks(count)
    assert found[-1].end == count
    assert all(a.end == b.start for a, b in pairwise(found))
    assert all(block.end - block.start >= 5 for block in found)
    assert found[0].start >= 8


# The prior


def test_a_prior_of_the_same_kind_that_knows_better_is_leaned_on():
    new = photos(2, 100)
    outcome = train(liked(1, 30), [GENERAL, believer(photos(7, 300), taste(photos(7, 300)))], silent)
    alone = train(liked(1, 30), [], silent)
    assert outcome.prior == "market"
    assert outcome.report["prior"] == {"id": "market", "weight": outcome.recipe.prior_weight}
    assert spearman(taste(new), values(outcome.model, new)) > spearman(taste(new), values(alone.model, new)) + 0.1


def test_a_prior_that_misleads_has_no_weight():
    outcome = train(liked(1, 120), [believer(photos(7, 300), -taste(photos(7, 300)))], silent)
    assert (outcome.prior, outcome.recipe.prior_weight) == (None, 0.0)
    assert outcome.report["prior"] == {"id": None, "weight": 0.0}


def test_a_market_of_other_photos_is_not_the_prior():
    elsewhere = photos(7, 300, center=3)
    outcome = train(liked(1, 60), [GENERAL, believer(elsewhere, taste(elsewhere))], silent)
    assert outcome.prior in {"general", None}


def test_a_prior_from_another_space_is_refused():
    foreign = replace(general(), compression=replace(general().compression, axes=general().compression.axes * 2))
    with pytest.raises(ValueError, match="space"):
        train(liked(1, 30), [Prior("general", foreign)], silent)


# Too little


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (posts(photos(1, 0), np.zeros(0)), "0 different images"),
        (liked(1, 10), "10 different images"),
        (posts(photos(1, 30), np.zeros(30)), "same engagement"),
        (posts(photos(1, 30), np.full(30, 7.0)), "same engagement"),
        (posts(np.repeat(photos(1, 1), 200, 0), np.arange(200.0), groups=np.zeros(200, int)), "1 different images"),
        (posts(photos(1, 30), np.arange(30.0), weights=np.zeros(30)), "0 different images"),
    ],
    ids=["none", "ten", "zeros", "all alike", "one image", "no weight"],
)
def test_posts_that_cannot_teach_end_with_a_reason(data, words):
    outcome = train(data, [GENERAL], silent)
    assert not outcome.released
    assert outcome.model is None
    assert words in outcome.report["reason"]


def test_a_few_posts_that_earned_something_among_many_that_did_not_do_no_harm():
    engagement = np.where(np.arange(60) % 15 == 0, 5.0, 0.0)
    outcome = train(posts(photos(1, 60), engagement), [GENERAL], silent)
    assert not outcome.released
    assert np.isfinite(values(outcome.model, photos(2, 10))).all()


def test_a_model_that_says_the_same_of_every_photo_has_a_report_in_plain_numbers():
    outcome = train(posts(photos(1, 40), np.where(np.arange(40) == 39, 5.0, 0.0)), [], silent)
    assert (outcome.released, outcome.report["rank_correlation"], outcome.report["explanation_r2"]) == (False, 0, 0)
    assert json.loads(json.dumps(outcome.report, allow_nan=False)) == outcome.report


# Retraining


def replaced(live, count=120, seen=70):
    data = liked(1, count)
    return train(data, [], silent, live=live, seen_until=float(data.posted_at[seen - 1]))


def test_a_better_live_model_stays():
    live = believer(photos(7, 400), taste(photos(7, 400))).model
    outcome = replaced(live)
    newest = outcome.report["newest_posts"]
    assert not outcome.released
    assert newest["live"] > newest["candidate"] > 0
    assert "live model orders the newest posts better" in outcome.report["reason"]


def test_a_worse_live_model_is_replaced():
    outcome = replaced(believer(photos(7, 400), -taste(photos(7, 400))).model)
    assert outcome.released
    assert outcome.report["newest_posts"]["n"] == 50


def test_without_newer_posts_the_live_model_stays():
    outcome = replaced(general(), seen=115)
    assert not outcome.released
    assert "5 images are newer" in outcome.report["reason"]


def test_a_new_model_may_begin_with_what_the_live_one_knew():
    data = liked(42, 90)
    live = train(data.take(np.arange(60)), [], silent)
    outcome = train(data, [], silent, live=live.model, seen_until=float(data.posted_at[59]))
    assert live.released
    assert outcome.report["newest_posts"]["n"] == 30
    assert outcome.released
