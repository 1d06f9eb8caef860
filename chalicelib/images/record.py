"""The record of an image: its states, how its numbers are packed, and how a caller sees it.

awaiting_upload ──upload──> processing ──last property──> ready
       │                        │
       └──── nothing came ──────┴──── cannot be used ────> failed (with a reason)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import aws, contract
from chalicelib.features import schema
from chalicelib.settings import settings
from chalicelib.store import Item, sweep_shard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

URL_SECONDS = 3600
# How long something may stand still before the sweeper looks at it, and how often it tries again.
PATIENCE_SECONDS = 120
ATTEMPTS = 5


def original_key(account: str, image: str) -> str:
    return f"originals/{account}/{image}"


def working_key(account: str, image: str) -> str:
    return f"working/{account}/{image}.jpg"


def record_prefix(account: str, image: str) -> str:
    return f"records/{account}/{image}/"


def record_key(account: str, image: str, model: str) -> str:
    return f"{record_prefix(account, image)}{model}.json"


def timestamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def due(image: str, at: float) -> Item:
    """The attributes that make the sweeper look at this image at that time (Unix seconds)."""
    return {"sweep_pk": sweep_shard(image), "sweep_at": int(at)}


def pack(prop: str, floats: Mapping[str, Any]) -> bytes:
    """The property's scalars in schema order: a version byte, then 32-bit floats; a fifth of the same as text."""
    values = [floats[name] for name in schema.names(prop)]
    return struct.pack(f"<B{len(values)}f", schema.SCHEMA_VERSION, *values)


def unpack(prop: str, packed: bytes) -> dict[str, float] | None:
    """The scalars by name, or None if another version of the schema packed them."""
    names = schema.names(prop)
    if packed[0] != schema.SCHEMA_VERSION or len(packed) != 1 + 4 * len(names):
        return None
    values = struct.unpack(f"<{len(names)}f", packed[1:])
    return {name: float(f"{value:.6g}") for name, value in zip(names, values, strict=True)}


def properties(item: Item) -> dict[str, dict[str, Any]]:
    """All properties computed so far, by name."""
    found = {}
    for prop in schema.PROPERTIES:
        scalars = unpack(prop, item[prop]) if prop in item else None
        if scalars is not None:
            found[prop] = {**scalars, **({"boxes": _json(item, "boxes", [])} if prop == "faces" else {})}
    return found


def vector(item: Item, embedding: bytes) -> NDArray[np.float32]:
    """All features of a ready image, (d,). Raises KeyError for one that another version of the schema packed."""
    import numpy as np

    found: dict[str, Any] = properties(item)
    found["content"]["embedding"] = np.frombuffer(embedding, "<f2")
    return schema.vector(found)


def scores(item: Item) -> dict[str, dict[str, Any]]:
    """The scores by scorer, as scoring wrote them."""
    return {scorer: msgspec.json.decode(text) for scorer, text in item.get("scores", {}).items()}


def latest_scores(item: Item) -> dict[str, dict[str, Any]]:
    """The scores by model, each by the newest of its versions that has scored the image."""
    from chalicelib.scoring import scorers  # which no cold start pays for: this module is at the edge, too

    known = scores(item)
    return {model: known[scorer] for model, scorer in scorers.newest(known).items()}


def view(account: str, item: Item) -> contract.Image:
    return contract.Image(
        id=item["id"],
        name=item["name"],
        collection=item.get("collection"),
        state=item["state"],
        reason=item.get("reason"),
        format=item.get("format"),
        width=item.get("width"),
        height=item.get("height"),
        bytes=item.get("bytes"),
        captured_at=item.get("captured_at") or None,
        created_at=item["created_at"],
        properties=properties(item),
        labels=msgspec.convert(_json(item, "labels", []), list[contract.Label]),
        palette=msgspec.convert(_json(item, "palette", []), list[contract.Swatch]),
        scores={model: score_view(score) for model, score in latest_scores(item).items()},
        urls=urls(account, item["id"], shown=item["state"] in ("processing", "ready")),
    )


def score_view(score: dict[str, Any]) -> contract.ScoreView:
    return contract.ScoreView(
        score=score["score"],
        interval=(score["low"], score["high"]),
        domain=score["domain"],
        reasons=msgspec.convert(score["reasons"], list[contract.Reason]),
    )


def urls(account: str, image: str, *, shown: bool) -> contract.Urls:
    if not shown:
        return contract.Urls(preview=None, original=None)
    return contract.Urls(preview=_signed(working_key(account, image)), original=_signed(original_key(account, image)))


def _signed(key: str) -> str:
    return aws.s3().generate_presigned_url(
        "get_object", Params={"Bucket": settings().media_bucket, "Key": key}, ExpiresIn=URL_SECONDS
    )


def _json(item: Item, name: str, default: Any) -> Any:
    return msgspec.json.decode(item[name]) if name in item else default
