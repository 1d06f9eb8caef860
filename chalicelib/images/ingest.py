"""From an uploaded object to a working copy and a processing request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib import aws, log
from chalicelib.features.schema import PROPERTIES
from chalicelib.images import lifecycle, record, removal
from chalicelib.images.limits import MAX_BYTES
from chalicelib.settings import settings
from chalicelib.store import AccountStore, ConditionFailed, Item

if TYPE_CHECKING:
    from chalicelib.images.working_copy import Prepared


def ingest_key(key: str, now: float) -> None:
    """Handle the bucket event for `originals/{account}/{image}`."""
    _, account, image = key.split("/")
    ingest(AccountStore(account), image, now)


def ingest(store: AccountStore, image: str, now: float) -> None:
    """Make the working copy, record what the bytes are, and ask for the properties.

    The event is only a hint: what counts is the object as it is now. A second upload into the same slot replaces the
    image and is processed again; the same event twice asks again for what is still missing, which does no harm.
    """
    item = store.get("image", image)
    with log.correlation((item or {}).get("correlation")):
        _ingest(store, image, item, now)


def _ingest(store: AccountStore, image: str, item: Item | None, now: float) -> None:
    upload = _read(store.account, image)
    if upload is None:
        return
    if item is None:
        aws.s3().delete_object(Bucket=settings().media_bucket, Key=record.original_key(store.account, image))
        return
    if item.get("etag") != upload["ETag"]:
        item = _take(store, image, upload, now)
        current = uploaded(store.account, image)
        if current is None:  # deleted, perhaps before the working copy was written
            removal.delete_objects(store.account, image)
            return
        if current != upload["ETag"]:  # another upload came, and its own event may be over
            ingest(store, image, now)
            return
    if item is not None and item["state"] == "processing":
        lifecycle.request_processing(store, item)


def uploaded(account: str, image: str) -> str | None:
    """The ETag of the original as it is now, or None while there is none."""
    key = record.original_key(account, image)
    try:
        return aws.s3().head_object(Bucket=settings().media_bucket, Key=key)["ETag"]
    except Exception as error:
        if aws.error_code(error) in ("404", "NoSuchKey"):
            return None
        raise


def _read(account: str, image: str) -> dict[str, Any] | None:
    try:
        found = aws.s3().get_object(Bucket=settings().media_bucket, Key=record.original_key(account, image))
    except Exception as error:
        if aws.error_code(error) == "NoSuchKey":
            return None
        raise
    # One byte more than allowed is enough to know that it is too large.
    return {"ETag": found["ETag"], "data": found["Body"].read(MAX_BYTES + 1)}


def _take(store: AccountStore, image: str, upload: dict[str, Any], now: float) -> Item | None:
    from chalicelib.images.working_copy import Unusable, prepare

    try:
        prepared = prepare(upload["data"])
    except Unusable as unusable:
        lifecycle.fail(store, image, str(unusable), etag=upload["ETag"])
        return None
    aws.s3().put_object(
        Bucket=settings().media_bucket,
        Key=record.working_key(store.account, image),
        Body=prepared.jpeg,
        ContentType="image/jpeg",
        CacheControl="private, max-age=3600",
        # With these beside it, a worker needs this object and nothing else.
        Metadata={"width": str(prepared.width), "height": str(prepared.height), "etag": upload["ETag"]},
    )
    try:
        return _record(store, image, upload, prepared, now)
    except ConditionFailed:
        log.info("deleted while it was ingested", image=image)
        removal.delete_objects(store.account, image)
        return None


def _record(store: AccountStore, image: str, upload: dict[str, Any], prepared: Prepared, now: float) -> Item:
    return store.update(
        "image",
        image,
        "SET #state = :processing, #etag = :etag, #pending = :pending, #attempts = :zero, #format = :format, "
        "#width = :width, #height = :height, #bytes = :bytes, #captured_at = :captured, #phash = :phash, "
        "#scores = :scores, #sweep_pk = :sweep_pk, #sweep_at = :sweep_at REMOVE #reason",
        {
            "processing": "processing",
            "etag": upload["ETag"],
            "pending": set(PROPERTIES),
            "zero": 0,
            "format": prepared.format,
            "width": prepared.width,
            "height": prepared.height,
            "bytes": len(upload["data"]),
            "captured": prepared.captured_at or "",
            "phash": prepared.phash,
            "scores": {},
            **record.due(image, now + record.PATIENCE_SECONDS),
        },
        condition="attribute_exists(pk)",
    )
