"""A customer's models beside the general one: every score by the version that was asked for, whatever happens to it."""

from __future__ import annotations

import io
from zlib import crc32

import msgspec
import numpy as np
import pytest
from botocore.exceptions import ClientError

from chalicelib import aws, ranking
from chalicelib.errors import Conflict, NotFound, Unavailable
from chalicelib.images import gallery, record
from chalicelib.scoring import endpoint, preview, rescoring, scorers, worker
from chalicelib.scoring.model import ModelDamaged, general
from chalicelib.scoring.record import TrainingRecord
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from tests.pipeline.own_model import (
    artifact,
    artifact_key,
    expected,
    kept,
    new_model,
    open_slots,
    rank,
    release,
    settle,
    trained,
    upload,
    values,
    vector_of,
)

ACCOUNT = "a234567abcdefghij"

pytestmark = pytest.mark.usefixtures("remembered")


@pytest.fixture
def store(world, request):
    """An account that no other test has touched."""
    return AccountStore(f"a{crc32(request.node.name.encode()):016d}")


@pytest.fixture
def model(store, world):
    return new_model(store, world.now)


# Rankings and new images


def test_a_ranking_by_an_own_model_is_in_that_models_order(world, store, model, small_photos):
    release(store, model, 1)
    images = upload(world, store, small_photos)
    identifier = rank(world, store, images, model)
    world.drain()
    seen = ranking.view(store, identifier)
    best_first = sorted(images, key=lambda image: -expected(store, image, 1))
    assert (seen.state, seen.model) == ("complete", model)
    assert [entry.image for entry in seen.entries] == best_first
    assert values(store, identifier) == {image: expected(store, image, 1) for image in images}


def test_a_new_image_is_scored_by_the_accounts_live_models_too(world, store, model, small_photos):
    other = new_model(store, world.now + 1)
    new_model(store, world.now + 2)
    release(store, model, 1)
    release(store, other, 4)
    [image] = upload(world, store, small_photos[:1])
    assert set(gallery.view(store, image).scores) == {"general", model, other}


def test_models_of_other_accounts_score_nothing_here(world, store, model, small_photos):
    release(AccountStore(ACCOUNT), new_model(AccountStore(ACCOUNT), world.now), 1)
    [image] = upload(world, store, small_photos[:1])
    assert kept(store, image) == {"general"}


def test_another_accounts_model_is_not_found_and_one_in_training_is_not_ready(world, store, model, small_photos):
    stranger = AccountStore(ACCOUNT)
    images = open_slots(world, stranger)
    release(store, model, 1)
    with pytest.raises(NotFound) as unknown:
        rank(world, stranger, images, model)
    with pytest.raises(Conflict) as unready:
        rank(world, stranger, images, new_model(stranger, world.now))
    assert (unknown.value.field, unready.value.field) == ("model", "model")


def test_a_photo_in_the_body_is_scored_by_an_own_model(world, store, model, small_photos):
    release(store, model, 1)
    [image] = upload(world, store, small_photos[:1])
    entry = preview.score(store, small_photos[0], model)
    assert entry.score == pytest.approx(gallery.view(store, image).scores[model].score, abs=0.5)


# Versions


def test_a_pending_ranking_stays_with_its_version(world, store, model, small_photos):
    release(store, model, 1)
    [first] = upload(world, store, small_photos[:1])
    [second] = open_slots(world, store, 1)
    identifier = rank(world, store, [first, second], model)
    release(store, model, 2)
    rescoring.start(store.account, model)
    world.upload(store.account, second, small_photos[1])
    world.drain()
    assert values(store, identifier) == {image: expected(store, image, 1) for image in (first, second)}
    assert kept(store, first) == kept(store, second) == {"general", scorers.name(model, 2)}


def test_a_pending_ranking_stays_with_its_version_after_a_rollback(world, store, model, small_photos):
    release(store, model, 1)
    release(store, model, 2)
    images = open_slots(world, store)
    identifier = rank(world, store, images, model)
    release(store, model, 3, trained_as=1)
    for image, data in zip(images, small_photos, strict=False):
        world.upload(store.account, image, data)
    world.drain()
    assert values(store, identifier) == {image: expected(store, image, 2) for image in images}
    later = rank(world, store, images, model)
    world.drain()
    assert values(store, later) == {image: expected(store, image, 1) for image in images}


def test_an_older_versions_score_that_comes_last_gives_way(world, store, model, small_photos):
    old, new = release(store, model, 1), release(store, model, 2)
    [image] = upload(world, store, small_photos[:1])
    worker.score({"account": store.account, "image": image, "model": old}, 1)
    world.drain()
    assert kept(store, image) == {"general", new}


def test_a_version_released_while_the_older_computes_is_asked_too(world, store, model, small_photos):
    """Its walk may have passed the image while there was no score to be seen."""
    release(store, model, 1)
    images = open_slots(world, store, 1)
    world.upload(store.account, images[0], small_photos[0])
    while not any(message.body.get("model") == scorers.name(model, 1) for message in world.bag.messages):
        world._deliver_one(0, 0)
    new = release(store, model, 2)
    world.drain()
    assert kept(store, images[0]) == {"general", new}


