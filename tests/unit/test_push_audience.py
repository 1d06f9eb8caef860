from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.push.audience import Filter, matches
from chalicelib.push.game import Standing


class Person(msgspec.Struct):
    id: str = "ann"
    attributes: dict[str, Any] = {}


STANDING = Standing(500, 4, "Silver", ("Early", "Regular"), None)


def wanted(**fields: Any) -> Filter:
    return msgspec.convert(fields, Filter)


def test_an_empty_filter_is_everybody():
    assert matches(wanted(), Person(), None)


@pytest.mark.parametrize(
    ("value", "asked", "fits"),
    [
        ("Berlin", "Berlin", True),
        ("Berlin", "berlin", False),
        ("Berlin", ["Rome", "Berlin"], True),
        (["a", "b"], "b", True),
        (["a", "b"], ["c", "d"], False),
        (1, 1, True),
        (1.0, 1, True),
        ("1", 1, False),
        (1, "1", False),
        (True, 1, False),
        (1, True, False),
        (0, False, False),
        (True, True, True),
        (None, "None", False),
        ({"a": 1}, "a", False),
        ([[1]], 1, False),
    ],
)
def test_attributes_are_compared_by_kind_and_value(value, asked, fits):
    assert matches(wanted(attributes={"x": asked}), Person(attributes={"x": value}), None) == fits


def test_an_attribute_that_is_not_there_fits_nothing():
    assert not matches(wanted(attributes={"x": ["", 0, False]}), Person(), None)


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({"ids": ["ann", "bob"]}, True),
        ({"ids": ["bob"]}, False),
        ({"level": "Silver"}, True),
        ({"level": "Gold"}, False),
        ({"badge": "Regular"}, True),
        ({"badge": "Late"}, False),
        ({"min_points": 500}, True),
        ({"min_points": 501}, False),
        ({"max_rank": 4}, True),
        ({"max_rank": 3}, False),
        ({"ids": ["ann"], "attributes": {"city": "Rome"}, "max_rank": 9}, True),
        ({"ids": ["ann"], "attributes": {"city": "Oslo"}, "max_rank": 9}, False),
    ],
)
def test_all_that_is_given_must_hold(fields, fits):
    assert matches(wanted(**fields), Person(attributes={"city": "Rome"}), STANDING) == fits


@pytest.mark.parametrize("field", [{"level": "Silver"}, {"badge": "Early"}, {"min_points": -5}, {"max_rank": 10**6}])
def test_who_has_no_standing_fits_no_filter_on_standings(field):
    assert not matches(wanted(**field), Person(), None)


@given(st.integers(), st.integers(1), st.integers(), st.integers(1, 10**9))
def test_points_and_ranks_are_bounds(points, rank, least, most):
    asked = Filter(min_points=least, max_rank=most)
    assert matches(asked, Person(), Standing(points, rank)) == (points >= least and rank <= most)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ('{"ids":[]}', r"\$\.ids"),
        ('{"ids":[1]}', r"\$\.ids"),
        ('{"ids":[""]}', r"\$\.ids"),
        ('{"attributes":{}}', r"\$\.attributes"),
        ('{"attributes":{"x":null}}', r"\$\.attributes"),
        ('{"attributes":{"x":[]}}', r"\$\.attributes"),
        ('{"attributes":{"x":{"y":1}}}', r"\$\.attributes"),
        ('{"attributes":{"x":[[1]]}}', r"\$\.attributes"),
        ('{"min_points":"5"}', r"\$\.min_points"),
        ('{"max_rank":0}', r"\$\.max_rank"),
        ('{"max_rank":true}', r"\$\.max_rank"),
        ('{"level":""}', r"\$\.level"),
        ('{"everyone":true}', "everyone"),
    ],
)
def test_a_filter_that_is_none_is_refused_by_field(sent, field):
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.json.decode(sent, type=Filter)


def test_an_id_that_is_named_twice_is_one():
    assert msgspec.json.decode('{"ids":["a","a","b"]}', type=Filter).ids == {"a", "b"}
