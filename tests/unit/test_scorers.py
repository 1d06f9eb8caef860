"""The names of scorers: every version of a customer's model has its own, and the highest is the newest."""

from __future__ import annotations

import re

import pytest

from chalicelib import ids
from chalicelib.scoring import catalog, scorers

MODEL, OTHER = ids.new_id(1.0), ids.new_id(2.0)


@pytest.mark.parametrize("version", [1, 9, 10, 999999])
def test_a_name_leads_back_to_its_model_and_version(version):
    assert scorers.split(scorers.name(MODEL, version)) == (MODEL, version)


SHIPPED = ["general", "food_market", "pets_2", MODEL, f"{MODEL}_", f"{MODEL}_x", ""]


@pytest.mark.parametrize(
    "scorer", SHIPPED, ids=["general", "market", "number", "id", "empty version", "letter", "nothing"]
)
def test_what_has_not_a_customers_name_is_a_model_of_one_version(scorer):
    assert scorers.split(scorer) == (scorer, 0)


def test_a_name_fits_into_a_dynamodb_expression():
    assert re.fullmatch(r"\w+", scorers.name(MODEL, 1))
    assert all(re.fullmatch(r"\w+", model) for model in catalog.models())


def test_versions_count_as_numbers_not_as_letters():
    names = [scorers.name(MODEL, version) for version in (9, 10, 2)]
    assert scorers.newest(names) == {MODEL: scorers.name(MODEL, 10)}
    assert scorers.outdated(names) == sorted([scorers.name(MODEL, 2), scorers.name(MODEL, 9)])


def test_models_do_not_outdate_each_other():
    names = ["general", scorers.name(MODEL, 2), scorers.name(OTHER, 1)]
    assert scorers.newest(names) == {"general": "general", MODEL: names[1], OTHER: names[2]}
    assert scorers.outdated(names) == []
