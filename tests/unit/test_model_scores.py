"""What the shipped model promises about its scores."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import features
from chalicelib.features import schema
from chalicelib.features.photo import Photo
from chalicelib.scoring.domain import distances
from chalicelib.scoring.model import general, load_model
from chalicelib.scoring.odds import beats
from chalicelib.scoring.percentile import PercentileScale

WIDTH = len(schema.FEATURES) + schema.EMBEDDING_SIZE
PHOTOS = ("astronaut", "coffee", "chelsea", "rocket")
labels = st.floats(1, 7)
spreads = st.floats(0.1, 5)


def described(rgb) -> np.ndarray:
    photo = Photo(np.ascontiguousarray(rgb[:512, :512]), rgb.shape[1], rgb.shape[0])
    return schema.vector({name: features.extract(name, photo) for name in schema.PROPERTIES})


@pytest.fixture(scope="module")
def photo_vectors() -> np.ndarray:
    import skimage.data

    return np.stack([described(getattr(skimage.data, name)()) for name in PHOTOS])


@pytest.fixture(scope="module")
def vectors(photo_vectors) -> np.ndarray:
    """200 made-up photos between and around the real ones."""
    random = np.random.default_rng(0)
    mixed = random.dirichlet(np.ones(len(photo_vectors)) / 2, 200) @ photo_vectors
    return mixed * random.uniform(0.7, 1.3, mixed.shape)


def test_photos_get_finite_scores_and_are_known_for_photos(photo_vectors):
    scores = general().score(photo_vectors)
    assert all(math.isfinite(score.value) and 0 < score.score < 100 for score in scores)
    assert [score.domain for score in scores].count("out") == 0


def test_scores_rise_with_values_and_stand_within_their_intervals(vectors):
    scores = sorted(general().score(vectors), key=lambda score: score.value)
    assert len({score.score for score in scores}) > 20
    assert all(a.score <= b.score for a, b in pairwise(scores))
    assert all(0 <= score.low <= score.score <= score.high <= 100 for score in scores)
    assert all(score.high - score.low > 10 for score in scores)


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=9))
def test_the_percentile_rises_strictly_even_far_from_all_training_images(values):
    ordered = np.unique(np.round(values, 3))
    assert (np.diff(general().percentiles.normal_scores(ordered)) > 0).all()


def test_an_image_scores_alike_alone_and_among_others(vectors):
    together = general().score(vectors[:20])
    alone = [general().score(vector[None])[0] for vector in vectors[:20]]
    assert [(each.value, each.score, each.domain) for each in alone] == [
        (each.value, each.score, each.domain) for each in together
    ]


def test_a_score_is_plain_json(photo_vectors):
    score = asdict(general().score(photo_vectors[:1])[0])
    assert json.loads(json.dumps(score)) == score


@pytest.mark.parametrize("noise", ["uniform", "gaussian", "gray"])
def test_noise_is_out_of_the_domain(noise):
    random = np.random.default_rng(1)
    pixels = {
        "uniform": random.uniform(0, 256, (400, 500, 3)),
        "gaussian": np.clip(random.normal(128, 40, (400, 500, 3)), 0, 255),
        "gray": np.repeat(random.uniform(0, 256, (400, 500, 1)), 3, axis=2),
    }[noise]
    assert general().score(described(pixels.astype(np.uint8))[None])[0].domain == "out"


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_is_out_of_the_domain(level):
    empty = np.full((400, 500, 3), level, np.uint8)
    assert general().score(described(empty)[None])[0].domain == "out"


@pytest.mark.parametrize("shape", [(WIDTH,), (1, WIDTH - 1), (1, 1, WIDTH)])
def test_vectors_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="expected"):
        general().score(np.zeros(shape))


def test_numbers_that_are_not_finite_are_refused(photo_vectors):
    with pytest.raises(ValueError, match="finite"):
        general().score(np.where(np.arange(WIDTH) == 3, np.nan, photo_vectors))


def test_no_vectors_give_no_scores():
    assert general().score(np.empty((0, WIDTH))) == []


def test_an_unknown_model_is_a_key_error():
    with pytest.raises(KeyError):
        load_model("nobody")


def test_a_thousand_vectors_take_less_than_a_second(vectors):
    thousand = np.resize(vectors, (1000, WIDTH))
    general().score(vectors[:1])
    start = time.process_time()
    general().score(thousand)
    assert time.process_time() - start < 1


@given(labels, labels, spreads)
def test_beats_is_a_probability_and_symmetric(a, b, spread):
    assert 0 <= beats(a, b, spread) <= 1
    assert beats(a, b, spread) + beats(b, a, spread) == pytest.approx(1)
    assert (beats(a, b, spread) >= 0.5) == (a >= b) or abs(a - b) < 1e-12


@given(labels, st.floats(0, 2), st.floats(0, 2), spreads)
def test_a_wider_margin_never_wins_less_often(value, margin, more, spread):
    assert beats(value + margin + more, value, spread) >= beats(value + margin, value, spread) - 1e-12


def test_the_interval_holds_the_score_where_prediction_regresses_strongly():
    scale = PercentileScale(*(np.asarray(each) for each in ([0.0, 1.0], [-1.0, 1.0], 2.0, 0.1, 0.2)))
    low, high = scale.interval(2.0)
    assert low < high == pytest.approx(97.72, abs=0.01)


def test_the_distance_is_the_mean_over_the_nearest_five():
    others = np.array([[1.0, 0], [0, 2], [3, 0], [0, 4], [5, 0], [0, 100]])
    assert distances(np.zeros((1, 2)), others) == pytest.approx([3.0])
