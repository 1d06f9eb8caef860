"""The app's Lambda functions, called in this process, and the Invoke endpoint that lets boto3 reach them.

POST /2015-03-31/functions/{name}/invocations, as AWS_ENDPOINT_URL_LAMBDA points here. A function's name is
proofsheet-{stage}-{handler}. RequestResponse answers the result, or the error with X-Amz-Function-Error; Event answers
202 once the event is in the function's queue, where it is tried three times like any asynchronous invocation.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import traceback
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import unquote

from localcloud.clients import arn, client
from localcloud.wiring import Wiring, functions_of

INVOCATION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
SYNCHRONOUS_LIMIT = 6 * 1024 * 1024
ASYNCHRONOUS_LIMIT = 1024 * 1024
MEMORY_MB = 1769
TIMEOUT_MS = 60_000
# A function's first call imports its libraries. Lambda starts each function in a process of its own; here they share
# one, where two threads that import at once may meet half-made modules. So first calls run one after the other.
COLD_START = threading.Lock()
WARM: set[str] = set()


@dataclass(frozen=True)
class Functions:
    """The functions of one app on one stage."""

    app: Any
    wiring: Wiring

    @property
    def prefix(self) -> str:
        return f"proofsheet-{self.wiring.stage}-"

    def call(self, function: str, event: Any) -> Any:
        """The handler's result; whatever it raises."""
        from chalice.local import LambdaContext

        context = LambdaContext(self.prefix + function, MEMORY_MB, max_runtime_ms=TIMEOUT_MS)
        context.invoked_function_arn = arn("lambda", f"function:{self.prefix}{function}")
        handler = self.app.handler_map[function]
        if function in WARM:
            return handler(event, context)
        with COLD_START:
            result = handler(event, context)
        WARM.add(function)
        return result

    def find(self, name: str) -> str | None:
        """The handler behind a function's name or ARN."""
        handler = name.split(":")[-1].removeprefix(self.prefix)
        return handler if handler in functions_of(self.app) else None

    def enqueue(self, function: str, event: bytes) -> None:
        sqs = client("sqs", self.wiring.endpoint)
        url = sqs.get_queue_url(QueueName=self.wiring.prefix + function)["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=event.decode())


def failure(error: BaseException) -> bytes:
    """What Lambda answers for a handler that raised."""
    report = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }
    return json.dumps(report).encode()


class InvokeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    functions: ClassVar[Functions]

    def do_GET(self) -> None:
        """Whoever answers has its sources wired: the supervisor's sign that the workers are ready."""
        self._answer(200, b"{}")

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = INVOCATION.fullmatch(unquote(self.path.split("?")[0]))
        function = self.functions.find(path[1]) if path else None
        if function is None:
            self._refuse(404, "ResourceNotFoundException", f"Function not found: {self.path}")
            return
        match self.headers.get("X-Amz-Invocation-Type", "RequestResponse"):
            case "Event":
                self._invoke_later(function, payload)
            case "DryRun":
                self._answer(204, b"")
            case _:
                self._invoke(function, payload)

    def _invoke(self, function: str, payload: bytes) -> None:
        if len(payload) > SYNCHRONOUS_LIMIT:
            self._refuse(413, "RequestTooLargeException", f"{len(payload)} bytes are more than {SYNCHRONOUS_LIMIT}")
            return
        try:
            result = self.functions.call(function, json.loads(payload or b"{}"))
            self._answer(200, json.dumps(result).encode())
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            self._answer(200, failure(error), {"X-Amz-Function-Error": "Unhandled"})

    def _invoke_later(self, function: str, payload: bytes) -> None:
        if len(payload) > ASYNCHRONOUS_LIMIT:
            self._refuse(413, "RequestTooLargeException", f"{len(payload)} bytes are more than {ASYNCHRONOUS_LIMIT}")
            return
        self.functions.enqueue(function, payload or b"{}")
        self._answer(202, b"")

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"Type": "User", "Message": message}).encode()
        self._answer(status, body, {"X-Amzn-ErrorType": code})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Handlers log for themselves."""


class InvokeServer(ThreadingHTTPServer):
    """Serves on a listening socket that several worker processes share."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, functions: Functions):
        handler = type("Handler", (InvokeHandler,), {"functions": functions})
        super().__init__(listener.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        # Non-blocking, because another worker may have accepted what this one was woken for.
        listener.setblocking(False)
        self.socket = listener
