"""Clients that nobody here wrote send events, meet failures on the way, and find every event counted once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from segment.analytics import request
from segment.analytics.client import Client

from tests.tracked import lossy

NODE_SCRIPT = Path(__file__).parent / "send_events.cjs"
FATES = ("pass", "refuse", "lose", "pass", "lose")  # of the first five requests


@pytest.fixture
def python_client(account):
    """python_client(host): Segment's client for Python, in batches of 7, and the errors that it told of."""
    errors = []

    def start(host):
        tell = lambda error, _events: errors.append(error)  # noqa: E731
        return Client(account.key, host=host, upload_size=7, upload_interval=0.2, on_error=tell), errors

    yield start
    request._session.close()


def test_segments_python_library_sends_50_events_and_all_are_counted_once(
    cloud, account, fifty, expected, python_client
):
    with lossy(cloud.base_url, *FATES) as way:
        client, errors = python_client(way.url)
        client.identify("u1", {"plan": "free"})
        for name, properties in fifty:
            client.track("u1", name, properties)
        client.shutdown()
    account.settle(len(fifty))
    assert errors == []
    assert {fate: way.seen.count(fate) for fate in ("refuse", "lose")} == {"refuse": 1, "lose": 2}
    assert account.by_image() == expected


def test_segments_node_library_sends_50_events_and_all_are_counted_once(
    cloud, account, fifty, expected, node_surroundings
):
    with lossy(cloud.base_url, *FATES) as way:
        told = json.dumps({"host": way.url, "key": account.key, "events": fifty})
        done = subprocess.run(
            ["node", str(NODE_SCRIPT)], input=told, env=node_surroundings, capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"failed": []}
    account.settle(len(fifty))
    assert {fate: way.seen.count(fate) for fate in ("refuse", "lose")} == {"refuse": 1, "lose": 2}
    assert account.by_image() == expected


def test_the_ranking_has_what_its_images_have(cloud, account, fifty, expected, python_client):
    client, errors = python_client(cloud.base_url)
    for name, properties in fifty:
        client.track("u1", name, properties)
    client.shutdown()
    account.settle(len(fifty))
    assert errors == []
    assert account.counts(f"ranking={account.ranking}") == tuple(map(sum, zip(*expected.values(), strict=True)))
