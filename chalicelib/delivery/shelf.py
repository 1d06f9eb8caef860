"""The variants in the site bucket, and the row that each has in the table.

A row is written before its object. It is the lock that lets one of many simultaneous first requests render; it keeps a
refusal for a minute, so that a file which cannot be shown is not read again for each view; and it is the list by which
the variants of a deleted original are found.

| variant of          | row                                                                |
|---------------------|--------------------------------------------------------------------|
| an uploaded image   | {account}/image/{id}, sort key variant#{digest of key}             |
| a source original   | {account}/source/{digest of its key}, sort key variant#{...}       |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import aws
from chalicelib.delivery.variant import Original
from chalicelib.errors import BadRequest, NotFound, ProofsheetError, TooLarge, Unavailable, Unprocessable
from chalicelib.settings import settings
from chalicelib.store import AccountStore, ConditionFailed, Item

if TYPE_CHECKING:
    from chalicelib.delivery.render import Rendered

PREFIX = "variant#"
# Longer than any render may take, so that a killed worker's lock ends and a living one's does not.
LOCK_SECONDS = 15
# A row outlives its object, which the bucket keeps for VariantDays, a year at most.
ROW_SECONDS = 400 * 86_400
REFUSED_SECONDS = 60
REFUSALS: dict[int, type[ProofsheetError]] = {kind.STATUS_CODE: kind for kind in (BadRequest, TooLarge, Unprocessable)}
YEAR = 31_536_000
FOREVER = f"public, max-age={YEAR}, immutable"
MISSING = frozenset({"404", "NoSuchKey"})
# Somebody else has just put the same key, or is putting it.
TAKEN = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
DELETED_AT_ONCE = 1000


class Stored(msgspec.Struct, frozen=True):
    """A variant in the bucket.

    size: bytes. body: where this request has just made it.
    animated, transparent: whether the picture was, before it took this format.
    """

    key: str
    etag: str
    size: int
    content_type: str
    animated: bool
    transparent: bool
    body: bytes | None = None


def look(key: str) -> Stored | None:
    try:
        head = aws.s3().head_object(Bucket=settings().site_bucket, Key=key)
    except Exception as error:
        if aws.error_code(error) in MISSING:
            return None
        raise
    traits = head["Metadata"].get("traits", "").split(",")
    return Stored(
        key,
        head["ETag"],
        head["ContentLength"],
        head["ContentType"],
        animated="animated" in traits,
        transparent="transparent" in traits,
    )


def read(stored: Stored) -> bytes:
    """The bytes of a variant. Raises NotFound when it has gone meanwhile."""
    if stored.body is not None:
        return stored.body
    try:
        found: Any = aws.s3().get_object(Bucket=settings().site_bucket, Key=stored.key)
    except Exception as error:
        if aws.error_code(error) in MISSING:
            raise NotFound("This variant has just been deleted.") from error
        raise
    body: bytes = found["Body"].read()
    return body


def put(key: str, rendered: Rendered) -> Stored:
    """Store a variant unless it is there; who comes second finds the first one's bytes, which are as good."""
    traits = [trait for trait in ("animated", "transparent") if getattr(rendered, trait)]
    etag = ""
    try:
        answer = aws.s3().put_object(
            Bucket=settings().site_bucket,
            Key=key,
            Body=rendered.body,
            ContentType=rendered.content_type,
            CacheControl=FOREVER,
            Metadata={"traits": ",".join(traits)},
            IfNoneMatch="*",
        )
        etag = answer["ETag"]
    except Exception as error:
        if aws.error_code(error) not in TAKEN:
            raise
        there = look(key)
        if there is not None:
            return there
    return Stored(
        key,
        etag,
        len(rendered.body),
        rendered.content_type,
        rendered.animated,
        rendered.transparent,
        rendered.body,
    )


def signed_address(key: str, seconds: int, cache_control: str) -> str:
    """An address of S3's own, good for so long; it answers or fails, and never leads back to us."""
    parameters = {"Bucket": settings().site_bucket, "Key": key, "ResponseCacheControl": cache_control}
    return aws.s3().generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)


# Rows


def lock(original: Original, key: str, now: float) -> bool:
    """Whether this request is the one to render; a lock that its owner never gave back ends by itself.

    Raises the refusal that the last one to try was given, for a minute.
    """
    store, kind, name, sk = _row(original, key)
    until = int(now) + LOCK_SECONDS
    values: dict[str, Any] = {"until": until, "now": int(now), "key": key, "expires": int(now) + ROW_SECONDS}
    try:
        store.update(
            kind,
            name,
            "SET #until = :until, #key = :key, #expires = :expires REMOVE #refusal",
            values,
            condition="attribute_not_exists(#until) OR #until <= :now",
            sk=sk,
        )
    except ConditionFailed:
        _raise_refusal(store.get(kind, name, sk))
        return False
    return True


def _raise_refusal(row: Item | None) -> None:
    if row is not None and "refusal" in row:
        status, field, message = msgspec.json.decode(row["refusal"], type=tuple[int, str | None, str])
        raise REFUSALS[status](message, field=field)


def refuse(original: Original, key: str, refusal: ProofsheetError, now: float) -> None:
    """Keep a refusal, instead of giving the lock back; nothing stays of an original that is gone."""
    if isinstance(refusal, NotFound):
        withdraw(original, key)
        return
    if type(refusal) not in REFUSALS.values():
        unlock(original, key)
        return
    store, kind, name, sk = _row(original, key)
    text = msgspec.json.encode([refusal.STATUS_CODE, refusal.field, refusal.message]).decode()
    values = {"until": int(now) + REFUSED_SECONDS, "refusal": text}
    _settle(store, kind, name, sk, "SET #until = :until, #refusal = :refusal", values)


def unlock(original: Original, key: str) -> None:
    store, kind, name, sk = _row(original, key)
    _settle(store, kind, name, sk, "SET #until = :until", {"until": 0})


def _settle(store: AccountStore, kind: str, name: str, sk: str, update: str, values: Item) -> None:
    try:
        store.update(kind, name, update, values, condition="attribute_exists(pk)", sk=sk)
    except ConditionFailed:
        return  # the image was deleted meanwhile, its rows with it


def _row(original: Original, key: str) -> tuple[AccountStore, str, str, str]:
    kind, name = _partition(original)
    return AccountStore(original.account), kind, name, PREFIX + _digest(key)


def _partition(original: Original) -> tuple[str, str]:
    return ("image", original.image) if original.image is not None else ("source", _digest(original.key or ""))


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:32]


# Removal


def remove(keys: list[str]) -> None:
    """Raises Unavailable when S3 has kept some of them, which it says in an answer of 200."""
    for start in range(0, len(keys), DELETED_AT_ONCE):
        objects: Any = [{"Key": key} for key in keys[start : start + DELETED_AT_ONCE]]
        deleting: Any = {"Objects": objects, "Quiet": True}
        if aws.s3().delete_objects(Bucket=settings().site_bucket, Delete=deleting).get("Errors"):
            raise Unavailable("Not everything could be deleted; try again.")


def withdraw(original: Original, key: str) -> None:
    """Take back a variant whose original has been deleted meanwhile."""
    remove([key])
    store, kind, name, sk = _row(original, key)
    store.delete(kind, name, sk)


def remove_all(original: Original) -> None:
    """Every variant of an original, and their rows."""
    store, (kind, name) = AccountStore(original.account), _partition(original)
    rows = store.partition(kind, name, PREFIX)
    remove([row["key"] for row in rows])
    for row in rows:
        store.delete(kind, name, row["sk"])
