"""Customers' models under duplicates, reordering and death: one version is live, each end told, nothing left over."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import partial

import msgspec
import pytest

from chalicelib import contract
from chalicelib.scoring import scorers
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from chalicelib.training import customer, models, storage, trainer, versions
from tests.pipeline.posted import posted, put
from tests.pipeline.world import Killed

COUNT, MORE = 30, 6
# Longer than any worker may be silent.
ONE_LOOK = trainer.QUIET_SECONDS + 60
POSTS = posted(COUNT + MORE)


@pytest.fixture(autouse=True, scope="module")
def learned_once():
    """Learn from the same posts once: hundreds of schedules use the same ones."""
    train, known = customer.train, {}

    def remember(data, priors, progress, live=None, seen_until=None):
        key = hashlib.sha256(data.dump()).digest(), seen_until
        if key not in known:
            known[key] = train(data, priors, progress, live=live, seen_until=seen_until)
        progress("fit", 1, 1)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(customer, "train", remember)
        yield


def account(world, number, kind="a"):
    """A new account that has its images already."""
    store = AccountStore(f"{kind}{number:016d}")
    world.reach = 30
    put(store, POSTS, NOW)
    return store


NOW = 1_750_000_000.0
ITEMS = POSTS.items(NOW)


def source(first=0, last=COUNT):
    return {"type": "posts", "items": ITEMS[first:last]}


def create(world, store, **request):
    body = {"name": "mine", "source": source(), **request}
    return models.create(store, msgspec.convert(body, contract.NewModel), world.now).id


def again(world, store, model, **request):
    return models.train(store, model, msgspec.convert(request, contract.NewTraining), world.now)


def settle(world, **faults):
    """Let time pass until nothing stands still any more."""
    world.drain(**faults)
    for _ in range(12):
        if not world.overdue(ONE_LOOK):
            return
        world.sweep(ONE_LOOK, **faults)


def keys(world, store, model):
    prefix = storage.folder(store.account, model)
    found = world.client("s3").list_objects_v2(Bucket=settings().media_bucket, Prefix=prefix)
    return sorted(each["Key"].removeprefix(prefix) for each in found.get("Contents", []))


def told(world, model):
    """The ends that were published, each version's once."""
    found = [event for event in world.events("Model Trained") if event["model"] == model]
    return {event["model_version"]: event["state"] for event in found}


def whole(world, store, model):
    """Whether a model is at rest: its end told, one version live, its artifact the registered one, its work gone."""
    item, every = store.get("model", model), versions.every(store, model)
    live = [version for version in every if version["state"] == "ready"]
    assert not {"training", "untold", "sweep_pk", "step", "deleting"} & set(item)
    assert [version["number"] for version in live] == [item["live"]] == [max(_released(every))]
    assert scorers.live(store, model) == scorers.name(model, item["live"])
    artifact = storage.read(storage.folder(store.account, model, item["live"]) + storage.MODEL)
    assert hashlib.sha256(artifact).hexdigest() == live[0]["sha256"]
    assert set(told(world, model)) == {version["number"] for version in every}
    assert not [key for key in keys(world, store, model) if storage.WORK in key]
    return True


def _released(every):
    return [version["number"] for version in every if version["state"] in scorers.RELEASED]


def gone(world, store, model):
    assert store.partition("model", model) == []
    assert keys(world, store, model) == []
    live = store.get("models", sk="live")
    assert model not in live["scorers"]
    assert model not in live.get("ids", set())
    return True


def meanwhile(world, request, happens):
    """Before the request of this number, let something else happen. The answer says whether it did."""
    done = []

    def on_call(*call):
        nonlocal request
        if call[2] == "before" and not done:
            request -= 1
            if request < 0:
                done.append(call)
                world.emulator.on_call = lambda *_: None
                happens()

    world.emulator.on_call = on_call
    return done


def next_message(world, kind="train"):
    message = next(message for message in world.bag.messages if message.kind == kind)
    world.bag.messages.remove(message)
    message.deliveries += 1
    return message


