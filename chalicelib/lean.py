"""Signed requests of our own to AWS: boto3 takes three times the processor time for one, and tries again unasked.

The signature is botocore's and the connection http.client's, kept alive between requests. `post` is the one way out,
so it is what tests replace at the edge of AWS.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from chalicelib import aws
from chalicelib.settings import settings

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0  # three tries stay below the 29 s of API Gateway

idle: list[HTTPConnection] = []


class Unanswered(Exception):
    """There is no whole answer. sent: whether AWS may have the request, and may have done what it asks for."""

    def __init__(self, code: str, *, sent: bool):
        super().__init__(code)
        self.code = code
        self.sent = sent


def endpoint(service: str) -> str:
    """Where a service of this region answers, without an end slash."""
    region = settings().region
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return settings().endpoint or f"https://{service}.{region}.{suffix}"


def post(service: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """One request, sent once: status and body. Raises Unanswered; then no connection is trusted any more."""
    from http.client import HTTPException

    signed = aws.signed(service, f"{url}/", headers, body)
    connection, sent = None, False
    try:
        connection = _connection(url)
        sent = True
        # HTTPConnection.request would send head and body apart: two system calls, and the other side wakes twice.
        connection.send(_head(url, signed, len(body)) + body)
        response, data = _answer(connection)
    except (OSError, HTTPException) as error:
        for each in ([connection] if connection else []) + _take_idle():
            each.close()
        raise Unanswered(type(error).__name__, sent=sent) from error
    if response.will_close:
        connection.close()
    else:
        idle.append(connection)
    return response.status, data


def _answer(connection: HTTPConnection) -> tuple[HTTPResponse, bytes]:
    from http.client import HTTPResponse

    with closing(HTTPResponse(connection.sock, method="POST")) as response:
        response.begin()
        return response, response.read()


def _head(url: str, headers: dict[str, str], length: int) -> bytes:
    host = url.partition("://")[2]
    lines = [f"{name}: {value}" for name, value in {**headers, "Host": host, "Content-Length": length}.items()]
    return "\r\n".join(("POST / HTTP/1.1", *lines, "\r\n")).encode("ascii")


def _connection(url: str) -> HTTPConnection:
    """One that still stands, or a new one. Between freezes of a function AWS may have hung up."""
    from urllib.parse import urlsplit

    address = urlsplit(url)
    others = []
    try:
        for kept in iter(_take, None):
            if (kept.host, kept.port) != (address.hostname, address.port or kept.default_port):
                others.append(kept)
            elif _stands(kept):
                return kept
            else:
                kept.close()
    finally:
        idle.extend(others)
    return _connect(address.scheme, address.hostname or "", address.port)


def _take() -> HTTPConnection | None:
    """Lists hand out in one step, so no two threads share a connection."""
    try:
        return idle.pop()
    except IndexError:
        return None


def _take_idle() -> list[HTTPConnection]:
    return list(iter(_take, None))


def _stands(connection: HTTPConnection) -> bool:
    """Nobody sends unasked: what can be read from an idle connection is its end."""
    import select

    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)


def _connect(scheme: str, host: str, port: int | None) -> HTTPConnection:
    import os
    import ssl
    from http.client import HTTPConnection, HTTPSConnection

    made: HTTPConnection
    if scheme == "https":
        trusted = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
        made = HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=trusted)
    else:
        made = HTTPConnection(host, port, timeout=CONNECT_SECONDS)
    made.connect()
    made.sock.settimeout(READ_SECONDS)
    return made
