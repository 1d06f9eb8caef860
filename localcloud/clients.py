"""boto3 clients of the local cloud, whatever the developer's own AWS set-up says."""

from __future__ import annotations

from functools import cache
from typing import Any

REGION = "us-east-1"
ACCOUNT = "000000000000"
KEY = "test"  # the one access key that the emulator takes in a signed address


@cache
def client(service: str, endpoint: str) -> Any:
    """A client that talks to `endpoint` alone. Safe to share between threads."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    # Polling is what an idle worker does; without signatures it takes half the processor time.
    signature = {"s3": "s3v4", "sqs": UNSIGNED}.get(service)
    config = Config(
        connect_timeout=2,
        read_timeout=30,
        retries={"mode": "standard", "max_attempts": 2},
        max_pool_connections=64,
        signature_version=signature,
        s3={"addressing_style": "path"},
    )
    session = boto3.Session(aws_access_key_id=KEY, aws_secret_access_key=KEY, region_name=REGION)
    return session.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"
