"""What becomes of stored scores when a customer's model is replaced or deleted, however the messages come."""

from __future__ import annotations

from zlib import crc32

import pytest

from chalicelib import aws, contract, ranking
from chalicelib.images import gallery, lifecycle, removal
from chalicelib.scoring import rescoring, scorers, worker
from chalicelib.store import AccountStore
from tests.pipeline.own_model import (
    PatientWorld,
    delete,
    expected,
    kept,
    new_model,
    open_slots,
    rank,
    records,
    release,
    settle,
    trained,
    upload,
    values,
    vector_of,
)

pytestmark = pytest.mark.usefixtures("remembered")


@pytest.fixture
def store(world, request):
    """An account that no other test has touched."""
    return AccountStore(f"a{crc32(request.node.name.encode()):016d}")


@pytest.fixture
def model(store, world):
    return new_model(store, world.now)


@pytest.fixture
def patient_world(emulator, make_world, monkeypatch):
    def make(seed):
        make_world(seed)
        world = PatientWorld(emulator, seed)
        monkeypatch.setattr(aws, "client", world.client)
        return world

    return make


def test_rescoring_replaces_every_older_score_page_by_page(world, store, model, small_photos, monkeypatch):
    monkeypatch.setattr(rescoring, "PAGE", 2)
    [unscored] = upload(world, store, small_photos[:1])
    release(store, model, 1)
    scored = upload(world, store, small_photos * 2)
    new = release(store, model, 2)
    rescoring.start(store.account, model)
    world.drain(twice=0.2)
    assert kept(store, unscored) == {"general"}
    assert all(kept(store, image) == {"general", new} for image in scored)
    shown = gallery.view(store, scored[0]).scores[model]
    assert shown.score == trained(2).score(vector_of(store, scored[0]))[0].score


def test_an_older_walk_stops_where_a_newer_version_has_overtaken_it(world, store, model, small_photos):
    release(store, model, 1)
    upload(world, store, small_photos[:1])
    release(store, model, 2)
    rescoring.start(store.account, model)
    [walk] = world.bag.messages
    release(store, model, 3)
    rescoring.rescore(walk.body, 1)
    assert world.bag.messages == [walk]


def run_schedule(world, store, photos):
    """Rankings and images come while versions are released and rolled back, with deaths and duplicates."""
    model, version, rankings = new_model(store, world.now), 1, []
    release(store, model, version)
    images = open_slots(world, store, len(photos))
    for image, data in zip(images, photos, strict=True):
        rankings.append((version, rank(world, store, images, model)))
        world.upload(store.account, image, data)
        for _ in range(world.random.randrange(25)):
            if world.bag.messages:
                world._deliver_one(0.15, 0.15)
        version += 1
        # Every second time back to the first: a version of its own, with an older one's artifact.
        release(store, model, version, trained_as=version if version % 2 else 1)
        rescoring.start(store.account, model)
    world.drain(kill=0.15, twice=0.15)
    settle(world)
    return model, version, images, rankings


def test_whatever_the_schedule_no_ranking_mixes_versions_and_the_newest_stays(patient_world, small_photos, monkeypatch):
    monkeypatch.setattr(rescoring, "PAGE", 1)
    kills = duplicates = 0
    for seed in range(10):
        world, store = patient_world(seed), AccountStore(f"b{seed:016d}")
        model, version, images, rankings = run_schedule(world, store, small_photos)
        for pinned, identifier in rankings:
            number = pinned if pinned % 2 else 1
            assert ranking.view(store, identifier).state == "complete", seed
            assert values(store, identifier) == {image: expected(store, image, number) for image in images}, seed
        assert all(kept(store, image) == {"general", scorers.name(model, version)} for image in images), seed
        assert len(world.events("Ranking Complete")) <= len(rankings), seed
        kills, duplicates = kills + world.kills, duplicates + world.duplicates
    assert min(kills, duplicates) > 20


# Deletion


def test_a_deleted_model_ends_what_waits_for_it_and_takes_its_scores(world, store, model, small_photos):
    release(store, model, 1)
    [scored] = upload(world, store, small_photos[:1])
    [waiting] = open_slots(world, store, 1)
    identifier = rank(world, store, [scored, waiting], model)
    delete(store, model)
    rescoring.start(store.account, model)
    world.upload(store.account, waiting, small_photos[1])
    world.drain()
    seen = ranking.view(store, identifier)
    assert seen.state == "partial"
    assert (seen.entries[-1].image, seen.entries[-1].reason) == (waiting, "The model was deleted.")
    assert kept(store, scored) == kept(store, waiting) == {"general"}
    assert records(world, scored) == records(world, waiting) == ["general.json"]


def test_a_model_deleted_while_it_scores_leaves_nothing(patient_world, small_photos):
    for seed in range(12):
        world, store = patient_world(seed), AccountStore(f"d{seed:016d}")
        model = new_model(store, world.now)
        release(store, model, 1)
        [image] = open_slots(world, store, 1)
        world.upload(store.account, image, small_photos[0])
        for _ in range(world.random.randrange(5, 25)):
            if world.bag.messages:
                world._deliver_one(0.1, 0.1)
        delete(store, model)
        rescoring.start(store.account, model)
        world.drain(kill=0.1, twice=0.2)
        settle(world)
        assert kept(store, image) == {"general"}, seed
        assert records(world, image) == ["general.json"], seed


def test_a_model_deleted_between_two_requests_of_its_worker_leaves_nothing(world, store, model, small_photos):
    scorer = release(store, model, 1)
    [image] = upload(world, store, small_photos[:1])

    def deleted(*call):
        if call == ("s3", "PutObject", "before"):
            world.emulator.on_call = lambda *_: None
            delete(store, model)
            rescoring.start(store.account, model)
            world.drain()

    world.emulator.on_call = deleted
    worker.score({"account": store.account, "image": image, "model": scorer}, 1)
    assert kept(store, image) == {"general"}
    assert records(world, image) == ["general.json"]


def test_rescoring_harms_no_image_that_is_deleted_or_processed_meanwhile(world, store, model, small_photos):
    release(store, model, 1)
    gone, again = upload(world, store, small_photos[:2])
    new = release(store, model, 2)
    lifecycle.process_again(store, again, contract.Process(properties=["color"]), world.now)
    rescoring.start(store.account, model)
    removal.delete(store, gone)
    world.drain()
    assert store.partition("image", gone) == []
    assert kept(store, again) == {"general", new}
