"""The pipeline against duplicates, reordering and death: whatever happens, every image ends, and a ranking with it."""

from __future__ import annotations

import pytest

from chalicelib import contract, log, ranking
from chalicelib.errors import NotFound
from chalicelib.images import lifecycle, record, removal, slots
from chalicelib.store import AccountStore
from tests.bad_images import BAD

ACCOUNT = "a234567abcdefghij"
JPEG = "image/jpeg"
# Enough looks of the sweeper for its last resort.
LOOKS = record.ATTEMPTS + 3
ONE_LOOK = record.PATIENCE_SECONDS * (record.ATTEMPTS + 2)

pytestmark = pytest.mark.usefixtures("remembered")


def open_slots(store, count, **options):
    files = [contract.NewFile(name=f"{number}.jpg", content_type=JPEG, size=100) for number in range(count)]
    request = contract.NewImages(files=files, **options)
    return [slot.id for slot in slots.open_slots(store, request, slots_now()).items]


def slots_now():
    import time

    return time.time()


def rank(store, images):
    return ranking.create(store, contract.NewRanking(images=images), slots_now()).id


def state(store, image):
    return store.get("image", image)["state"]


def settle(world, **faults):
    """Let the sweeper look until it has nothing left to do."""
    world.drain(**faults)
    for _ in range(LOOKS):
        if not world.overdue(ONE_LOOK):
            return
        world.sweep(ONE_LOOK, **faults)


def test_an_uploaded_photo_becomes_ready_and_scored(world, small_photos):
    store = AccountStore(ACCOUNT)
    [image] = open_slots(store, 1)
    world.upload(ACCOUNT, image, small_photos[0])
    world.drain()
    item = store.get("image", image)
    assert item["state"] == "ready"
    assert set(record.properties(item)) == set(contract.PROPERTIES)
    assert 0 <= record.scores(item)["general"]["score"] <= 100


def test_one_correlation_id_leads_from_the_upload_request_to_the_ranking(world, small_photos):
    store = AccountStore(ACCOUNT)
    with log.correlation("the-request"):
        images = open_slots(store, 2)
    rank(store, images)
    for image, data in zip(images, small_photos, strict=False):
        world.upload(ACCOUNT, image, data)
    world.drain()
    kinds = {kind for kind, detail in world.bag.published if detail["correlation"] == "the-request"}
    assert kinds == {"Process Image Request", "Image Processed", "Image Scored", "Ranking Complete"}


def test_direct_invocation_and_queues_give_the_same_features(world, small_photos):
    store = AccountStore(ACCOUNT)
    queued, direct = open_slots(store, 1)[0], open_slots(store, 1, use_queue=False)[0]
    for image in (queued, direct):
        world.upload(ACCOUNT, image, small_photos[0])
    world.drain()
    assert record.properties(store.get("image", queued)) == record.properties(store.get("image", direct))


def test_every_message_delivered_twice_completes_the_image_once(world, small_photos):
    store = AccountStore(ACCOUNT)
    [image] = open_slots(store, 1)
    world.upload(ACCOUNT, image, small_photos[0])
    world.drain(twice=0.5)
    assert world.duplicates > 0
    assert [event["image"] for event in world.events("Image Processed")] == [image]


def test_the_same_upload_event_much_later_changes_nothing(world, small_photos):
    store = AccountStore(ACCOUNT)
    [image] = open_slots(store, 1)
    world.upload(ACCOUNT, image, small_photos[0])
    world.drain()
    before = store.get("image", image)
    world.upload(ACCOUNT, image, small_photos[0])
    world.drain()
    assert store.get("image", image) == before


def test_another_upload_into_the_same_slot_replaces_the_image(world, small_photos):
    store = AccountStore(ACCOUNT)
    [image] = open_slots(store, 1)
    world.upload(ACCOUNT, image, small_photos[0])
    world.drain()
    before = record.properties(store.get("image", image))
    world.upload(ACCOUNT, image, small_photos[1])
    world.drain()
    assert state(store, image) == "ready"
    assert record.properties(store.get("image", image)) != before


@pytest.mark.parametrize("call", range(45))
def test_a_kill_at_any_request_still_ends_in_ready(make_world, small_photos, call):
    world = make_world(call)
    store = AccountStore(ACCOUNT)
    [image] = open_slots(store, 1)
    world.upload(ACCOUNT, image, small_photos[0])
    seen = 0

    def die_once(*_args):
        nonlocal seen
        seen += 1
        if seen == call:
            world.kills += 1
            from tests.pipeline.world import Killed

            raise Killed

    while world.bag.messages:
        message = world.bag.messages.pop(0)
        message.deliveries += 1
        world.emulator.on_call = die_once
        try:
            world.handle(message)
        except BaseException:
            world.bag.messages.append(message)
        world.emulator.on_call = lambda *_: None
    settle(world)
    assert state(store, image) == "ready"
    assert "general" in record.scores(store.get("image", image))


