"""Reasons: exact for the companion, in plain words, and honest about their direction."""

from __future__ import annotations

import numpy as np
import pytest

from chalicelib.features import schema
from chalicelib.scoring.explain import REASONS, Companion, explainable
from chalicelib.scoring.model import general
from chalicelib.scoring.wording import WORDINGS, phrase

NAMES = [feature.name for feature in schema.FEATURES]


def companion(**coefficients: float) -> Companion:
    columns = np.array([NAMES.index(name) for name in coefficients])
    return Companion(columns, np.array(list(coefficients.values())), np.asarray(50.0), np.asarray(1.0))


def photo(**z: float) -> np.ndarray:
    return np.array([[z.get(name, 0.0) for name in NAMES]])


def test_every_feature_that_a_companion_may_name_has_words():
    named = {NAMES[column] for column in general().companion.columns}
    assert named <= set(WORDINGS)
    assert {NAMES[column] for column in explainable()} == set(WORDINGS)


def test_the_words_for_high_and_low_differ_and_are_not_used_twice():
    texts = [text for wording in WORDINGS.values() for text in (wording.high, wording.low)]
    assert len(set(texts)) == len(texts)


def test_contributions_add_up_to_the_companions_own_score():
    scalars = np.random.default_rng(0).normal(size=(20, len(NAMES)))
    companion = general().companion
    added = companion.intercept + companion.contributions(scalars).sum(1)
    np.testing.assert_allclose(added, companion.predict(scalars))


@pytest.mark.parametrize(
    ("z", "coefficient", "text"),
    [
        (2.0, 5.0, "lifted by strong, varied color"),
        (2.0, -5.0, "lowered by strong, varied color"),
        (-2.0, 5.0, "lowered by muted color"),
        (-2.0, -5.0, "lifted by muted color"),
    ],
)
def test_the_text_tells_how_the_photo_looks_and_which_way_that_counts(z, coefficient, text):
    reason = companion(colorfulness=coefficient).reasons(photo(colorfulness=z))[0][0]
    assert (reason.property, reason.effect, reason.text) == ("colorfulness", z * coefficient, text)


def test_features_of_one_idea_share_a_reason_led_by_the_one_that_does_most_in_its_direction():
    model = companion(colorfulness=5, saturation_mean=-3, gray_share=1, clutter=-2)
    busyness, color = model.reasons(photo(colorfulness=1, saturation_mean=2.5, gray_share=1, clutter=-1))[0]
    assert (busyness.property, busyness.effect) == ("clutter", 2.0)
    assert (color.property, color.effect, color.text) == ("saturation_mean", -1.5, "lowered by saturated color")


def test_only_the_strongest_ideas_are_told_strongest_first():
    model = companion(colorfulness=1, luma_mean=-2, blur=3, clutter=4, symmetry_left_right=5)
    reasons = model.reasons(photo(colorfulness=1, luma_mean=1, blur=1, clutter=1, symmetry_left_right=1))[0]
    assert [reason.effect for reason in reasons] == [5.0, 4.0, 3.0]
    assert len(reasons) == REASONS


def test_phrases_are_lower_case_and_have_no_full_stop():
    phrases = [phrase(name, high=high, lifts=True) for name in WORDINGS for high in (True, False)]
    assert all(text == text.lower() and not text.endswith(".") for text in phrases)
