"""A customer's model as its release leaves it, small enough for hundreds of schedules."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from chalicelib import contract, ids, ranking
from chalicelib.images import record, slots
from chalicelib.scoring import scorers, worker
from chalicelib.scoring.model import Model, general
from chalicelib.settings import settings
from chalicelib.store import AccountStore, ConditionFailed
from chalicelib.training import storage
from tests.pipeline.inprocess import Emulator
from tests.pipeline.world import Killed, Message, World

COMPONENTS, SUPPORTS = 4, 12


@lru_cache
def trained(number: int) -> Model:
    """The general model of a few components and support vectors; each number's predicts other labels."""
    model = general()
    axes = model.compression.axes
    support = np.delete(model.machine.support[:SUPPORTS], np.s_[COMPONENTS : axes.shape[1]], axis=1)
    weights = model.machine.weights[:SUPPORTS] * np.random.default_rng(number).normal(1, 0.5, SUPPORTS)
    return replace(
        model,
        compression=replace(model.compression, axes=axes[:, :COMPONENTS]),
        machine=replace(model.machine, support=support, weights=weights, intercept=np.asarray(float(number))),
        domain=replace(model.domain, places=model.domain.places[:SUPPORTS, :COMPONENTS]),
    )


@lru_cache
def artifact(number: int) -> bytes:
    return trained(number).dump()


def new_model(store: AccountStore, now: float) -> str:
    """A model that no version of is released yet."""
    model = ids.new_id(now)
    store.put("model", model, {"id": model, "state": "queued"})
    return model


def release(store: AccountStore, model: str, version: int, *, trained_as: int | None = None, **row: Any) -> str:
    """Put a version in the place of the one before; its scorer. trained_as: another's artifact, as after a rollback."""
    data = artifact(version if trained_as is None else trained_as)
    storage.write(artifact_key(store, model, version), data)
    version_row = {"number": version, "state": "ready", "backend": "inline", "sha256": hashlib.sha256(data).hexdigest()}
    store.put("model", model, {**version_row, **row}, sk=f"version#{version:06d}")
    scorer = scorers.name(model, version)
    store.put("models", "", {"scorers": scorers.live_all(store) | {model: scorer}}, sk="live")
    return scorer


def artifact_key(store: AccountStore, model: str, version: int) -> str:
    return storage.folder(store.account, model, version) + storage.MODEL


def delete(store: AccountStore, model: str) -> None:
    """What deleting a model does before its scores are removed."""
    rest = {each: scorer for each, scorer in scorers.live_all(store).items() if each != model}
    store.put("models", "", {"scorers": rest}, sk="live")
    store.delete_partition("model", model)


def open_slots(world, store, count=2):
    files = [contract.NewFile(name=f"{number}.jpg", content_type="image/jpeg", size=100) for number in range(count)]
    return [slot.id for slot in slots.open_slots(store, contract.NewImages(files=files), world.now).items]


def upload(world, store, photos):
    """Images of these photos, processed and scored."""
    images = open_slots(world, store, len(photos))
    for image, data in zip(images, photos, strict=True):
        world.upload(store.account, image, data)
    world.drain()
    return images


def settle(world):
    """Let the sweeper mend what died between a write and its event."""
    for _ in range(record.ATTEMPTS):
        if world.overdue(record.PATIENCE_SECONDS):
            world.sweep(record.PATIENCE_SECONDS)


def rank(world, store, images, model):
    return ranking.create(store, contract.NewRanking(images=images, model=model), world.now).id


def kept(store, image):
    """The scorers whose scores the image keeps."""
    return set(store.get("image", image)["scores"])


def vector_of(store, image):
    """Features of an image, (1, d)."""
    return worker.training_record(store, store.get("image", image), "any").vector[None]


def expected(store, image, number):
    """The predicted label of an image by the model trained under this number."""
    return trained(number).score(vector_of(store, image))[0].value


def values(store, identifier):
    """Predicted labels by image, as the ranking keeps them."""
    rows = [row for row in store.partition("ranking", identifier) if "entry" in row]
    return {row["image"]: msgspec.json.decode(row["entry"]).get("value") for row in rows}


def records(world, image):
    pages = (
        world.client("s3").get_paginator("list_objects_v2").paginate(Bucket=settings().media_bucket, Prefix="records/")
    )
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    return [key.rsplit("/", 1)[1] for key in keys if image in key]


class PatientWorld(World):
    """Queues that bring a message as often as it takes: nothing is lost, however often its worker dies."""

    def __init__(self, emulator: Emulator, seed: int):
        super().__init__(emulator, seed)
        self.reach = 20

    def handle(self, message: Message) -> bool:
        try:
            return super().handle(message)
        except (Killed, ConditionFailed):
            message.deliveries = 1
            raise
