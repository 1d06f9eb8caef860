"""What the first view weighs on the wire, compressed as a gateway compresses it."""

from __future__ import annotations

import gzip

import pytest
from playwright.sync_api import expect

MOST = 150_000  # bytes


@pytest.mark.parametrize("who", ["guest", "person"])
def test_the_first_view_stays_below_150_kb(who, request):
    someone = request.getfixturevalue(who)
    answers = []
    someone.page.on("response", lambda answer: answers.append(answer))
    page = someone.open("#/rank")
    expect(page.locator("h1")).to_be_visible()
    weights = {answer.url: len(gzip.compress(answer.body())) for answer in answers if answer.ok}
    assert len(weights) > 10
    assert sum(weights.values()) < MOST, weights
