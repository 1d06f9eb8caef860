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
    """Compute one property of one image. After the last attempt the image fails, and the message goes to the DLQ.

    The record is not read first: its one update decides whether the result is still wanted.
    """
    store, image = AccountStore(message["account"]), message["image"]
    try:
        values, etag = compute(prop, store.account, image)
    except Exception:
        if store.get("image", image) is None:
            return  # deleted meanwhile, and its working copy with it
        if attempt >= LAST_ATTEMPT:
            lifecycle.give_up(store, image, prop)
        raise
    lifecycle.complete(store, image, prop, values, etag)


def compute(prop: str, account: str, image: str) -> tuple[dict[str, Any], str]:
    """The property's values, and the ETag of the original whose working copy gave them."""
    from chalicelib.features.photo import Photo

    found = aws.s3().get_object(Bucket=settings().media_bucket, Key=record.working_key(account, image))
    size = {side: int(found["Metadata"][side]) for side in ("width", "height")}
    values = features.extract(prop, Photo.open(found["Body"].read(), **size))
    log.metric("PropertyComputed", property=prop)
    return values, found["Metadata"]["etag"]
