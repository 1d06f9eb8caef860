"""The report of an import: every row that was not stored, as JSON lines in the media bucket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from chalicelib import aws
from chalicelib.settings import settings

URL_SECONDS = 3600
PIECE_BYTES = 8 * 1024 * 1024  # of a multipart upload, whose pieces have at least 5 MB


class Problem(msgspec.Struct, frozen=True):
    """line: of the file, from 1, which is the header. field: the column."""

    line: int
    id: str | None
    field: str | None
    reason: str


def folder(account: str, name: str) -> str:
    return f"imported/{account}/{name}/"


def report(account: str, name: str) -> str:
    return f"{folder(account, name)}problems.jsonl"


def write(account: str, name: str, place: int, problems: list[Problem]) -> None:
    """The problems of the part at this place; the same again changes nothing."""
    if not problems:
        return
    data = b"".join(msgspec.json.encode(each) + b"\n" for each in problems)
    aws.s3().put_object(Bucket=settings().media_bucket, Key=_part(account, name, place), Body=data)


def _part(account: str, name: str, place: int) -> str:
    return f"{folder(account, name)}parts/{place:012}.jsonl"


def join(account: str, name: str) -> None:
    """All parts as one report, of which a few megabytes at a time are in memory. Safe to repeat."""
    bucket, key = settings().media_bucket, report(account, name)
    pieces = _pieces(_parts(account, name))
    first = next(pieces, None)
    if first is None:
        return
    upload: Any = aws.s3().create_multipart_upload(Bucket=bucket, Key=key, ContentType="application/x-ndjson")
    where = {"Bucket": bucket, "Key": key, "UploadId": upload["UploadId"]}
    sent = [_send(where, 1, first)]
    sent += [_send(where, number, piece) for number, piece in enumerate(pieces, 2)]
    aws.s3().complete_multipart_upload(**where, MultipartUpload={"Parts": sent})


def _send(where: dict[str, str], number: int, piece: bytes) -> Any:
    answer: Any = aws.s3().upload_part(**where, PartNumber=number, Body=piece)  # type: ignore[arg-type]
    return {"PartNumber": number, "ETag": answer["ETag"]}


def _pieces(parts: Iterator[bytes]) -> Iterator[bytes]:
    buffer = b""
    for part in parts:
        buffer += part
        if len(buffer) >= PIECE_BYTES:
            yield buffer
            buffer = b""
    if buffer:
        yield buffer


def _parts(account: str, name: str) -> Iterator[bytes]:
    bucket, prefix, after = settings().media_bucket, f"{folder(account, name)}parts/", ""
    while True:
        page: Any = aws.s3().list_objects_v2(Bucket=bucket, Prefix=prefix, StartAfter=after)
        keys = [each["Key"] for each in page.get("Contents", [])]
        for key in keys:
            yield aws.s3().get_object(Bucket=bucket, Key=key)["Body"].read()
        if not keys:
            return
        after = keys[-1]


def url(account: str, name: str) -> str:
    """Good for an hour."""
    where = {"Bucket": settings().media_bucket, "Key": report(account, name)}
    return aws.s3().generate_presigned_url("get_object", Params=where, ExpiresIn=URL_SECONDS)
