"""Everything that a model can come to, each handler in its own role: for `test_permissions`."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from chalicelib import contract
from chalicelib.images import record
from chalicelib.scoring import rescoring, scorers, worker
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from chalicelib.tracking import labels
from chalicelib.training import models, retraining, storage, uploads
from tests.pipeline.posted import DAY, posted, put


def learn(world: Any, mine: AccountStore, scored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model from a file, better with more posts, taken back, deleted; each time the images' scores follow."""
    monkeypatch.setattr(rescoring, "PAGE", 1)
    found = posted(55)
    put(mine, found, world.now - 60 * DAY)
    items = found.items(world.now)
    model = models.create(
        mine, new_model(upload(world, mine, [*items[:30], {"image": "x", "engagement": 1}])), world.now
    )
    world.drain()
    with world.guard.running("plan_scores"):
        worker.plan(mine.account, scored)
    world.drain()
    assert len(models.problems(mine, model.id, contract.ProblemQuery()).items) == 1
    more = contract.Posts(msgspec.convert(items[30:], list[contract.NewPost]))
    models.train(mine, model.id, contract.NewTraining(more), world.now)
    world.bag.messages.clear()
    world.look(retraining.START_SECONDS + 60)
    world.drain()
    assert models.view(mine, model.id).version == 2
    take_back_and_delete(world, mine, model.id, scored)
    learn_from_clicks(world, mine)


def upload(world: Any, mine: AccountStore, items: list[dict[str, Any]]) -> contract.UploadedPosts:
    data = b"\n".join(json.dumps(item).encode() for item in items)
    slot = uploads.open_slot(mine, contract.NewDataSet(name="a", format="jsonl", size=len(data)), world.now)
    world.put(storage.uploaded(mine.account, slot.id), data)
    return contract.UploadedPosts(slot.id)


def take_back_and_delete(world: Any, mine: AccountStore, model: str, scored: str) -> None:
    models.roll_back(mine, model, world.now)
    world.drain()
    assert [own.version for own in models.page(mine, contract.Paging()).items if own.id == model] == [3]
    assert scorers.name(model, 3) in mine.get("image", scored)["scores"]
    models.delete(mine, model, world.now)
    world.drain()
    assert mine.partition("model", model) == []


def learn_from_clicks(world: Any, mine: AccountStore) -> None:
    """A model of tracked images, trained anew when more were shown; its deletion dies, and the trainer finishes it."""
    model = models.create(mine, new_model(contract.TrackedPosts(days=3)), world.now).id
    world.drain()
    cells = [labels.Cell(f"{number:026d}", 1, 100, number) for number in range(1, 31)]
    key = labels.day_key(mine.account, record.timestamp(world.now - DAY)[:10])
    world.put(key, labels.encode(cells), settings().events_bucket)
    with world.guard.running("retrain"):
        retraining.retrain(world.now + DAY + 60)
    world.drain()
    assert models.view(mine, model).n == 30
    mine.update("model", model, "SET #deleting = :one", {"one": 1}, condition="attribute_exists(pk)")
    retraining.wake(mine, {"id": model, "backend": "inline"})
    world.drain()
    assert mine.partition("model", model) == []


def new_model(source: contract.Source) -> contract.NewModel:
    return contract.NewModel(name="mine", source=source)
