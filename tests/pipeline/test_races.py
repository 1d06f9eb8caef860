"""Two workers at once on one image: what one does between two requests of the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chalicelib import contract, features, ranking
from chalicelib.images import extract, ingest, record, removal, slots, sweep
from chalicelib.scoring import worker
from chalicelib.store import AccountStore

ACCOUNT = "a234567abcdefghij"
STORE = AccountStore(ACCOUNT)
MESSAGE = {"account": ACCOUNT}

pytestmark = pytest.mark.usefixtures("remembered")


@pytest.fixture
def image(world):
    request = contract.NewImages(files=[contract.NewFile(name="a.jpg", content_type="image/jpeg", size=100)])
    return slots.open_slots(STORE, request, world.now).items[0].id


def meanwhile(world, service: str, operation: str, happens: Callable[[], object]) -> list[str]:
    """At the next such request, let something else happen first. The answer says whether it did."""
    done: list[str] = []

    def on_call(*call: str) -> None:
        if call == (service, operation, "before") and not done:
            done.append(operation)
            happens()

    world.emulator.on_call = on_call
    return done


def keys_of(world, image):
    found = world.client("s3").list_objects_v2(Bucket="proofsheet-local-media-000000000000")
    return [each["Key"] for each in found.get("Contents", []) if image in each["Key"]]


def only_of(world, image, data):
    """The properties and the score of an image that never knew another upload."""
    world.upload(ACCOUNT, image, data)
    world.drain()
    item = STORE.get("image", image)
    return record.properties(item), record.scores(item)


@pytest.mark.parametrize("prop", contract.PROPERTIES)
def test_a_worker_that_is_late_with_a_replaced_upload_changes_nothing(world, image, small_photos, prop):
    expected = only_of(world, image, small_photos[1])
    world.upload(ACCOUNT, image, small_photos[0])
    ingest.ingest(STORE, image, world.now)

    def replaced():
        world.upload(ACCOUNT, image, small_photos[1])
        ingest.ingest(STORE, image, world.now)

    done = meanwhile(world, "dynamodb", "UpdateItem", replaced)
    extract.extract(prop, MESSAGE | {"image": image}, 1)
    assert done
    assert prop in STORE.get("image", image)["pending"]
    world.drain()
    item = STORE.get("image", image)
    assert (record.properties(item), record.scores(item)) == expected


@pytest.mark.parametrize("operation", ["PutObject", "HeadObject"])
def test_an_upload_that_comes_while_another_is_read_wins(world, image, small_photos, operation):
    expected = only_of(world, image, small_photos[1])

    def overtaken():
        world.upload(ACCOUNT, image, small_photos[1])
        ingest.ingest(STORE, image, world.now)

    world.upload(ACCOUNT, image, small_photos[0])
    done = meanwhile(world, "s3", operation, overtaken)
    ingest.ingest(STORE, image, world.now)
    world.bag.messages = [message for message in world.bag.messages if message.kind != "uploaded"]
    world.drain()
    item = STORE.get("image", image)
    assert done
    assert (record.properties(item), record.scores(item)) == expected


def test_the_last_failure_of_a_redelivered_message_leaves_a_ready_image_alone(world, image, small_photos, monkeypatch):
    only_of(world, image, small_photos[0])
    before = STORE.get("image", image)

    def broken(_prop, _photo):
        raise OSError("no space left")

    monkeypatch.setattr(features, "extract", broken)
    with pytest.raises(OSError, match="no space"):
        extract.extract("color", MESSAGE | {"image": image}, extract.LAST_ATTEMPT)
    assert STORE.get("image", image) == before


def test_an_upload_at_the_last_moment_is_not_failed_by_the_sweeper(world, image, small_photos):
    def arrives():
        world.upload(ACCOUNT, image, small_photos[0])
        ingest.ingest(STORE, image, world.now)

    later = world.now + slots.SLOT_SECONDS + slots.GRACE_SECONDS + 1
    # Between the look into the bucket, which finds nothing, and the update that would end the image.
    done = meanwhile(world, "s3", "HeadObject", lambda: meanwhile(world, "dynamodb", "UpdateItem", arrives))
    sweep.sweep(later)
    world.drain()
    assert done
    assert STORE.get("image", image)["state"] == "ready"


def test_an_upload_that_kills_whoever_reads_it_ends_in_failed(world, image, small_photos, monkeypatch):
    from chalicelib.images import working_copy
    from tests.pipeline.world import Killed

    def deadly(_data):
        raise Killed

    world.upload(ACCOUNT, image, small_photos[0])
    monkeypatch.setattr(working_copy, "prepare", deadly)
    for _ in range(record.ATTEMPTS + 2):
        world.sweep(slots.SLOT_SECONDS + slots.GRACE_SECONDS + 1)
    item = STORE.get("image", image)
    assert (item["state"], item["reason"]) == ("failed", "The file cannot be read.")


def test_deleting_while_the_working_copy_is_written_leaves_nothing(world, image, small_photos):
    """Deleted in the middle: the objects are gone already, the record not yet."""
    world.upload(ACCOUNT, image, small_photos[0])
    done = meanwhile(world, "s3", "PutObject", lambda: removal.delete_objects(ACCOUNT, image))
    ingest.ingest(STORE, image, world.now)
    assert done
    assert keys_of(world, image) == []


def test_deleting_while_the_score_is_computed_leaves_nothing(world, image, small_photos):
    only_of(world, image, small_photos[0])
    done = meanwhile(world, "s3", "PutObject", lambda: removal.delete(STORE, image))
    worker.score(MESSAGE | {"image": image, "model": worker.GENERAL}, 1)
    assert done
    assert keys_of(world, image) == []
    assert STORE.partition("image", image) == []


def test_a_ranking_deleted_while_a_score_comes_in_leaves_nothing(world, image, small_photos):
    request = contract.NewImages(files=[contract.NewFile(name="b.jpg", content_type="image/jpeg", size=100)])
    other = slots.open_slots(STORE, request, world.now).items[0].id
    identifier = ranking.create(STORE, contract.NewRanking(images=[image, other]), world.now).id
    only_of(world, image, small_photos[0])
    world.upload(ACCOUNT, other, small_photos[1])
    while not (item := STORE.get("image", other))["scores"]:
        world._deliver_one(0, 0)
    done = meanwhile(world, "dynamodb", "BatchWriteItem", lambda: ranking.delete(STORE, identifier))
    ranking.scored(ACCOUNT, item["id"])
    assert done
    assert STORE.partition("ranking", identifier) == []
