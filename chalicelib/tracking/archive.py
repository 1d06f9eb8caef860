"""Raw events in S3, as they came: gzip JSON lines under Hive-style partitions.

    raw/account={account}/dt=2026-11-22/hour=10/{digest of the batch}.json.gz     by the time of arrival, UTC

A batch that SQS delivers again is written under the same key with the same bytes. Delivered again in other company it
becomes another object with the same events, which compaction drops by their ids.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from chalicelib import aws
from chalicelib.settings import settings

# Text of events shrinks to a tenth at the quickest level, and to little less at the best.
LEVEL = 1


def batch_digest(message_ids: Iterable[str]) -> str:
    from hashlib import blake2b

    return blake2b("\n".join(sorted(message_ids)).encode(), digest_size=10).hexdigest()


def raw_key(account: str, received: int, batch: str) -> str:
    """received: any time in the hour, Unix seconds."""
    from datetime import UTC, datetime

    hour = datetime.fromtimestamp(received, UTC)
    return f"raw/account={account}/dt={hour:%Y-%m-%d}/hour={hour:%H}/{batch}.json.gz"


def packed(rows: Iterable[msgspec.Raw | bytes]) -> bytes:
    """JSON texts as gzip JSON lines; the same rows give the same bytes."""
    import gzip

    return gzip.compress(b"\n".join(rows) + b"\n", LEVEL, mtime=0)


def put(key: str, body: bytes) -> None:
    aws.s3().put_object(Bucket=settings().events_bucket, Key=key, Body=body, ContentType="application/gzip")


def get(key: str) -> list[bytes]:
    """The JSON texts of an object, or none if it is gone."""
    import gzip

    body = aws.read_object(settings().events_bucket, key)
    return gzip.decompress(body).splitlines() if body is not None else []
