"""AWS's limits, injected at every request to it: callers get 429 or 503 with Retry-After, workers try again."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from chalice.test import Client

import app
from chalicelib import accounts
from chalicelib.auth import Principal
from chalicelib.store import AccountStore
from tests.pipeline import inprocess
from tests.pipeline.test_faults import open_slots, rank

ACCOUNT = "a234567limitsaaaa"
THROTTLES = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
    "RequestThrottled",
]
ROUTES = [
    ("GET", "/images", None),
    ("POST", "/images", {"files": [{"name": "a", "content_type": "image/png", "size": 9}]}),
    ("GET", "/images/{image}", None),
    ("DELETE", "/images/{image}", None),
    ("POST", "/images/{image}/process", {"use_queue": True}),
    ("POST", "/rankings", {"images": ["{image}", "{other}"]}),
    ("GET", "/rankings/{ranking}", None),
    ("DELETE", "/rankings/{ranking}", None),
    ("GET", "/api-keys", None),
    ("POST", "/api-keys", {"name": "k"}),
]

pytestmark = pytest.mark.usefixtures("remembered")


def throttled(code, operation="Any"):
    return ClientError({"Error": {"Code": code, "Message": "slow down"}}, operation)


def fail_at(world, call, error):
    """The nth request to AWS from now is refused."""
    seen = iter(range(10_000))

    def on_call(_service, _operation, when):
        if when == "before" and next(seen) == call:
            raise error

    world.emulator.on_call = on_call


@pytest.fixture
def call(world, small_photos):
    """call(method, path, body): the answer of the API to a caller with two ready images and a ranking of them."""
    store = AccountStore(ACCOUNT)
    image, other = open_slots(store, 2)
    for each, data in zip((image, other), small_photos, strict=False):
        world.upload(ACCOUNT, each, data)
    world.drain()
    names = {"image": image, "other": other, "ranking": rank(store, [image, other])}
    key = accounts.create_api_key(Principal(ACCOUNT, "u", frozenset({"member"})), "test").key

    def send(method, path, body, before=lambda: None):
        filled = json.dumps(body)
        for name, value in names.items():
            path, filled = path.replace(f"{{{name}}}", value), filled.replace(f"{{{name}}}", value)
        headers = {"Authorization": f"Bearer {key}"} | ({"Content-Type": "application/json"} if body else {})
        with Client(app.app) as client:
            before()
            try:
                return getattr(client.http, method.lower())(path, headers=headers, body=filled if body else b"")
            finally:
                world.emulator.on_call = lambda *_: None

    return send


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
@pytest.mark.parametrize("when", [0, 1, 2, 3])
def test_a_throttled_request_is_429_with_retry_after(world, call, method, path, body, when):
    for code in THROTTLES[when::2]:
        answer = call(method, path, body, before=lambda code=code: fail_at(world, when, throttled(code)))
        if when >= 2 and answer.status_code < 300:
            return  # the route makes fewer requests than that; each makes the two of a caller's key and its own
        assert answer.status_code == 429, (code, answer.body)
        assert int(answer.headers["Retry-After"]) > 0
        assert json.loads(answer.body)["error"]["code"] == "too_many_requests"


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url="x"),
        ConnectTimeoutError(endpoint_url="x"),
        throttled("InternalServerError"),
        throttled("ServiceUnavailable"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize(
    ("method", "path", "body"), ROUTES[:6], ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_service_that_does_not_answer_is_503_without_internals(world, call, method, path, body, error):
    answer = call(method, path, body, before=lambda: fail_at(world, 0, error))
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
    assert "botocore" not in answer.body.decode()


def test_an_image_is_not_called_deleted_while_s3_still_keeps_its_bytes(call, monkeypatch):
    kept = {"Errors": [{"Key": "originals/any", "Code": "SlowDown"}]}
    with monkeypatch.context() as patch:
        patch.setattr(inprocess.S3, "delete_objects", lambda *_, **__: kept)
        assert call("DELETE", "/images/{image}", None).status_code == 503
    assert call("GET", "/images/{image}", None).status_code == 200
    assert call("DELETE", "/images/{image}", None).status_code < 300


def test_a_ranking_goes_through_once_the_throttling_is_over(world, call):
    method, path, body = ROUTES[5]
    assert call(method, path, body, before=lambda: fail_at(world, 3, throttled("SlowDown"))).status_code == 429
    assert call(method, path, body).status_code == 202


@pytest.mark.parametrize("when", range(12))
def test_a_worker_that_is_throttled_anywhere_finishes_later(world, small_photos, when):
    store = AccountStore(ACCOUNT)
    [image] = open_slots(store, 1)
    world.upload(ACCOUNT, image, small_photos[0])
    refused = 0
    while world.bag.messages:
        message = world.bag.messages.pop(0)
        message.deliveries += 1
        if message.deliveries == 1:
            fail_at(world, when % 4, throttled(THROTTLES[when % len(THROTTLES)]))
        try:
            failed = world.handle(message)
        except ClientError:
            failed = True
        world.emulator.on_call = lambda *_: None
        refused += failed
        if failed:
            world.bag.messages.append(message)
    assert refused > 0
    assert store.get("image", image)["state"] == "ready"


def test_a_body_over_the_limit_is_413(call):
    answer = call("POST", "/images", {"files": [{"name": "a" * 1_100_000, "content_type": "image/png", "size": 9}]})
    assert (answer.status_code, json.loads(answer.body)["error"]["code"]) == (413, "too_large")
