"""The roles' policies, enforced: every request a handler makes is held against the policy file that its role gets.

No emulator here enforces IAM, so this does. It knows the requests that the app makes and no others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

CHALICE = Path(__file__).parents[2] / ".chalice"
STAGE = {"Stage": "local", "AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "000000000000"}
# What Lambda does in the role's name, before and after the handler: logs, traces, polling, the on-failure destination.
BY_LAMBDA = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


class Grant(NamedTuple):
    action: str
    resource: str  # an ARN, in which * stands for anything
    prefix: str = "*"  # what a listing must be limited to


class Need(NamedTuple):
    action: str
    resource: str
    prefix: str = ""


def policy_files() -> dict[str, str]:
    """Each function's policy file, by the function's name."""
    functions = json.loads((CHALICE / "config.json").read_text())["lambda_functions"]
    return {name: settings["iam_policy_file"] for name, settings in functions.items()}


def statements(file: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((CHALICE / file).read_text())["Statement"]
    return found


def grants(file: str) -> set[Grant]:
    """Every action on every resource that a policy file allows."""
    return {
        Grant(action, arn(resource), _prefix(statement))
        for statement in statements(file)
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def _prefix(statement: dict[str, Any]) -> str:
    return str(statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix", "*"))


def arn(resource: Any) -> str:
    text = resource if isinstance(resource, str) else resource["Fn::Sub"]
    for name, value in STAGE.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def for_lambda(grant: Grant, granted: set[Grant]) -> bool:
    """Whether Lambda itself uses this grant; the depth of a queue, only where it polls that queue."""
    if grant.action == "sqs:GetQueueAttributes":
        return Grant("sqs:ReceiveMessage", grant.resource) in granted
    return grant.action in BY_LAMBDA or grant.resource.endswith("-failed-events")


def allows(grant: Grant, need: Need) -> bool:
    return (
        grant.action == need.action
        and fnmatchcase(need.resource, grant.resource)
        and fnmatchcase(need.prefix, grant.prefix)
    )


class Guard:
    """used: the grants that were needed, by policy file; denied: what a policy lacks."""

    def __init__(self) -> None:
        self.files = policy_files()
        self.grants = {file: grants(file) for file in self.files.values()}
        self.used: dict[str, set[Grant]] = {file: set() for file in self.grants}
        self.denied: list[tuple[str, Need]] = []
        self.function = "api_handler"

    @contextmanager
    def running(self, function: str) -> Iterator[None]:
        from chalicelib import bus

        before, self.function = self.function, function
        bus.queue_url.cache_clear()  # each function looks queues up in a process of its own
        try:
            yield
        finally:
            self.function = before
            bus.queue_url.cache_clear()

    def ask(self, need: Need) -> bool:
        file = self.files[self.function]
        granting = {grant for grant in self.grants[file] if allows(grant, need)}
        self.used[file] |= granting
        return bool(granting)

    def demand(self, needs: list[Need]) -> None:
        for need in needs:
            if not self.ask(need):
                self.denied.append((self.function, need))
                raise _refusal("AccessDenied")


class Guarded:
    """A client of boto3 behind the guard."""

    def __init__(self, guard: Guard, service: str, client: Any):
        self.guard, self.service, self.client = guard, service, client

    def __getattr__(self, method: str) -> Any:
        def call(*arguments: Any, **request: Any) -> Any:
            self.guard.demand(needs(self.service, method, arguments, request))
            try:
                return getattr(self.client, method)(*arguments, **request)
            except ClientError as error:
                raise self._as_seen(error, request) from error

        return call

    def get_paginator(self, method: str) -> Any:
        assert method in ("query", "list_objects_v2")
        return Guarded(self.guard, self.service, self.client.get_paginator(method))

    def _as_seen(self, error: ClientError, request: dict[str, Any]) -> ClientError:
        """S3 tells nobody that an object is missing who may not list the bucket."""
        if self.service != "s3" or error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            return error
        if self.guard.ask(Need("s3:ListBucket", f"arn:aws:s3:::{request['Bucket']}")):
            return error
        return _refusal("AccessDenied")


def _refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "")


# What each request needs, from the service authorization reference


def needs(service: str, method: str, arguments: tuple[Any, ...], request: dict[str, Any]) -> list[Need]:
    match service:
        case "dynamodb":
            return _table_needs(method, request)
        case "s3":
            return _bucket_needs(method, arguments, request)
        case "sqs":
            queue = request.get("QueueName") or request["QueueUrl"].rpartition("/")[2]
            return [Need(f"sqs:{_camel(method)}", _of("sqs", queue))]
        case "events":
            return [Need("events:PutEvents", _of("events", "event-bus/default"))]
        case "lambda":
            return [Need("lambda:InvokeFunction", _of("lambda", f"function:{request['FunctionName']}"))]
        case "secretsmanager":
            # Secrets Manager puts six characters of its own behind a secret's name.
            return [
                Need(f"secretsmanager:{_camel(method)}", _of("secretsmanager", f"secret:{request['SecretId']}-AbCdEf"))
            ]
        case "sns":
            named = request.get("TopicArn") or request.get("PlatformApplicationArn") or endpoint(request["EndpointArn"])
            return [Need(f"sns:{_camel(method)}", named)]
    raise NotImplementedError(service)


def endpoint(arn: str) -> str:
    """A device as AWS names it; the emulator has its application's name there."""
    return arn.replace(":app/", ":endpoint/")


def _table_needs(method: str, request: dict[str, Any]) -> list[Need]:
    if method == "transact_write_items":
        actions = [next(iter(write.items())) for write in request["TransactItems"]]
        return [Need(f"dynamodb:{kind}Item", _of("dynamodb", f"table/{write['TableName']}")) for kind, write in actions]
    action = "dynamodb:Query" if method == "paginate" else f"dynamodb:{_camel(method)}"
    tables = [request["TableName"]] if "TableName" in request else list(request["RequestItems"])
    index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
    return [Need(action, _of("dynamodb", f"table/{table}{index}")) for table in tables]


def _bucket_needs(method: str, arguments: tuple[Any, ...], request: dict[str, Any]) -> list[Need]:
    match method:
        case "generate_presigned_url":
            assert arguments == ("get_object",)
            return _bucket_needs("get_object", (), request["Params"])
        case "generate_presigned_post":
            return _bucket_needs("put_object", (), request)
        case "head_object":
            return _bucket_needs("get_object", (), request)
        case "create_multipart_upload" | "upload_part" | "complete_multipart_upload":
            return _bucket_needs("put_object", (), request)
        case "list_objects_v2" | "paginate":
            return [Need("s3:ListBucket", f"arn:aws:s3:::{request['Bucket']}", request["Prefix"])]
        case "delete_objects":
            keys = [each["Key"] for each in request["Delete"]["Objects"]]
            return [Need("s3:DeleteObject", f"arn:aws:s3:::{request['Bucket']}/{key}") for key in keys]
        case "get_object" | "put_object" | "delete_object":
            return [Need(f"s3:{_camel(method)}", f"arn:aws:s3:::{request['Bucket']}/{request['Key']}")]
    raise NotImplementedError(method)


def _of(service: str, name: str) -> str:
    return f"arn:aws:{service}:us-east-1:000000000000:{name}"


def _camel(method: str) -> str:
    return "".join(word.capitalize() for word in method.split("_"))
