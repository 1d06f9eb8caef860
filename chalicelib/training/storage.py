"""What a model leaves in the media bucket, `models/{account}/{model}/{number}/`, one folder for each version.

| object         | what                                                    | lives as long as |
|----------------|---------------------------------------------------------|------------------|
| posts.json     | every post that the model was given so far              | the model        |
| problems.jsonl | those that could not be used, with reasons              | the model        |
| model.npz      | the model                                               | the model        |
| work/          | items.json, posts as the request had them;              | the training     |
|                | dataset.npz, what the model learns from                 |                  |
| training/      | what SageMaker's training job reads                     | the training     |
| sagemaker/     | what its endpoint reads, see `sagemaker`                | the endpoint     |

An uploaded file, `datasets/{account}/{id}`, is kept for a week.
"""

from __future__ import annotations

from typing import Any

from chalicelib import aws
from chalicelib.errors import Unavailable
from chalicelib.settings import settings

POSTS, PROBLEMS, MODEL = "posts.json", "problems.jsonl", "model.npz"
WORK, CHANNEL, SERVED = "work/", "training/", "sagemaker/"
ITEMS, DATASET = f"{WORK}items.json", f"{WORK}dataset.npz"
MISSING = frozenset({"404", "NoSuchKey"})
# Somebody else has just put the same key, or is putting it.
TAKEN = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})


def folder(account: str, model: str, number: int | None = None) -> str:
    """The prefix of everything of a model, or of one version."""
    return f"models/{account}/{model}/" + (f"{number}/" if number is not None else "")


def uploaded(account: str, dataset: str) -> str:
    return f"datasets/{account}/{dataset}"


def read(key: str) -> bytes | None:
    return aws.read_object(settings().media_bucket, key)


def exists(key: str) -> bool:
    try:
        aws.s3().head_object(Bucket=settings().media_bucket, Key=key)
    except Exception as error:
        if aws.error_code(error) in MISSING:
            return False
        raise
    return True


def write(key: str, data: bytes) -> None:
    aws.s3().put_object(Bucket=settings().media_bucket, Key=key, Body=data)


def keep(key: str, data: bytes) -> bytes:
    """Write an object unless it is there; the bytes that are there now. So two workers go on with the same ones."""
    try:
        aws.s3().put_object(Bucket=settings().media_bucket, Key=key, Body=data, IfNoneMatch="*")
    except Exception as error:
        if aws.error_code(error) not in TAKEN:
            raise
        return read(key) or data
    return data


def clear(prefix: str) -> None:
    """Delete everything under a prefix. Raises Unavailable when S3 has kept some of it."""
    bucket = settings().media_bucket
    while found := aws.s3().list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        objects: Any = [{"Key": each["Key"]} for each in found]
        if aws.s3().delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors"):
            raise Unavailable("Not everything could be deleted; try again.")


def clear_work(account: str, model: str, number: int) -> None:
    """Delete what nobody needs once a training has ended."""
    for part in (WORK, CHANNEL):
        clear(folder(account, model, number) + part)
