"""The only importer of boto3: one cached client for each service, made at first use."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, cast

from chalicelib import log
from chalicelib.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

CONNECT_SECONDS = 2
READ_SECONDS = {"sagemaker-runtime": 7}


@cache
def client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    # Short time-outs and few tries: a Lambda that waits is paid for, and the queue tries again for nothing.
    # scoring.endpoint counts its tries for itself, since all of them together have to be quick.
    tries = {"total_max_attempts": 1} if service == "sagemaker-runtime" else {"max_attempts": 3}
    retries: Any = {"mode": "standard", **tries}
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS.get(service, 10),
        retries=retries,
        max_pool_connections=32,
        signature_version="s3v4" if service == "s3" else None,
        # Left to itself, botocore presigns for the global host, which redirects from a young bucket in another region
        # than us-east-1, and a redirected signature is no longer good.
        s3={"addressing_style": "path" if settings().endpoint else "virtual"},
    )
    made = boto3.client(service, region_name=settings().region, config=config)  # type: ignore[call-overload]
    if service == "dynamodb":
        made.meta.events.register("provide-client-params.dynamodb.*", _ask_for_units)
    made.meta.events.register("after-call.*", _count)
    return made


def _ask_for_units(params: dict[str, Any], **_event: Any) -> dict[str, Any]:
    return {**params, "ReturnConsumedCapacity": "TOTAL"}


def _count(model: Any, parsed: dict[str, Any], **_event: Any) -> None:
    """Note the request, and DynamoDB's capacity units, in the invocation's log line."""
    name = f"{model.service_model.service_name}.{model.name}"
    log.count(name)
    consumed = parsed.get("ConsumedCapacity", [])
    units = [each["CapacityUnits"] for each in (consumed if isinstance(consumed, list) else [consumed])]
    if units:
        log.count(f"{name}.units", sum(units))


def error_code(error: BaseException) -> str:
    """The code of an AWS refusal ("NoSuchKey", ...), or an empty string for any other exception."""
    # A time-out's `response` is None.
    return str((getattr(error, "response", None) or {}).get("Error", {}).get("Code", ""))


def read_object(bucket: str, key: str) -> bytes | None:
    """The bytes of an object, or None if there is none."""
    try:
        data: bytes = s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    except Exception as error:
        if error_code(error) == "NoSuchKey":
            return None
        raise
    return data


def error_text(error: BaseException) -> str:
    """What AWS wrote for people, or what the exception says of itself."""
    return str((getattr(error, "response", None) or {}).get("Error", {}).get("Message") or error)


def unanswered(error: BaseException) -> bool:
    """Whether AWS said nothing at all: no connection, or no whole answer in time."""
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    return isinstance(error, NoConnection | HTTPClientError | IncompleteReadError)


def signed(service: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
    """The headers of a POST with the signature of whoever we are now: a role's credentials are renewed in time."""
    import boto3
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    if boto3.DEFAULT_SESSION is None:
        boto3.setup_default_session()
    credentials = cast("Any", boto3.DEFAULT_SESSION).get_credentials()
    request = AWSRequest("POST", url, headers=headers, data=body)
    SigV4Auth(credentials.get_frozen_credentials(), service, settings().region).add_auth(request)
    return dict(request.headers)


def to_item(values: dict[str, Any]) -> dict[str, Any]:
    """Plain values as DynamoDB attributes; None is left out. Floats are not taken: store them packed or as text."""
    return {name: _attribute(value) for name, value in values.items() if value is not None}


def from_item(item: Any) -> dict[str, Any]:
    return {name: _value(value) for name, value in item.items()}


def _value(attribute: Any) -> Any:
    if "BS" in attribute:
        return set(attribute["BS"])  # thousands of digests in a page of a counter, which need no wrapper each
    return attribute["S"] if "S" in attribute else _plain(_deserializer().deserialize(attribute))


def _attribute(value: Any) -> Any:
    if type(value) is str:
        return {"S": value}  # as most are: the serializer tries nine other types before it comes to this one
    if isinstance(value, set) and value and all(isinstance(each, bytes) for each in value):
        return {"BS": sorted(value)}
    return _serializer().serialize(value)


@lru_cache(maxsize=1)
def _serializer() -> Any:
    from boto3.dynamodb.types import TypeSerializer

    return TypeSerializer()


@lru_cache(maxsize=1)
def _deserializer() -> Any:
    from boto3.dynamodb.types import TypeDeserializer

    return TypeDeserializer()


def _plain(value: Any) -> Any:
    from decimal import Decimal

    from boto3.dynamodb.types import Binary

    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, Binary):
        return bytes(cast("Any", value).value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def dynamodb() -> DynamoDBClient:
    return cast("DynamoDBClient", client("dynamodb"))


def s3() -> S3Client:
    return cast("S3Client", client("s3"))


def secrets() -> SecretsManagerClient:
    return cast("SecretsManagerClient", client("secretsmanager"))


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


# Their type stubs would be larger than those of all other services together.
def sagemaker() -> Any:
    return client("sagemaker")


def sagemaker_runtime() -> Any:
    return client("sagemaker-runtime")
