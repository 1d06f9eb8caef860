"""Files of posts: a presigned POST, so that they go straight to S3; a model reads them when it is trained."""

from __future__ import annotations

from typing import Any

from chalicelib import aws, contract, ids
from chalicelib.errors import Conflict, NotFound, TooLarge
from chalicelib.images.record import timestamp
from chalicelib.settings import settings
from chalicelib.store import AccountStore, Item
from chalicelib.training import storage

SLOT_SECONDS = 3600
# As long as the bucket keeps the file.
ROW_SECONDS = 7 * 86_400
CONTENT_TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}


def open_slot(store: AccountStore, request: contract.NewDataSet, now: float) -> contract.DataSetSlot:
    """A record of the file, and the form that takes it: of this size and no other."""
    if request.size > contract.MAX_DATASET_BYTES:
        raise TooLarge("A file of posts takes at most 32 MB.", field="size")
    dataset = ids.new_id(now)
    item: Item = {
        "id": dataset,
        "name": request.name,
        "format": request.format,
        "created_at": timestamp(now),
        "expires": int(now) + ROW_SECONDS,
    }
    store.put("dataset", dataset, item, new=True)
    return contract.DataSetSlot(id=dataset, upload=_presign(store.account, dataset, request, now))


def _presign(account: str, dataset: str, request: contract.NewDataSet, now: float) -> contract.Upload:
    content_type = CONTENT_TYPES[request.format]
    conditions: Any = [{"Content-Type": content_type}, ["content-length-range", request.size, request.size]]
    post = aws.s3().generate_presigned_post(
        Bucket=settings().media_bucket,
        Key=storage.uploaded(account, dataset),
        Fields={"Content-Type": content_type},
        Conditions=conditions,
        ExpiresIn=SLOT_SECONDS,
    )
    expires_at = timestamp(now + SLOT_SECONDS)
    return contract.Upload(url=post["url"], fields=dict(post["fields"]), expires_at=expires_at)


def format_of(store: AccountStore, dataset: str) -> str:
    """The format of a data set. Raises NotFound for an unknown one, Conflict while nothing has been uploaded."""
    item = store.get("dataset", dataset)
    if item is None:
        raise NotFound("There is no such data set.", field="source.dataset")
    if not storage.exists(storage.uploaded(store.account, dataset)):
        raise Conflict("Nothing has been uploaded to this data set yet.", field="source.dataset")
    return str(item["format"])