def run_schedule(make_world, small_photos, seed):
    """One random schedule of two images and a ranking of them, with deaths and duplicates; the world afterwards."""
    world = make_world(seed)
    store = AccountStore(f"a{seed:016d}")
    images = open_slots(store, 2, use_queue=seed % 2 == 0)
    identifier = None
    for image, data in zip(images, small_photos[:2], strict=True):
        if world.random.random() < 0.4 and identifier is None:
            identifier = rank(store, images)
        world.upload(store.account, image, data)
        world.drain(kill=0.15, twice=0.1)
    identifier = identifier or rank(store, images)
    settle(world, kill=0.1, twice=0.1)
    settle(world)
    return store, images, identifier, world


SCHEDULES = 2000
SHARDS = 20


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_random_schedules_of_faults_lose_nothing(make_world, small_photos, shard):
    kills = duplicates = 0
    for seed in range(shard, SCHEDULES, SHARDS):
        store, images, identifier, world = run_schedule(make_world, small_photos, seed)
        seen = ranking.view(store, identifier)
        kills, duplicates = kills + world.kills, duplicates + world.duplicates
        assert {state(store, image) for image in images} <= {"ready", "failed"}, seed
        assert seen.state in ("complete", "partial"), seed
        assert sorted(entry.image for entry in seen.entries) == sorted(images), seed
        assert (seen.state == "complete") == all(entry.score is not None for entry in seen.entries), seed
        assert len(world.events("Ranking Complete")) <= 1, seed
    assert kills > 100
    assert duplicates > 100


def test_without_deaths_no_image_fails_however_the_messages_come(make_world, small_photos):
    for seed in range(20):
        world = make_world(seed)
        store = AccountStore(ACCOUNT)
        images = open_slots(store, 3)
        identifier = rank(store, images)
        for image, data in zip(images, small_photos, strict=True):
            world.upload(ACCOUNT, image, data)
        world.drain(twice=0.3)
        assert ranking.view(store, identifier).state == "complete"


def test_a_slot_that_gets_no_upload_fails_and_its_ranking_ends_partial(world, small_photos):
    store = AccountStore(ACCOUNT)
    used, unused = open_slots(store, 2)
    identifier = rank(store, [used, unused])
    world.upload(ACCOUNT, used, small_photos[0])
    world.drain()
    world.sweep(slots.SLOT_SECONDS + slots.GRACE_SECONDS + 1)
    seen = ranking.view(store, identifier)
    assert state(store, unused) == "failed"
    assert seen.state == "partial"
    assert seen.entries[-1].reason == "Nothing was uploaded before the slot expired."


def test_a_lost_upload_event_is_found_by_the_sweeper(world, small_photos):
    store = AccountStore(ACCOUNT)
    [image] = open_slots(store, 1)
    world.upload(ACCOUNT, image, small_photos[0])
    world.bag.messages.clear()
    world.sweep(slots.SLOT_SECONDS + slots.GRACE_SECONDS + 1)
    assert state(store, image) == "ready"


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_bad_file_fails_with_a_sentence_and_harms_nobody(world, small_photos, bad):
    store = AccountStore(ACCOUNT)
    good, spoiled = open_slots(store, 2)
    world.upload(ACCOUNT, spoiled, bad.make())
    world.upload(ACCOUNT, good, small_photos[0])
    world.drain()
    assert state(store, good) == "ready"
    assert state(store, spoiled) == "failed"
    assert bad.reason in store.get("image", spoiled)["reason"]


def test_a_property_that_cannot_be_computed_fails_the_image_after_three_deliveries(world, small_photos, monkeypatch):
    from chalicelib import features

    store = AccountStore(ACCOUNT)
    [image] = open_slots(store, 1)
    computed = features.extract

    def poisoned(prop, photo):
        if prop == "color":
            raise FloatingPointError
        return computed(prop, photo)

    monkeypatch.setattr(features, "extract", poisoned)
    world.upload(ACCOUNT, image, small_photos[0])
    world.drain()
    item = store.get("image", image)
    assert (item["state"], item["reason"]) == ("failed", "The color of this image could not be computed.")


