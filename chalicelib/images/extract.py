"""The worker of one property: working copy in, named floats recorded."""

from __future__ import annotations

from typing import Any

from chalicelib import aws, features, log
from chalicelib.images import lifecycle, record
from chalicelib.settings import settings
from chalicelib.store import AccountStore

# The queue's redrive policy moves a message to the dead-letter queue after this many deliveries.
LAST_ATTEMPT = 3


def extract(prop: str, message: dict[str, Any], attempt: int) -> None:
    """Compute one property of one image. After the last attempt the image fails, and the message goes to the DLQ."""
    store, image = AccountStore(message["account"]), message["image"]
    item = store.get("image", image)
    if item is None or item["state"] != "processing":
        return
    if prop not in item.get("pending", ()):
        lifecycle.request_processing(store, item)
        return
    try:
        values = compute(prop, store.account, image, item["width"], item["height"])
    except Exception:
        if attempt >= LAST_ATTEMPT:
            lifecycle.fail(store, image, f"The {prop} of this image could not be computed.")
        raise
    lifecycle.complete(store, image, prop, values)


def compute(prop: str, account: str, image: str, width: int, height: int) -> dict[str, Any]:
    from chalicelib.features.photo import Photo

    key = record.working_key(account, image)
    jpeg = aws.s3().get_object(Bucket=settings().media_bucket, Key=key)["Body"].read()
    values = features.extract(prop, Photo.open(jpeg, width, height))
    log.metric("PropertyComputed", property=prop)
    return values
