"""What happens to an image: processing requested, a property completed, failed, deleted.

Every step is one conditional update, safe to run twice and in any order. The set `pending` shrinks once for each
property; one conditional update turns an image without pending properties `ready`, and only its winner publishes.
A crash between an update and its publish is mended by the sweeper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from chalicelib import bus, contract
from chalicelib.errors import Conflict, NotFound
from chalicelib.features.schema import PROPERTIES
from chalicelib.images import record
from chalicelib.store import AccountStore, ConditionFailed, Item

EXTRAS = ("labels", "palette", "boxes")


def get(store: AccountStore, image: str) -> Item:
    item = store.get("image", image)
    if item is None:
        raise NotFound("There is no such image.")
    return item


def request_processing(store: AccountStore, item: Item) -> None:
    """Ask for every property that is still pending."""
    pending = tuple(sorted(item.get("pending", ())))
    if pending:
        bus.publish(bus.ProcessImageRequest(store.account, item["id"], pending, item.get("use_queue", True)))
    else:
        finish(store, item["id"])


def process_again(store: AccountStore, image: str, request: contract.Process, now: float) -> contract.Accepted:
    """Compute properties anew, of a failed image all; Conflict while there is no usable upload to compute from."""
    item = get(store, image)
    if "width" not in item:
        raise Conflict(f"The image is {item['state']}: there is nothing to process.")
    wanted = PROPERTIES if item["state"] == "failed" else request.properties
    item = store.update(
        "image",
        image,
        "SET #state = :processing, #use_queue = :use_queue, #attempts = :zero, #sweep_pk = :sweep_pk, "
        "#sweep_at = :sweep_at REMOVE #reason ADD #pending :pending",
        {
            "processing": "processing",
            "use_queue": request.use_queue,
            "zero": 0,
            "pending": set(wanted),
            **record.due(image, now + record.PATIENCE_SECONDS),
        },
        condition="attribute_exists(pk)",
    )
    request_processing(store, item)
    return contract.Accepted(id=image, state=item["state"])


def route(event: Mapping[str, Any]) -> None:
    """Hand each requested property to its worker."""
    for prop in event["properties"]:
        payload = {"account": event["account"], "image": event["image"]}
        bus.deliver(prop, payload, use_queue=event["use_queue"])


def complete(store: AccountStore, image: str, prop: str, values: Mapping[str, Any], etag: str) -> None:
    """Record one property; when it was the last, the image is ready and "Image Processed" goes out once.

    etag: of the original that the values come from. When another upload has replaced it, they are dropped.
    """
    embedding = embedding_row(etag)
    if "embedding" in values:
        store.put("image", image, {"embedding": values["embedding"].astype("<f2").tobytes()}, sk=embedding)
    extras = {name: msgspec.json.encode(values[name]) for name in EXTRAS if name in values}
    sets = "".join(f", #{name} = :{name}" for name in extras)
    try:
        item = store.update(
            "image",
            image,
            f"SET #{prop} = :floats{sets} DELETE #pending :done",
            {"floats": record.pack(prop, values), "done": {prop}, "processing": "processing", "etag": etag, **extras},
            condition="#state = :processing AND #etag = :etag",
        )
    except ConditionFailed:
        if store.get("image", image) is None:
            store.delete("image", image, embedding)
        return  # deleted, failed, replaced, or ready long ago: a redelivery
    if not item.get("pending"):
        finish(store, image)


def embedding_row(etag: str) -> str:
    """The sort key of an image's embedding: one for each upload, so that a late worker cannot mix two."""
    return f"embedding#{etag}"


def finish(store: AccountStore, image: str) -> None:
    """Turn an image without pending properties ready; only the update that does so publishes."""
    try:
        store.update(
            "image",
            image,
            "SET #state = :ready",
            {"ready": "ready", "processing": "processing"},
            condition="#state = :processing AND attribute_not_exists(#pending)",
        )
    except ConditionFailed:
        return
    bus.publish(bus.ImageProcessed(store.account, image))


def give_up(store: AccountStore, image: str, prop: str) -> None:
    """A property cannot be computed: the image ends, unless another delivery has done it meanwhile."""
    reason = f"The {prop} of this image could not be computed."
    condition = "#state = :processing AND contains(#pending, :prop)"
    fail(store, image, reason, condition=condition, processing="processing", prop=prop)


def fail(
    store: AccountStore,
    image: str,
    reason: str,
    *,
    condition: str = "attribute_exists(pk)",
    etag: str | None = None,
    **seen: str,
) -> None:
    """End an image with a reason a person understands, and tell the rankings that wait for it.

    condition: what must still be so, with its values in `seen`; another worker may have moved the image on.
    etag: of the upload that cannot be used.
    """
    # An upload that cannot be used takes the place of the one before: nothing is left to process again.
    set_etag, remove_size = (", #etag = :etag", ", #width, #height") if etag else ("", "")
    try:
        store.update(
            "image",
            image,
            f"SET #state = :failed, #reason = :reason{set_etag} REMOVE #pending, #sweep_pk, #sweep_at{remove_size}",
            {"failed": "failed", "reason": reason, "etag": etag, **seen},
            condition=condition,
        )
    except ConditionFailed:
        return
    bus.publish(bus.ImageScored(store.account, image, model=""))