def test_a_failed_image_can_be_processed_again_once_the_cause_is_mended(world, small_photos, monkeypatch):
    from chalicelib import features

    store = AccountStore(ACCOUNT)
    [image] = open_slots(store, 1)
    computed = features.extract
    monkeypatch.setattr(features, "extract", lambda prop, photo: 1 / 0)
    world.upload(ACCOUNT, image, small_photos[0])
    world.drain()
    assert state(store, image) == "failed"
    monkeypatch.setattr(features, "extract", computed)
    lifecycle.process_again(store, image, contract.Process(properties=["color"]), world.now)
    world.drain()
    item = store.get("image", image)
    assert (item["state"], "reason" in item) == ("ready", False)
    assert set(record.properties(item)) == set(contract.PROPERTIES)


def test_a_worker_that_dies_at_every_attempt_ends_in_failed_by_the_sweeper(world, small_photos):
    store = AccountStore(ACCOUNT)
    [image] = open_slots(store, 1)
    world.upload(ACCOUNT, image, small_photos[0])
    for _ in range(LOOKS):
        world.bag.messages = [message for message in world.bag.messages if message.kind != "faces"]
        while world.bag.messages:
            message = world.bag.messages.pop(0)
            if message.kind != "faces":
                world.handle(message)
        from chalicelib.images import sweep

        world.now += ONE_LOOK
        sweep.sweep(world.now)
    world.drain()
    item = store.get("image", image)
    assert (item["state"], item["reason"]) == ("failed", "The faces of this image could not be computed.")


def test_an_image_deleted_at_any_moment_leaves_nothing_behind(make_world, small_photos):
    for seed in range(30):
        world = make_world(seed)
        store = AccountStore(ACCOUNT)
        image, other = open_slots(store, 2)
        identifier = rank(store, [image, other])
        world.upload(ACCOUNT, other, small_photos[1])
        world.upload(ACCOUNT, image, small_photos[0])
        for _ in range(world.random.randrange(25)):
            if world.bag.messages:
                world._deliver_one(0, 0)
        removal.delete(store, image)
        world.drain()
        bucket = world.client("s3").list_objects_v2(Bucket="proofsheet-local-media-000000000000")
        assert store.partition("image", image) == []
        assert not [found["Key"] for found in bucket.get("Contents", []) if image in found["Key"]]
        assert ranking.view(store, identifier).entries[-1].reason == "The image was deleted."


def test_processing_again_recomputes_and_rescores(world, small_photos):
    store = AccountStore(ACCOUNT)
    [image] = open_slots(store, 1)
    world.upload(ACCOUNT, image, small_photos[0])
    world.drain()
    before = store.get("image", image)
    lifecycle.process_again(store, image, contract.Process(properties=["color"]), world.now)
    assert state(store, image) == "processing"
    world.drain()
    after = store.get("image", image)
    assert after["state"] == "ready"
    assert after["scores"] == before["scores"]


def test_another_account_cannot_even_name_an_image(world, small_photos):
    [image] = open_slots(AccountStore(ACCOUNT), 1)
    stranger = AccountStore("azzzzzzzzzzzzzzzz")
    with pytest.raises(NotFound):
        lifecycle.get(stranger, image)
    with pytest.raises(NotFound):
        rank(stranger, [image, image[:-1] + "0"])


def test_a_long_backlog_makes_images_late_but_fails_none(world, small_photos):
    store = AccountStore(ACCOUNT)
    images = open_slots(store, 2)
    identifier = rank(store, images)
    for image, data in zip(images, small_photos, strict=False):
        world.upload(ACCOUNT, image, data)
    while any(message.kind not in world_queues() for message in world.bag.messages):
        message = next(message for message in world.bag.messages if message.kind not in world_queues())
        world.bag.messages.remove(message)
        world.handle(message)
    for _ in range(3 * LOOKS):
        world.look(ONE_LOOK)
    asked = [message for message in world.bag.messages if message.body.get("image") in images]
    assert len(asked) == 2 * len(contract.PROPERTIES)
    world.drain()
    assert ranking.view(store, identifier).state == "complete"


def world_queues():
    from tests.pipeline.world import QUEUES

    return QUEUES


def test_a_ranking_waits_for_slots_that_are_still_open(world, small_photos):
    store = AccountStore(ACCOUNT)
    images = open_slots(store, 2)
    identifier = rank(store, images)
    for _ in range(5):
        world.look(record.PATIENCE_SECONDS * 5)
    for image, data in zip(images, small_photos, strict=False):
        world.upload(ACCOUNT, image, data)
    world.drain()
    assert ranking.view(store, identifier).state == "complete"
