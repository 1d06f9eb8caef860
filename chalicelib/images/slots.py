"""Upload slots: a presigned POST for each announced file, so that pixels go straight to S3 and never through Lambda."""

from __future__ import annotations

from typing import Any

from chalicelib import aws, contract, ids, log
from chalicelib.errors import TooLarge, UnsupportedType
from chalicelib.images import record
from chalicelib.images.limits import MAX_BYTES
from chalicelib.settings import settings
from chalicelib.store import AccountStore

SLOT_SECONDS = 3600
# After the slot has expired, an upload that was begun in time may still be on its way.
GRACE_SECONDS = 300


def open_slots(store: AccountStore, request: contract.NewImages, now: float) -> contract.Slots:
    """One image record and one presigned POST for each file; all files are checked before the first is recorded."""
    for index, file in enumerate(request.files):
        _check(file, f"files[{index}]")
    return contract.Slots(items=[_open(store, file, request, now) for file in request.files])


def _check(file: contract.NewFile, field: str) -> None:
    if file.content_type not in contract.IMAGE_TYPES:
        raise UnsupportedType(f"{file.content_type or 'An empty type'} is not accepted.", field=f"{field}.content_type")
    if file.size > MAX_BYTES:
        raise TooLarge("An image takes at most 25 MB.", field=f"{field}.size")


def _open(store: AccountStore, file: contract.NewFile, request: contract.NewImages, now: float) -> contract.Slot:
    image = ids.new_id(now)
    item: dict[str, Any] = {
        "id": image,
        "name": file.name,
        "collection": request.collection,
        "state": "awaiting_upload",
        "created_at": record.timestamp(now),
        "use_queue": request.use_queue,
        "attempts": 0,
        # S3's event knows nothing of the request that the upload belongs to; ingest takes it up from here.
        "correlation": log.current_correlation(),
        "scores": {},
        "list_pk": store.pk("image"),
        "list_sk": image,
        "collection_pk": store.pk("image", request.collection) if request.collection else None,
        **record.due(image, now + SLOT_SECONDS + GRACE_SECONDS),
    }
    store.put("image", image, item, new=True)
    return contract.Slot(id=image, state="awaiting_upload", upload=_presign(store.account, image, file, now))


def _presign(account: str, image: str, file: contract.NewFile, now: float) -> contract.Upload:
    post = aws.s3().generate_presigned_post(
        Bucket=settings().media_bucket,
        Key=record.original_key(account, image),
        Fields={"Content-Type": file.content_type},
        Conditions=[
            {"Content-Type": file.content_type},
            ["content-length-range", file.size, file.size],
        ],
        ExpiresIn=SLOT_SECONDS,
    )
    return contract.Upload(
        url=post["url"], fields=dict(post["fields"]), expires_at=record.timestamp(now + SLOT_SECONDS)
    )
