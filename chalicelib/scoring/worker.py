"""From a processed image to its score: which models want it, the training record, the score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import aws, bus, log
from chalicelib.features import schema
from chalicelib.images import lifecycle, record
from chalicelib.settings import settings
from chalicelib.store import AccountStore, ConditionFailed, Item

if TYPE_CHECKING:
    from chalicelib.scoring.model import Score
    from chalicelib.scoring.record import TrainingRecord

GENERAL = "general"
LAST_ATTEMPT = 3
UNSCORED = f"#state = :ready AND attribute_not_exists(#scores.#{GENERAL})"


def plan(account: str, image: str) -> None:
    """Queue one score for the general model and one for each model whose ranking waits for this image."""
    wishes = AccountStore(account).partition("image", image, "ranking#")
    for model in sorted({GENERAL} | {wish["model"] for wish in wishes}):
        bus.deliver("score", {"account": account, "image": image, "model": model})


def score(message: dict[str, Any], attempt: int) -> None:
    """Score one image by one model, record it and say so. Twice gives the same score twice."""
    store, image, model = AccountStore(message["account"]), message["image"], message["model"]
    item = store.get("image", image)
    if item is None or item["state"] != "ready":
        return
    try:
        result = _score(store, item, model)
    except Exception:
        if attempt >= LAST_ATTEMPT and model == GENERAL:
            reason = "The score of this image could not be computed."
            lifecycle.fail(store, image, reason, condition=UNSCORED, ready="ready")
        raise
    _record(store, image, model, result)


def _score(store: AccountStore, item: Item, model: str) -> Score:
    from chalicelib.scoring.model import load_model

    training = training_record(store, item, model)
    aws.s3().put_object(
        Bucket=settings().media_bucket,
        Key=record.record_key(store.account, item["id"], model),
        Body=training.encode(),
        ContentType="application/json",
    )
    return load_model(model).score(training.vector[None])[0]


def training_record(store: AccountStore, item: Item, model: str) -> TrainingRecord:
    import numpy as np

    from chalicelib.scoring.record import TrainingRecord

    properties: dict[str, Any] = record.properties(item)
    embedding = store.get("image", item["id"], lifecycle.embedding_row(item["etag"]))
    if embedding is None:
        raise LookupError(f"image {item['id']} has no embedding")
    properties["content"]["embedding"] = np.frombuffer(embedding["embedding"], "<f2").astype(np.float32)
    return TrainingRecord(
        schema=schema.SCHEMA_VERSION, model=model, image=item["id"], vector=schema.vector(properties), label=None
    )


def _record(store: AccountStore, image: str, model: str, result: Score) -> None:
    settled = " REMOVE #sweep_pk, #sweep_at" if model == GENERAL else ""
    try:
        store.update(
            "image",
            image,
            f"SET #scores.#{model} = :score{settled}",
            {"score": msgspec.json.encode(result), "ready": "ready"},
            condition="#state = :ready",
        )
    except ConditionFailed:  # deleted, or being processed again: the next "Image Processed" scores it
        if store.get("image", image) is None:
            key = record.record_key(store.account, image, model)
            aws.s3().delete_object(Bucket=settings().media_bucket, Key=key)
        return
    log.metric("ImageScored", model=model)
    bus.publish(bus.ImageScored(store.account, image, model))
