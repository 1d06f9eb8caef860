"""Track, train, rank differently: an account's clicks become a model of its own through the service alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chalicelib import aws, contract, ids, ranking
from chalicelib.scoring import scorers
from chalicelib.store import AccountStore
from chalicelib.tracking import compaction
from chalicelib.training import models, retraining
from chalicelib.training.evaluation import spearman
from tests.pipeline.posted import DAY, posted, put
from tests.pipeline.test_labels_train import ACCOUNT, Files, deliver, track
from tests.pipeline.world import World

SHOWN, UNSEEN = 64, 16


@pytest.fixture(scope="module")
def world(emulator):
    """Everything as in production; DuckDB's files need a client that takes them."""
    world = World(emulator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            aws, "client", lambda service: Files(emulator.client("s3")) if service == "s3" else world.client(service)
        )
        yield world


@pytest.fixture(scope="module")
def catalogue(world):
    """Images of which the first were shown and clicked on, the last never."""
    found = posted(SHOWN + UNSEEN, peculiar=True)
    yesterday = world.now - DAY
    found = replace(found, images=[ids.new_id(yesterday - 9 * DAY + 3600 * number) for number in range(SHOWN + UNSEEN)])
    put(AccountStore(ACCOUNT), found, yesterday - 9 * DAY)
    rates = 0.25 / (1 + np.exp(-2 * found.appeal[:SHOWN]))
    deliver(track(rates, found.images[:SHOWN], yesterday), yesterday)
    compaction.run(world.now, ACCOUNT)
    return found


def order(world, store, images, model):
    """The images by a ranking of that model, best first."""
    made = ranking.create(store, contract.NewRanking(images=images, model=model), world.now).id
    world.drain()
    seen = ranking.view(store, made)
    assert seen.state == "complete"
    return [entry.image for entry in seen.entries]


def test_clicks_on_a_site_become_a_model_that_ranks_new_images_for_it(world, catalogue):
    store = AccountStore(ACCOUNT)
    request = contract.NewModel(name="clicks", source=contract.TrackedPosts(days=7))
    model = models.create(store, request, world.now).id
    world.drain()
    seen = models.view(store, model)
    unseen, appeal = catalogue.images[SHOWN:], dict(zip(catalogue.images, catalogue.appeal, strict=True))
    ours, everybodys = (order(world, store, unseen, name) for name in (model, "general"))
    assert (seen.state, seen.n) == ("ready", SHOWN)
    assert ours != everybodys
    assert agreement(ours, appeal) > agreement(everybodys, appeal) + 0.2
    assert agreement(ours, appeal) > 0.4


def agreement(images, appeal):
    """Spearman's correlation of an order with what the visitors look for."""
    return spearman(-np.arange(len(images)), np.array([appeal[image] for image in images]))


def test_a_tracked_model_is_looked_at_every_day_and_trained_when_enough_is_new(world, catalogue):
    store = AccountStore(ACCOUNT)
    model = next(each.id for each in models.page(store, contract.Paging()).items if each.kind == "customer")
    retraining.retrain(world.now + 2 * DAY)
    assert [message for message in world.bag.messages if message.kind == "train"] == []
    store.update("model", model, "SET #seen = :few", {"few": SHOWN - 20}, condition="attribute_exists(pk)")
    retraining.retrain(world.now + 4 * DAY)
    world.drain()
    assert store.get("model", model)["number"] == 2
    assert scorers.live(store, model) == scorers.name(model, 1)
    assert models.view(store, model).reason
