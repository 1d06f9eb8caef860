"""What `GET /resize` costs beside the codecs: CPU milliseconds of a first request, less those of its render.

The whole handler runs as API Gateway calls it: routing, validation, signature, the lock in DynamoDB and the answer. S3
is left out: its client is replaced by a dictionary. DynamoDB's client is boto3's own, and only the network below it is
replaced by a canned answer, so signing and parsing count.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import redirect_stdout
from typing import Any

REPETITIONS = 60
ACCOUNT, IMAGE = "a234567abcdefghij", "01k00000000000000000000000"
RING = '{"current": "1", "1": "a secret of this benchmark alone, of no use elsewhere"}'
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Bucket:
    """As much of S3 as a render asks for."""

    def __init__(self, original: bytes):
        self.original = original

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's own names
        if Key.startswith("v/"):
            raise Missing
        return {"ETag": '"0123456789abcdef"', "ContentLength": len(self.original)}

    def get_object(self, Bucket: str, Key: str, IfMatch: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.original)}

    def put_object(self, **_: Any) -> dict[str, str]:
        return {"ETag": '"fedcba9876543210"'}


class Missing(Exception):
    response = {"Error": {"Code": "404"}}  # noqa: RUF012 - as botocore has it


def canned(request: Any, **_: Any) -> Any:
    """The answer of an UpdateItem whose condition held, as it comes from the wire."""
    from botocore.awsrequest import AWSResponse
    from botocore.compat import HTTPHeaders

    class Raw(io.BytesIO):
        def stream(self, *_: Any, **__: Any) -> Any:
            yield self.read()

    body = b'{"Attributes": {}, "ConsumedCapacity": {"CapacityUnits": 1.0, "TableName": "t"}}'
    headers = HTTPHeaders()
    headers["Content-Type"] = "application/x-amz-json-1.0"
    return AWSResponse(request.url, 200, headers, Raw(body))


def event(key: str) -> dict[str, Any]:
    return {
        "requestContext": {"httpMethod": "GET", "resourcePath": "/resize", "path": "/resize"},
        "multiValueQueryStringParameters": {"key": [key]},
        "headers": {"accept": "image/webp,*/*", "user-agent": "benchmark", "host": "localhost"},
        "pathParameters": {},
        "stageVariables": {},
        "body": None,
        "isBase64Encoded": False,
    }


def main() -> None:
    """In a process of its own: milliseconds of the handler beside its render, as one line of JSON."""
    import app
    from chalicelib import aws
    from chalicelib.delivery import keys, links, render
    from chalicelib.delivery.operations import parse
    from chalicelib.delivery.signature import KeyRing
    from chalicelib.delivery.variant import Original, Variant, format_key

    keys._kept[:] = [keys.Kept(KeyRing.read(RING), time.monotonic())]  # noqa: SLF001 - Secrets Manager is left out
    clients = {"s3": Bucket(photo()), "dynamodb": aws.client("dynamodb")}
    clients["dynamodb"].meta.events.register("before-send.*", canned)
    aws.client = clients.__getitem__  # type: ignore[assignment]
    operations = parse("w320,h240,fit:cover,q:75,v:01234567")
    key = format_key(links.signed(Variant(Original(ACCOUNT, image=IMAGE), operations, "jpg")))
    context = type("Context", (), {"aws_request_id": "r", "function_name": "proofsheet-local-api"})()

    def handle() -> None:
        with redirect_stdout(io.StringIO()):
            answer = app.app(event(key), context)
        if (answer["statusCode"], answer["headers"].get("X-Variant")) != (302, "made"):
            raise RuntimeError(answer)

    def only_render() -> None:
        render.render(clients["s3"].original, operations, "jpg")

    print(json.dumps(round(apart(handle, only_render), 2)))


def apart(whole: Any, part: Any) -> float:
    """Median CPU milliseconds of `whole` less those of `part`, taken in turns."""
    differences = []
    for repetition in range(REPETITIONS + 5):
        started = time.process_time()
        whole()
        between = time.process_time()
        part()
        ended = time.process_time()
        if repetition >= 5:
            differences.append(((between - started) - (ended - between)) * 1000)
    return statistics.median(differences)


def photo() -> bytes:
    """A small photograph: the codec's own time is not what is asked for."""
    from pathlib import Path

    import skimage

    return (Path(skimage.__file__).parent / "data" / "rocket.jpg").read_bytes()


def measure() -> float:
    """CPU milliseconds of the handler beside the codecs, warm, S3 left out."""
    command = [sys.executable, "-m", "bench.resize_overhead"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **ENVIRONMENT})
    return float(done.stdout.strip().splitlines()[-1])


def import_milliseconds() -> float:
    """CPU milliseconds that the path of a render loads on top of `import app`, from byte code."""
    loading = "import chalicelib.delivery.render"
    code = f"import time, app; t = time.process_time(); {loading}; print((time.process_time() - t) * 1000)"
    command = [sys.executable, "-c", code]
    times = [float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(9)]
    return statistics.median(times)


if __name__ == "__main__":
    main()
