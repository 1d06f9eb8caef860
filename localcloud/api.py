"""`chalice local` with the manners of API Gateway: python -m localcloud.api --port 8000, in the app's folder.

| request                          | chalice local              | here, and on AWS by GatewayResponses             |
|----------------------------------|----------------------------|--------------------------------------------------|
| unknown path                     | 403 in AWS's words         | 404 {"error": {"code", "message"}}               |
| known path, wrong method         | 405 in Chalice's words     | 405 {"error": ...} and Allow                     |
| refused by the authorizer        | 401 or 403 in AWS's words  | the same status, {"error": ...}                  |
| body over 10 MB                  | accepted                   | 413                                              |
| bad Content-Length, chunked body | connection dropped         | 400, 411                                         |
| failure in the gateway           | connection dropped         | 500                                              |

Each of these carries X-Request-Id and a CORS header, so that a browser's script can read it. Chalice's own gateway
does the rest: routing, authorizer, preflight.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import traceback
import uuid
from typing import Any

from chalice.cli.factory import CLIFactory
from chalice.local import (
    ChaliceRequestHandler,
    CustomLocalChalice,
    LocalChalice,
    LocalDevServer,
    LocalGatewayException,
    ThreadedHTTPServer,
)

from localcloud import processes

BODY_LIMIT = 10 * 1024 * 1024
# A refused body is read and thrown away, or the client would see a reset instead of the answer; within reason.
DRAIN_LIMIT = 8 * BODY_LIMIT
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    411: "length_required",
    413: "too_large",
    414: "too_large",
    431: "too_large",
    500: "internal",
}
MESSAGES = {401: "A valid token or API key is needed.", 403: "Not allowed.", 500: "Something went wrong."}
BODYLESS = {204, 304}


class RefusedError(Exception):
    """A request that the gateway answers itself."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None, *, close: bool = False):
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.close = close


class Server(ThreadedHTTPServer):  # type: ignore[misc]
    """Serves on an inherited socket when there is one: requests then wait in its backlog while the code reloads."""

    request_queue_size = 1024
    listener: socket.socket | None = None

    def __init__(self, address: tuple[str, int], handler: Any):
        super().__init__(address, handler, bind_and_activate=self.listener is None)
        if self.listener is not None:
            self.server_close()
            self.socket: Any = self.listener
        self.server_name, self.server_port = address


