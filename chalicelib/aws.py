"""The only importer of boto3: one cached client for each service, made at first use."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from chalicelib.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


@lru_cache(maxsize=None)
def client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    # Short time-outs and few tries: a Lambda that waits is paid for, and the queue tries again for nothing.
    config = Config(
        connect_timeout=2,
        read_timeout=10,
        retries={"mode": "standard", "max_attempts": 3},
        max_pool_connections=32,
        signature_version="s3v4" if service == "s3" else None,
        s3={"addressing_style": "path"} if settings().endpoint else None,
    )
    return boto3.client(service, region_name=settings().region, config=config)  # type: ignore[call-overload]


def dynamodb() -> DynamoDBClient:
    return cast("DynamoDBClient", client("dynamodb"))


def s3() -> S3Client:
    return cast("S3Client", client("s3"))


def sqs() -> SQSClient:
    return cast("SQSClient", client("sqs"))


def sns() -> SNSClient:
    return cast("SNSClient", client("sns"))


def events() -> EventBridgeClient:
    return cast("EventBridgeClient", client("events"))


def lambda_() -> LambdaClient:
    return cast("LambdaClient", client("lambda"))


def cognito() -> CognitoIdentityProviderClient:
    return cast("CognitoIdentityProviderClient", client("cognito-idp"))
