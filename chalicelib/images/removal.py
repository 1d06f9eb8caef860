"""Deleting an image: its objects, its items, and its place in rankings."""

from __future__ import annotations

from typing import Any

from chalicelib import aws, ranking
from chalicelib.delivery import shelf
from chalicelib.delivery.variant import Original
from chalicelib.errors import Unavailable
from chalicelib.images import lifecycle, record
from chalicelib.settings import settings
from chalicelib.store import AccountStore


def delete(store: AccountStore, image: str) -> None:
    """Remove the image and everything made from it. Objects go first: a crash in between leaves something to retry."""
    lifecycle.get(store, image)
    for membership in store.partition("image", image, "ranking#"):
        ranking.forget(store, membership["ranking"], image)
    delete_objects(store.account, image)
    # After the original: what somebody still makes of it is taken back by its maker, or is found here.
    shelf.remove_all(Original(store.account, image=image))
    store.delete_partition("image", image)


def delete_objects(account: str, image: str) -> None:
    bucket = settings().media_bucket
    keys = [record.original_key(account, image), record.working_key(account, image)]
    listed = aws.s3().list_objects_v2(Bucket=bucket, Prefix=record.record_prefix(account, image))
    keys += [found["Key"] for found in listed.get("Contents", [])]
    objects: Any = [{"Key": key} for key in keys]
    # S3 answers 200 also when it has kept some of them.
    if aws.s3().delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors"):
        raise Unavailable("Not everything could be deleted; try again.")
