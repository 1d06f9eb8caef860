"""The emulator inside the test process: requests never touch a socket.

Quick enough for thousands of schedules, and every request passes one place where a fault can be thrown.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

TEMPLATE = Path(__file__).parents[2] / "infra" / "resources.yaml"
ENDPOINT = "http://127.0.0.1:4566"


class Stream(io.BytesIO):
    """A response body, as urllib3 would hand it to botocore."""

    def stream(self, amount: int = 65536, decode_content: bool | None = None):
        while chunk := self.read(amount):
            yield chunk


class Emulator:
    """`on_call(service, operation, "before" | "after")` sees every request and may raise."""

    def __init__(self) -> None:
        os.environ.setdefault("PERSIST_STATE", "0")
        import ministack.app

        from localcloud.sagemaker import SageMaker

        self.app = SageMaker(ministack.app.app)
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)  # what the emulator schedules shall land here
        self.on_call: Callable[[str, str, str], None] = lambda *_: None
        self.clients: dict[str, Any] = {}

    def close(self) -> None:
        self.app.close()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    def client(self, service: str) -> Any:
        if service not in self.clients:
            direct = {"dynamodb": DynamoDB, "s3": S3}
            self.clients[service] = direct[service](self) if service in direct else self.connect(service)
        return self.clients[service]

    def connect(self, service: str) -> Any:
        client = boto3.client(
            service,
            endpoint_url=ENDPOINT,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                # Nobody checks a signature here, and signing would be a third of the time; S3 presigns, so it keeps it,
                # and the emulator knows some requests to SNS by their signature alone.
                signature_version={"s3": "s3v4", "sns": "v4"}.get(service, UNSIGNED),
            ),
        )
        events = client.meta.events
        events.register("before-send.*", self._send)
        events.register("before-call.*", lambda model, **_: self.on_call(service, model.name, "before"))
        events.register("after-call.*", lambda model, **_: self.on_call(service, model.name, "after"))
        return client

    def _send(self, request: AWSRequest, **_: Any) -> AWSResponse:
        status, headers, body = self.loop.run_until_complete(self._ask(request))
        return AWSResponse(request.url, status, headers, Stream(body))

    async def _ask(self, request: AWSRequest) -> tuple[int, dict[str, str], bytes]:
        url = urlsplit(request.url)
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote(url.path),
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "headers": [(name.lower().encode(), _bytes(value)) for name, value in request.headers.items()],
            "server": ("127.0.0.1", 4566),
            "client": ("127.0.0.1", 1),
        }
        body = request.body.read() if hasattr(request.body, "read") else request.body
        answer: dict[str, Any] = {"body": b""}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": _bytes(body or b""), "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer["status"] = message["status"]
                answer["headers"] = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer["body"] += message.get("body", b"")

        await self.app(scope, receive, send)
        return answer["status"], answer["headers"], answer["body"]

    def create_stack(self) -> None:
        """The resources of the template, made by CloudFormation."""
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName="proofsheet-local",
            TemplateBody=TEMPLATE.read_text(),
            Parameters=[{"ParameterKey": "Stage", "ParameterValue": "local"}],
        )
        for _ in range(200):
            self.loop.run_until_complete(asyncio.sleep(0.02))
            status = cloudformation.describe_stacks(StackName="proofsheet-local")["Stacks"][0]["StackStatus"]
            if status == "CREATE_COMPLETE":
                return
        raise RuntimeError(f"the stack ended as {status}")

    def empty_table(self, table: str) -> None:
        dynamodb = DynamoDB(self)
        while items := dynamodb.scan(TableName=table, ProjectionExpression="pk, sk")["Items"]:
            for start in range(0, len(items), 25):
                deletes = [{"DeleteRequest": {"Key": key}} for key in items[start : start + 25]]
                dynamodb.batch_write_item(RequestItems={table: deletes})


class DynamoDB:
    """The emulator's DynamoDB without boto3 around it, which takes four fifths of a request's time.

    `tests/http` goes the whole way; here thousands of schedules need only what DynamoDB does.
    """

    def __init__(self, emulator: Emulator):
        self.emulator = emulator

    def __getattr__(self, method: str) -> Callable[..., dict[str, Any]]:
        operation = "".join(word.capitalize() for word in method.split("_"))
        return lambda **request: self._call(operation, request)

    def get_paginator(self, method: str) -> DynamoDB:
        assert method == "query"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        while True:
            page = self._call("Query", request)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        from ministack.services import dynamodb

        self.emulator.on_call("dynamodb", operation, "before")
        headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
        coroutine = dynamodb.handle_request("POST", "/", headers, json.dumps(_wire(request)).encode(), {})
        status, _, body = run(coroutine)
        answer = _unwire(json.loads(body))
        if status != 200:
            error = {"Code": answer["__type"].rpartition("#")[2], "Message": answer.get("message", "")}
            raise ClientError({**answer, "Error": error}, operation)
        self.emulator.on_call("dynamodb", operation, "after")
        return answer


class S3:
    """The emulator's S3 without boto3 around it, as far as the handlers use it."""

    def __init__(self, emulator: Emulator):
        self.emulator = emulator
        self.whole: Any = None

    def put_object(
        self,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        Body: bytes,  # noqa: N803
        Metadata: dict[str, str] | None = None,  # noqa: N803
        **named: str,
    ) -> dict[str, Any]:
        headers = {f"x-amz-meta-{name}": value for name, value in (Metadata or {}).items()}
        headers["content-type"] = named.get("ContentType", "")
        if "IfNoneMatch" in named:
            headers["if-none-match"] = named["IfNoneMatch"]
        return self._answer("PutObject", "PUT", f"/{Bucket}/{Key}", headers, Body)

    def get_object(
        self,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        IfMatch: str | None = None,  # noqa: N803
        Range: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        headers = {name: value for name, value in (("if-match", IfMatch), ("range", Range)) if value}
        return self._answer("GetObject", "GET", f"/{Bucket}/{Key}", headers)

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return self._answer("HeadObject", "HEAD", f"/{Bucket}/{Key}")

    def delete_object(self, Bucket: str, Key: str) -> None:  # noqa: N803
        self._answer("DeleteObject", "DELETE", f"/{Bucket}/{Key}")

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self.emulator.on_call("s3", "DeleteObjects", "before")
        for each in Delete["Objects"]:
            self._call("DELETE", f"/{Bucket}/{each['Key']}")
        self.emulator.on_call("s3", "DeleteObjects", "after")
        return {}

    def list_objects_v2(
        self,
        Bucket: str,  # noqa: N803
        Prefix: str = "",  # noqa: N803
        StartAfter: str = "",  # noqa: N803
        MaxKeys: int = 1000,  # noqa: N803
    ) -> dict[str, Any]:
        query = {"list-type": ["2"], "prefix": [Prefix], "start-after": [StartAfter], "max-keys": [str(MaxKeys)]}
        body = self._answer("ListObjectsV2", "GET", f"/{Bucket}", query=query)["Body"].read()
        return {"Contents": [{"Key": key} for key in re.findall(r"<Key>([^<]+)</Key>", body.decode())]}

    def __getattr__(self, method: str) -> Any:
        """Whatever else is asked for goes the whole way."""
        if self.whole is None:
            self.whole = self.emulator.connect("s3")
        return getattr(self.whole, method)

    def _answer(self, operation: str, *call: Any, **query: Any) -> dict[str, Any]:
        self.emulator.on_call("s3", operation, "before")
        status, headers, body = self._call(*call, **query)
        if status >= 400:
            code = re.search(r"<Code>(\w+)</Code>", body.decode())
            raise ClientError({"Error": {"Code": code[1] if code else str(status), "Message": ""}}, operation)
        self.emulator.on_call("s3", operation, "after")
        lower = {name.lower(): value for name, value in headers.items()}
        metadata = {name[11:]: value for name, value in lower.items() if name.startswith("x-amz-meta-")}
        return {
            "ETag": lower.get("etag"),
            "ContentLength": int(lower.get("content-length", len(body))),
            "ContentType": lower.get("content-type"),
            "Metadata": metadata,
            "Body": io.BytesIO(body),
        }

    def _call(self, method: str, path: str, headers: Any = None, body: bytes = b"", query: Any = None) -> Any:
        from ministack.services import s3

        return run(s3.handle_request(method, path, headers or {}, body, query or {}))


def run(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("DynamoDB waits")


def _wire(value: Any) -> Any:
    """Binary values as JSON carries them."""
    if isinstance(value, dict):
        if isinstance(value.get("B"), bytes):
            return {"B": base64.b64encode(value["B"]).decode()}
        if "BS" in value:
            return {"BS": [base64.b64encode(each).decode() for each in value["BS"]]}
        return {name: _wire(each) for name, each in value.items()}
    return [_wire(each) for each in value] if isinstance(value, list) else value


def _unwire(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"B"} and isinstance(value["B"], str):
            return {"B": base64.b64decode(value["B"])}
        if set(value) == {"BS"}:
            return {"BS": [base64.b64decode(each) for each in value["BS"]]}
        return {name: _unwire(each) for name, each in value.items()}
    return [_unwire(each) for each in value] if isinstance(value, list) else value


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