class Handler(ChaliceRequestHandler):  # type: ignore[misc]
    command: str
    request_version: str
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 75

    def _generic_handle(self) -> None:
        try:
            status, headers, body = self._respond()
        except RefusedError as refusal:
            self._refuse(refusal.status, str(refusal), refusal.headers, close=refusal.close)
        except LocalGatewayException as refusal:
            self._refuse(refusal.CODE, MESSAGES.get(refusal.CODE, "Refused."))
        except ConnectionError:
            self.close_connection = True
        except Exception:
            traceback.print_exc()
            self._refuse(500, MESSAGES[500])
        else:
            self._reply(status, headers, body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = _generic_handle  # noqa: N815

    def _respond(self) -> tuple[int, dict[str, Any], bytes]:
        body = self._body()
        self._require_route()
        # API Gateway matches header names in any case, Chalice's local gateway only in small letters.
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self._handle_binary(
            self.local_gateway.handle_request(method=self.command, path=self.path, headers=headers, body=body)
        )
        content = answer["body"] or b""
        if isinstance(content, str):
            content = content.encode()
        return answer["statusCode"], {**answer["headers"], **answer["multiValueHeaders"]}, content

    def _body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding"):
            raise RefusedError(411, "Send the body with a Content-Length.", close=True)
        length = self._content_length()
        if length > BODY_LIMIT:
            self._drain(length)
            raise RefusedError(413, f"The body may have {BODY_LIMIT} bytes at most.", close=True)
        body: bytes = self.rfile.read(length)
        if len(body) < length:
            raise RefusedError(400, "The body is shorter than its Content-Length.", close=True)
        return body or None

    def _content_length(self) -> int:
        lengths = {value.strip() for value in self.headers.get_all("Content-Length", ["0"])}
        length = lengths.pop()
        if lengths or not (length.isascii() and length.isdigit()):
            raise RefusedError(400, "The Content-Length is not a number.", close=True)
        return int(length)

    def _drain(self, length: int) -> None:
        left = min(length, DRAIN_LIMIT)
        while left > 0 and (piece := self.rfile.read(min(left, 1 << 16))):
            left -= len(piece)

    def _require_route(self) -> None:
        routes = self.local_gateway._app_object.routes  # noqa: SLF001 - Chalice offers no other way
        try:
            route = self.local_gateway.event_converter._route_matcher.match_route(self.path).route  # noqa: SLF001
        except ValueError:
            raise RefusedError(404, "There is nothing at this path.") from None
        methods = routes[route].keys()
        if self.command not in methods and self.command != "OPTIONS":
            allowed = ", ".join(sorted({*methods, "OPTIONS"}))
            raise RefusedError(405, f"This path takes {allowed}.", {"Allow": allowed})

    def _refuse(self, status: int, message: str, headers: dict[str, str] | None = None, *, close: bool = False) -> None:
        body = json.dumps({"error": {"code": CODES.get(status, "bad_request"), "message": message}}).encode()
        self.close_connection = self.close_connection or close
        own = {
            "Content-Type": "application/json",
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": "X-Request-Id",
        }
        self._reply(status, {**own, **(headers or {})}, body)

    def _reply(self, status: int, headers: dict[str, Any], body: bytes) -> None:
        self.send_response(status)
        if "x-request-id" not in {name.lower() for name in headers}:  # a preflight's answer is the gateway's own
            self.send_header("X-Request-Id", str(uuid.uuid4()))
        if body and "content-type" not in {name.lower() for name in headers}:
            self.send_header("Content-Type", "application/json")
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                self.send_header(name, one)
        if self.close_connection:
            self.send_header("Connection", "close")
        if status not in BODYLESS:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status not in BODYLESS and self.command != "HEAD":
            self.wfile.write(body)

    # What http.server answers before there is a request to route.

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A malformed or unknown request line or header block."""
        if code == 501 and self._refuse_method():
            return
        status = {501: 405, 505: 400}.get(int(code), int(code))
        if self.request_version == "HTTP/0.9":
            self.request_version = "HTTP/1.1"
        self._refuse(status, message or "The request cannot be understood.", close=True)

    def _refuse_method(self) -> bool:
        """A method that http.server does not know is refused like one that the route does not take."""
        try:
            self._require_route()
        except RefusedError as refusal:
            self._refuse(refusal.status, str(refusal), refusal.headers, close=True)
            return True
        return False

    def handle_expect_100(self) -> bool:
        """Refuse a body that is too large before it is sent."""
        length = self.headers.get("Content-Length", "0")
        if length.isdigit() and int(length) > BODY_LIMIT:
            self._refuse(413, f"The body may have {BODY_LIMIT} bytes at most.", close=True)
            return False
        ready: bool = super().handle_expect_100()
        self.wfile.flush()
        return ready


def server(project: str, stage: str, port: int, listener: socket.socket | None = None) -> LocalDevServer:
    """The app of a project folder, behind the gateway. Raises what importing the app raises."""
    config = CLIFactory(project, environ=os.environ).create_config_obj(chalice_stage_name=stage)
    app = config.chalice_app
    # As chalice.local.create_local_server does: requests of different threads must not share `current_request`.
    CustomLocalChalice.__bases__ = (LocalChalice, app.__class__)
    app.__class__ = CustomLocalChalice
    Server.listener = listener
    return LocalDevServer(app, config, "127.0.0.1", port, handler_cls=Handler, server_cls=Server)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--fd", type=int, help="inherited listening socket, instead of binding the port")
    parser.add_argument("--stage", default="local")
    parser.add_argument("--lifeline", type=int, help="inherited pipe; stop when it closes")
    arguments = parser.parse_args()
    # No handler has anything to save: end at once.
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    processes.stop_at_eof(arguments.lifeline)
    listener = None if arguments.fd is None else socket.socket(fileno=arguments.fd)
    server(os.getcwd(), arguments.stage, arguments.port, listener).serve_forever()


if __name__ == "__main__":
    main()
