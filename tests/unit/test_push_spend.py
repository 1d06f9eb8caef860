"""Prices of messages, and months."""

from __future__ import annotations

import pytest

from chalicelib.push import spend


def test_a_message_costs_its_parts_at_the_price_of_its_country():
    assert spend.sms("+12025550123", 1) == 6_450
    assert spend.sms("+12025550123", 3) == 3 * 6_450
    assert spend.sms("+491701234567", 1) == 107_000


@pytest.mark.parametrize("number", ["+35699123456", "+99999999"])
def test_a_country_without_a_price_costs_the_default(number: str):
    assert spend.sms(number, 2) == 160_000


def test_no_country_is_dearer_than_a_dollar_nor_free():
    prices = spend._prices()["sms_part"].values()
    assert 0 < min(prices) <= max(prices) < 1


def test_pushes_are_half_a_dollar_a_million():
    assert spend.push(1_000_000) == 500_000


def test_amounts_survive_their_way_through_millionths():
    assert spend.dollars(spend.micros(12.345678)) == 12.345678


@pytest.mark.parametrize(("now", "month"), [(1_796_083_199, "2026-11"), (1_796_083_200, "2026-12")])
def test_months_are_those_of_utc(now: float, month: str):
    assert spend.month_of(now) == month