# The way of a model


def test_posts_become_a_model_that_scores(world):
    store = account(world, 1)
    model = create(world, store)
    queued = models.view(store, model)
    world.drain()
    seen = models.view(store, model)
    assert (queued.state, queued.version, queued.progress) == ("queued", None, None)
    assert (seen.state, seen.version, seen.n, seen.problems) == ("ready", 1, COUNT, 0)
    assert seen.report["rank_correlation"] > 0
    assert seen.report["p_value"] < 0.02
    assert whole(world, store, model)
    assert world.bag.notices[-1]["kind"] == "model_trained"


def test_a_kill_at_any_request_still_ends_in_one_live_version(make_world):
    call, killed = 0, True
    while killed:
        world = make_world(call)
        store = account(world, call, "k")
        model = create(world, store)
        message = next_message(world)
        world.kill_at(call)
        try:
            world.handle(message)
        except Killed:
            world.bag.messages.append(message)
        world.emulator.on_call = lambda *_: None
        killed, call = world.kills > 0, call + 1
        settle(world)
        assert told(world, model) == {1: "ready"}, call
        assert whole(world, store, model), call
    assert call > 20


def run_schedule(make_world, seed):
    """A model that is trained, trained again with more posts and rolled back, with deaths and duplicates."""
    world = make_world(seed)
    store = account(world, seed, "s")
    model = create(world, store)
    settle(world, kill=0.5, twice=0.2)
    settle(world)
    for step in world.random.sample(("more", "same", "back", "race"), 2):
        if step == "back" and models.view(store, model).version == 1:
            continue
        if step == "back":
            models.roll_back(store, model, world.now)
        elif step == "race":
            again(world, store, model, source=source(0, 1))
            world.bag.messages *= 2
        else:
            again(world, store, model, source=source(COUNT, COUNT + MORE) if step == "more" else source(0, 1))
        settle(world, kill=0.5, twice=0.2)
        settle(world)
    return world, store, model


SCHEDULES = 60


def test_random_schedules_of_faults_leave_every_model_whole(make_world):
    kills = duplicates = 0
    for seed in range(SCHEDULES):
        world, store, model = run_schedule(make_world, seed)
        assert whole(world, store, model), seed
        kills, duplicates = kills + world.kills, duplicates + world.duplicates
    assert min(kills, duplicates) > 20


def test_two_trainers_on_one_message_make_one_version(make_world):
    call, met = 0, True
    while met:
        world = make_world(call)
        store = account(world, call, "t")
        model = create(world, store)
        message = next_message(world)
        met = meanwhile(world, call, partial(world.handle, message))
        world.handle(message)
        world.emulator.on_call = lambda *_: None
        world.drain()
        assert told(world, model) == {1: "ready"}, call
        assert whole(world, store, model), call
        call += 3
    assert call > 20


def test_a_model_deleted_at_any_moment_of_its_training_leaves_nothing(make_world):
    call, met = 0, True
    while met:
        world = make_world(call)
        store = account(world, call, "d")
        model = create(world, store)
        met = meanwhile(world, call, lambda: models.delete(store, model, world.now))  # noqa: B023 - called in this round
        world.handle(next_message(world))
        world.emulator.on_call = lambda *_: None
        models.delete(store, model, world.now) if not met else None
        settle(world)
        assert gone(world, store, model), call
        call += 1
    assert call > 20


def test_a_deletion_that_dies_at_any_request_is_finished(make_world):
    call, killed = 0, True
    while killed:
        world = make_world(call)
        store = account(world, call, "e")
        model = create(world, store)
        world.drain()
        world.kill_at(call)
        with suppress(Killed):
            models.delete(store, model, world.now)
        world.emulator.on_call = lambda *_: None
        killed = world.kills > 0
        settle(world)
        if store.get("model", model) is not None:
            models.delete(store, model, world.now)
        settle(world)
        assert gone(world, store, model), call
        call += 1
    assert call > 5