def test_the_view_shows_each_models_newest_version_alone(store, model):
    def score(points):
        shown = {"score": points, "low": 0.0, "high": 100.0, "domain": "in", "reasons": []}
        return msgspec.json.encode(shown)

    versions = {scorers.name(model, version): score(float(version)) for version in (9, 10, 2)}
    latest = record.latest_scores({"scores": {"general": score(50.0), **versions}})
    assert {name: seen["score"] for name, seen in latest.items()} == {"general": 50.0, model: 10.0}


# Endpoints


@pytest.fixture
def runtime(world, monkeypatch):
    """SageMaker's runtime: the endpoint of a model that was trained as number 1."""
    made = Runtime()
    monkeypatch.setattr(aws, "client", lambda name: made if name == "sagemaker-runtime" else world.client(name))
    monkeypatch.setattr(endpoint, "PAUSES", ())
    monkeypatch.setattr(scorers, "_resting", {})
    return made


class Runtime:
    def __init__(self):
        self.error, self.asked = "", 0

    def invoke_endpoint(self, EndpointName, Body, **_):  # noqa: N803 - boto3's own names
        self.asked += 1
        if self.error:
            raise ClientError({"Error": {"Code": self.error, "Message": ""}}, "InvokeEndpoint")
        vectors = np.array([TrainingRecord.decode(line).vector for line in Body.splitlines()])
        values = [score.value for score in trained(1).score(vectors)]
        return {"Body": io.BytesIO(msgspec.json.encode({"model": EndpointName, "values": values}))}


def test_an_endpoint_that_does_not_answer_makes_its_scores_late_and_no_others(
    world, store, model, small_photos, runtime
):
    runtime.error = "ModelNotReadyException"
    release(store, model, 1, trained_as=7, backend="sagemaker")
    images = upload(world, store, small_photos[:2])
    identifier = rank(world, store, images, model)
    world.drain()
    assert all(kept(store, image) == {"general"} for image in images)
    assert ranking.view(store, identifier).state == "pending"
    runtime.error = ""
    scorers._resting.clear()
    settle(world)
    assert values(store, identifier) == {image: expected(store, image, 1) for image in images}


def test_a_batch_waits_once_for_an_endpoint_that_is_down(world, store, model, small_photos, runtime):
    scorer = release(store, model, 1, backend="sagemaker")
    [image] = upload(world, store, small_photos[:1])
    runtime.error, runtime.asked = "ThrottlingException", 0
    message = {"account": store.account, "image": image, "model": scorer}
    for _ in range(9):
        with pytest.raises(Unavailable):
            worker.score(message, 1)
    assert runtime.asked == 1


def test_a_photo_in_the_body_is_told_to_come_again_while_the_endpoint_is_down(
    world, store, model, small_photos, runtime
):
    release(store, model, 1, backend="sagemaker")
    runtime.error = "ModelNotReadyException"
    with pytest.raises(Unavailable) as refused:
        preview.score(store, small_photos[0], model)
    assert refused.value.retry_after


def test_a_version_whose_endpoint_is_gone_scores_the_same_from_its_arrays(world, store, model, small_photos, runtime):
    scorer = release(store, model, 1, backend="sagemaker")
    [image] = upload(world, store, small_photos[:1])
    remote = scorers.score(store, scorer, vector_of(store, image))
    release(store, model, 1, state="superseded")
    runtime.asked = 0
    assert scorers.score(store, scorer, vector_of(store, image)) == remote
    assert runtime.asked == 0


# Artifacts


def test_an_artifact_that_is_not_the_registered_one_never_scores(world, store, model, small_photos):
    scorer = release(store, model, 1, sha256="0" * 64)
    [image] = upload(world, store, small_photos[:1])
    assert kept(store, image) == {"general"}
    with pytest.raises(ModelDamaged, match="SHA-256"):
        scorers.score(store, scorer, vector_of(store, image))


def test_a_version_that_is_not_released_never_scores(world, store, model, small_photos):
    scorer = release(store, model, 1, state="not_enough_signal")
    [image] = upload(world, store, small_photos[:1])
    with pytest.raises(NotFound):
        scorers.score(store, scorer, vector_of(store, image))


def test_a_missing_artifact_may_come_back(world, store, model, small_photos):
    scorer = release(store, model, 1)
    key = artifact_key(store, model, 1)
    world.client("s3").delete_object(Bucket=settings().media_bucket, Key=key)
    [image] = upload(world, store, small_photos[:1])
    with pytest.raises(Unavailable):
        scorers.score(store, scorer, vector_of(store, image))
    world.client("s3").put_object(Bucket=settings().media_bucket, Key=key, Body=artifact(1))
    assert scorers.score(store, scorer, vector_of(store, image))[0].value == expected(store, image, 1)


def test_a_loaded_model_is_kept_and_a_replaced_one_is_not_taken_for_it(world, store, model, small_photos):
    [image] = upload(world, store, small_photos[:1])
    reads = []
    world.emulator.on_call = lambda *call: reads.append(call) if call[1:] == ("GetObject", "before") else None
    scored = [
        scorers.score(store, release(store, model, 1, trained_as=number), vector_of(store, image))[0].value
        for number in (1, 1, 2)
    ]
    assert scored == [expected(store, image, 1), expected(store, image, 1), expected(store, image, 2)]
    assert len(reads) == 2


def test_the_general_score_is_what_it_was(world, store, model, small_photos):
    release(store, model, 1)
    [image] = upload(world, store, small_photos[:1])
    alone = general().score(vector_of(store, image))[0]
    assert record.scores(store.get("image", image))["general"] == msgspec.to_builtins(alone)
