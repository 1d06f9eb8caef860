"""The learner: what scikit-learn has fitted and the plain arrays of it are one function."""

from __future__ import annotations

import json

import joblib
import numpy as np
import pytest

from chalicelib.scoring.model import general
from chalicelib.training.pipeline import Recipe, Space, machine, pipeline
from tests.posts import photos, taste

KINDS = [
    Recipe(),
    Recipe(prior_weight=0.3, width=1.0, penalty=2.0),
    Recipe("nystroem", points=40),
    Recipe("nystroem", prior_weight=0.2),
]


def fitted(recipe, vectors, **weights):
    made = pipeline(Space.of(general()), recipe, general().machine)
    return made.fit(vectors, taste(vectors), **weights)


def said(kernel_machine, vectors):
    rows = vectors.astype(np.float64)
    return kernel_machine(general().compression(rows), general().scalars(rows))


@pytest.mark.parametrize("recipe", KINDS, ids=str)
def test_the_plain_arrays_say_what_the_pipeline_says(recipe):
    made = fitted(recipe, photos(0, 80))
    new = photos(1, 40)
    np.testing.assert_allclose(said(machine(made), new), made.predict(new), atol=1e-9)


@pytest.mark.parametrize("recipe", KINDS, ids=str)
def test_a_stored_pipeline_says_the_same_after_it_is_read(recipe, tmp_path):
    made, new = fitted(recipe, photos(0, 60)), photos(1, 20)
    joblib.dump(made, tmp_path / "model.joblib")
    np.testing.assert_array_equal(joblib.load(tmp_path / "model.joblib").predict(new), made.predict(new))


def test_a_recipe_survives_json():
    recipe = Recipe("nystroem", penalty=0.5, prior_weight=0.2)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_without_weight_the_prior_is_not_in_the_arrays():
    vectors = photos(0, 60)
    assert len(machine(fitted(Recipe(), vectors)).support) <= 60
    assert len(machine(fitted(Recipe(prior_weight=0.1), vectors)).support) > len(general().machine.support)


def test_far_from_all_own_posts_the_prior_speaks_alone():
    vectors = photos(0, 60)
    made = fitted(Recipe(prior_weight=0.3, width=50.0), vectors)
    new = photos(1, 30)
    assert np.corrcoef(made.predict(new), said(general().machine, new))[0, 1] > 0.99


def test_what_weighs_more_is_followed_more_closely():
    vectors = photos(0, 60)
    heavy = np.where(np.arange(60) < 30, 3.0, 0.1)
    errors = np.abs(fitted(Recipe(), vectors, model__sample_weight=heavy).predict(vectors) - taste(vectors))
    assert errors[:30].mean() < errors[30:].mean() / 2
