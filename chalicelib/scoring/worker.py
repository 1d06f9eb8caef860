"""From a processed image to its scores: which models want it, the training record, the score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import aws, bus, log, ranking
from chalicelib.errors import NotFound
from chalicelib.features import schema
from chalicelib.images import lifecycle, record
from chalicelib.scoring import rescoring, scorers
from chalicelib.settings import settings
from chalicelib.store import AccountStore, ConditionFailed, Item

if TYPE_CHECKING:
    from chalicelib.scoring.model import Score
    from chalicelib.scoring.record import TrainingRecord

GENERAL = "general"
LAST_ATTEMPT = 3
UNSCORED = f"#state = :ready AND attribute_not_exists(#scores.#{GENERAL})"


def plan(account: str, image: str) -> None:
    """Queue one score for the general model, for each live model of the account, and for whatever a ranking pinned."""
    store = AccountStore(account)
    wishes = {wish["model"] for wish in store.partition("image", image, "ranking#")}
    for scorer in sorted({GENERAL} | wishes | set(scorers.live_all(store).values())):
        bus.deliver("score", {"account": account, "image": image, "model": scorer})


def score(message: dict[str, Any], attempt: int) -> None:
    """Score one image by one scorer, `model`; record it and say so. Twice gives the same score twice.

    A deleted model ends the message. One whose endpoint does not answer fails it, so that the queue brings it again.
    """
    store, image, scorer = AccountStore(message["account"]), message["image"], message["model"]
    item = store.get("image", image)
    if item is None or item["state"] != "ready":
        return
    try:
        result = _score(store, item, scorer)
    except NotFound:
        ranking.settle(store, item, scorer, {"reason": "The model was deleted."})
        return
    except Exception:
        if attempt >= LAST_ATTEMPT and scorer == GENERAL:
            reason = "The score of this image could not be computed."
            lifecycle.fail(store, image, reason, condition=UNSCORED, ready="ready")
        raise
    _record(store, image, scorer, result)


def _score(store: AccountStore, item: Item, scorer: str) -> Score:
    model, _version = scorers.split(scorer)
    training = training_record(store, item, model)
    result = scorers.score(store, scorer, training.vector[None])[0]
    aws.s3().put_object(
        Bucket=settings().media_bucket,
        Key=record.record_key(store.account, item["id"], model),
        Body=training.encode(),
        ContentType="application/json",
    )
    return result


def training_record(store: AccountStore, item: Item, model: str) -> TrainingRecord:
    from chalicelib.scoring.record import TrainingRecord

    row = store.get("image", item["id"], lifecycle.embedding_row(item["etag"]))
    if row is None:
        raise LookupError(f"image {item['id']} has no embedding")
    vector = record.vector(item, row["embedding"])
    return TrainingRecord(schema=schema.SCHEMA_VERSION, model=model, image=item["id"], vector=vector, label=None)


def _record(store: AccountStore, image: str, scorer: str, result: Score) -> None:
    model, version = scorers.split(scorer)
    settled = " REMOVE #sweep_pk, #sweep_at" if model == GENERAL else ""
    try:
        item = store.update(
            "image",
            image,
            f"SET #scores.#{scorer} = :score{settled}",
            {"score": msgspec.json.encode(result), "ready": "ready"},
            condition="#state = :ready",
        )
    except ConditionFailed:  # deleted, or being processed again: the next "Image Processed" scores it
        if store.get("image", image) is None:
            key = record.record_key(store.account, image, model)
            aws.s3().delete_object(Bucket=settings().media_bucket, Key=key)
        return
    if version:
        # Now, while the score is at hand: a newer version's may take its place on the image before the event is read.
        ranking.settle(store, item, scorer, msgspec.to_builtins(result))
        rescoring.follow(store, item, scorer)
    log.metric("ImageScored", model="customer" if version else model)
    bus.publish(bus.ImageScored(store.account, image, model))
