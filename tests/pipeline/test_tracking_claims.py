"""Ids that hold no time, thousands in one batch: each is claimed in time, and once."""

from __future__ import annotations

import random
import time
import uuid

import pytest
from botocore.exceptions import ClientError

from chalicelib import aws, log
from chalicelib.store import AccountStore
from chalicelib.tracking import consume, pages
from tests.pipeline.tracking_world import ACCOUNT, START, Cloud, ask, bodies, event, four, refusal

NOW = START + 1800


class SlowCloud(Cloud):
    """Every answer takes 5 ms. Some writes are refused while `refused` is above 0."""

    refused = 0.0

    def __init__(self):
        super().__init__()
        self.chance = random.Random(4)

    def edge(self):
        time.sleep(0.0025)

    def put_item(self, **request):
        if self.chance.random() < self.refused:
            raise refusal("ProvisionedThroughputExceededException")
        return super().put_item(**request)


@pytest.fixture
def cloud(monkeypatch):
    monkeypatch.setattr(log, "_emit", lambda _line: None)
    cloud = SlowCloud()
    monkeypatch.setattr(aws, "client", lambda service: cloud.client(service))
    return cloud


def untimed(number):
    chance = random.Random(5)
    return [event(str(uuid.UUID(int=chance.getrandbits(128), version=4)), NOW, NOW) for _ in range(number)]


def count(events):
    texts = bodies(events)
    consume.count(texts, [str(number) for number in range(len(texts))], NOW)


def claims(events):
    return {pages.read_id(each.id, ACCOUNT)[1]: NOW for each in events}


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("known", [0, 7_000])
def test_a_full_batch_of_ids_without_a_time_is_counted_well_within_the_functions_minute(known):
    """14,000 events are what 6 MB hold: delivered first, or after a consumer that died on its way; and again."""
    events = untimed(14_000)
    consume.claim(AccountStore(ACCOUNT), claims(events[:known]), NOW)
    for _ in range(2):
        began = time.monotonic()
        count(events)
        assert time.monotonic() - began < 30
        assert four(ask().totals) == (14_000, 0, 0, 0)


def test_what_another_consumer_claimed_in_between_is_kept(cloud, monkeypatch):
    """It reads that nothing is claimed yet, and then the writes find other claims."""
    mine, store = claims(untimed(200)), AccountStore(ACCOUNT)
    others = dict.fromkeys(mine, NOW - 7200)
    consume.claim(store, others, NOW)
    monkeypatch.setattr(cloud, "batch_get_item", lambda **_request: {"Responses": {}})
    assert consume.claim(store, mine, NOW) == others


def test_a_refusal_among_many_claims_is_raised_and_the_next_delivery_counts_all(cloud):
    events = untimed(200)
    cloud.refused = 0.02
    with pytest.raises(ClientError):
        count(events)
    cloud.refused = 0
    count(events)
    assert four(ask().totals) == (200, 0, 0, 0)
