"""Where an original lies in S3, which version of it is there now, and its bytes.

| original                    | bucket           | key                             |
|-----------------------------|------------------|---------------------------------|
| an uploaded image           | the media bucket | originals/{account}/{image}     |
| a key of the account's own  | SourceBucket     | SourcePrefix + the key          |
"""

from __future__ import annotations

from typing import Any

import msgspec

from chalicelib import aws
from chalicelib.delivery.variant import Original
from chalicelib.errors import NotFound, TooLarge, Unavailable
from chalicelib.images.limits import MAX_BYTES
from chalicelib.images.record import original_key
from chalicelib.settings import settings

VERSION_LENGTH = 8
# Begins the versions of source originals that we gave out; a site's own begin with anything else.
OURS = "-"
MISSING = frozenset({"404", "NoSuchKey", "NoSuchBucket"})


class Found(msgspec.Struct, frozen=True):
    """An original as it is in S3 now. size: bytes."""

    bucket: str
    key: str
    etag: str
    size: int

    @property
    def version(self) -> str:
        """What stands for these bytes in an address: the beginning of S3's ETag, a source's with a mark before it."""
        mark = "" if self.bucket == settings().media_bucket else OURS
        return mark + self.etag.strip('"')[:VERSION_LENGTH]


def place(original: Original) -> tuple[str, str]:
    """Bucket and key. Raises NotFound for a source that this account does not have."""
    if original.image is not None:
        return settings().media_bucket, original_key(original.account, original.image)
    if not settings().source_bucket or original.account != settings().source_account:
        raise NotFound("There is no such original.")
    return settings().source_bucket, f"{settings().source_prefix}{original.key}"


def find(original: Original) -> Found:
    """Raises NotFound."""
    bucket, key = place(original)
    try:
        head = aws.s3().head_object(Bucket=bucket, Key=key)
    except Exception as error:
        raise _missing(error) from error
    return Found(bucket, key, head["ETag"], head["ContentLength"])


def read(found: Found) -> bytes:
    """The bytes of this very version. Raises NotFound, TooLarge, or Unavailable while it is being replaced."""
    if found.size > MAX_BYTES:
        raise TooLarge(f"The original has {found.size / 1e6:.1f} MB; the limit is {MAX_BYTES / 1e6:.0f}.")
    try:
        answer: Any = aws.s3().get_object(Bucket=found.bucket, Key=found.key, IfMatch=found.etag)
    except Exception as error:
        if aws.error_code(error) in ("412", "PreconditionFailed"):
            raise Unavailable("The original is being replaced; try again in a moment.") from error
        raise _missing(error) from error
    data: bytes = answer["Body"].read()
    return data


def _missing(error: Exception) -> Exception:
    return NotFound("There is no such original.") if aws.error_code(error) in MISSING else error
