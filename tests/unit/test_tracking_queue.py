"""Messages onto the tracking queue: everything is in SQS when `send` returns, or `send` says that it is not."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import boto3
import pytest
from botocore.credentials import Credentials, RefreshableCredentials

from chalicelib import aws, bus, lean, log
from chalicelib.errors import TooManyRequests, Unavailable
from chalicelib.tracking import queue

URL = "http://sqs.test/000000000000/proofsheet-local-tracking"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def md5(text):
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class Sqs(ThreadingHTTPServer):
    """Keeps messages as SQS does; each fault of `faults` befalls one request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.kept, self.faults, self.requests, self.connections = [], [], [], 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request, client_address):
        self.connections += 1
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """A connection that was reset is what the test wanted."""

    def answer(self, operation, request):
        """(status, body) and what is kept."""
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, tuple):
            return fault
        if operation == "SendMessage":
            body = request["MessageBody"]
            self.kept.append(body)
            return 200, {"MessageId": "m", "MD5OfMessageBody": md5(body if fault != "altered" else body[:-1])}
        refused = fault or {}
        held = [entry for entry in request["Entries"] if entry["Id"] not in refused]
        self.kept += [entry["MessageBody"] for entry in held]
        answer = {"Successful": [{"Id": e["Id"], "MD5OfMessageBody": md5(e["MessageBody"])} for e in held]}
        return 200, answer | ({"Failed": [{"Id": each, **why} for each, why in refused.items()]} if refused else {})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        self.server.requests.append((operation, dict(self.headers), body))
        if self.server.faults and self.server.faults[0] in ("reset", "reset after"):
            if self.server.faults.pop(0) == "reset after":
                self.server.kept.append(json.loads(body)["MessageBody"])
            self.close_connection = True
            return
        status, answer = self.server.answer(operation, json.loads(body))
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def sqs(monkeypatch):
    server = Sqs()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    session = SimpleNamespace(get_credentials=lambda: Credentials("AKID", SECRET, "session-token"))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    monkeypatch.setattr(aws, "sqs", lambda: SimpleNamespace(meta=SimpleNamespace(endpoint_url=server.url)))
    monkeypatch.setattr(bus, "queue_url", lambda _name: URL)
    monkeypatch.setattr(queue, "PAUSES", (0.0, 0.0))
    yield server
    hang_up()
    server.shutdown()
    thread.join()
    server.server_close()


def hang_up():
    while lean.idle:
        lean.idle.pop().close()


def refusal(code, status=400):
    return status, {"__type": f"com.amazonaws.sqs#{code}", "message": "no"}


def test_a_message_arrives_as_it_is(sqs):
    text = '{"name":"Zürich \\u0000 \U0001f600"}'
    queue.send([text])
    assert sqs.kept == [text]


def test_nothing_to_send_asks_nothing(sqs):
    queue.send([])
    assert sqs.requests == []


def test_characters_that_sqs_refuses_are_escaped_and_mean_the_same(sqs):
    text = json.dumps({"name": "a\ufffe\uffffb"}, ensure_ascii=False)
    queue.send([text])
    assert not set("\ufffe\uffff") & set(sqs.kept[0])
    assert json.loads(sqs.kept[0]) == json.loads(text)


def test_many_messages_go_in_batches_that_sqs_takes(sqs):
    texts = [f"{number}" for number in range(23)]
    queue.send(texts)
    assert sqs.kept == texts
    assert [operation for operation, *_ in sqs.requests] == ["SendMessageBatch"] * 3


def test_large_messages_go_in_more_calls(sqs):
    queue.send(["x" * 60_000] * 9)
    sizes = [len(body) for _, _, body in sqs.requests]
    assert len(sqs.kept) == 9
    assert max(sizes) < 256 * 1024 + 1000


def test_only_what_failed_is_sent_again(sqs):
    sqs.faults = [{"1": {"Code": "InternalError", "SenderFault": False}}]
    queue.send(["a", "b", "c"])
    assert sqs.kept == ["a", "c", "b"]


@pytest.mark.parametrize(
    "fault",
    [
        refusal("InternalFailure", 500),
        (503, b"<html>"),
        (200, b""),
        "reset",
        "reset after",
        refusal("RequestThrottled"),
    ],
)
def test_a_passing_fault_loses_nothing(sqs, fault):
    sqs.faults = [fault, fault]
    queue.send(["a"])
    assert set(sqs.kept) == {"a"}
    assert len(sqs.requests) == 3


def test_a_message_that_came_altered_is_sent_again(sqs):
    sqs.faults = ["altered"]
    queue.send(["ab"])
    assert sqs.kept == ["ab", "ab"]


@pytest.mark.parametrize("fault", [(500, b""), "reset", "altered", refusal("InternalFailure", 500)])
def test_after_three_tries_the_sender_is_told(sqs, fault):
    sqs.faults = [fault] * 3
    with pytest.raises(Unavailable):
        queue.send(["ab"])
    assert len(sqs.requests) == 3


def test_half_a_batch_refused_for_good_is_not_a_success(sqs):
    hopeless = {"Code": "InvalidMessageContents", "SenderFault": True}
    sqs.faults = [{"0": hopeless, "2": hopeless}]
    with pytest.raises(Unavailable):
        queue.send(["a", "b", "c", "d"])
    assert sqs.kept == ["b", "d"]
    assert len(sqs.requests) == 1


def test_throttling_is_told_as_such(sqs):
    sqs.faults = [refusal("ThrottlingException")] * 3
    with pytest.raises(TooManyRequests):
        queue.send(["a"])


@pytest.mark.parametrize("code", ["AccessDeniedException", "QueueDoesNotExist"])
def test_what_no_retry_mends_is_not_retried(sqs, code, capsys):
    sqs.faults = [refusal(code)] * 3
    with pytest.raises(Unavailable):
        queue.send(["a"])
    assert len(sqs.requests) == 1
    assert code in capsys.readouterr().out


def test_nobody_there_is_unavailable(sqs, monkeypatch):
    nobody = SimpleNamespace(meta=SimpleNamespace(endpoint_url="http://127.0.0.1:1"))
    monkeypatch.setattr(aws, "sqs", lambda: nobody)
    with pytest.raises(Unavailable):
        queue.send(["a"])


def test_one_connection_serves_many_requests(sqs):
    for _ in range(20):
        queue.send(["a"])
    assert (len(sqs.kept), sqs.connections) == (20, 1)


def test_threads_share_no_connection(sqs):
    threads = [threading.Thread(target=lambda: [queue.send(["a"]) for _ in range(20)]) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(sqs.kept) == len(sqs.requests) == 160
    assert sqs.connections <= 8


def test_a_connection_that_was_closed_meanwhile_is_not_used(sqs):
    queue.send(["a"])
    [idle] = lean.idle
    other, ours = socket.socketpair()
    idle.sock.close()
    idle.sock = ours
    other.close()
    queue.send(["b"])
    assert sqs.kept == ["a", "b"]
    assert (len(sqs.requests), sqs.connections) == (2, 2)


def test_the_signature_is_the_one_that_aws_computes(sqs):
    queue.send(["a"])
    _, headers, body = sqs.requests[0]
    names, signature = re.search(r"SignedHeaders=([^,]+), Signature=(\w+)", headers["Authorization"]).groups()
    assert {"host", "x-amz-date", "x-amz-target", "x-amz-security-token"} <= set(names.split(";"))
    assert signature == expected(headers, names, body)


def expected(headers, names, body):
    """AWS Signature Version 4, by its documentation."""
    lower = {name.lower(): value for name, value in headers.items()}
    canonical = "".join(f"{name}:{lower[name]}\n" for name in names.split(";"))
    request = "\n".join(["POST", "/", "", canonical, names, hashlib.sha256(body).hexdigest()])
    scope = f"{lower['x-amz-date'][:8]}/us-east-1/sqs/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{lower['x-amz-date']}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = b"AWS4" + SECRET.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def test_credentials_that_run_out_are_renewed(sqs, monkeypatch):
    def renewed():
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        return {"access_key": "NEW", "secret_key": "new", "token": "new-token", "expiry_time": later}

    past = datetime.now(UTC) - timedelta(minutes=1)
    old = RefreshableCredentials("OLD", "old", "old-token", past, renewed, "test")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", SimpleNamespace(get_credentials=lambda: old))
    queue.send(["a"])
    _, headers, _ = sqs.requests[0]
    assert headers["X-Amz-Security-Token"] == "new-token"
    assert "Credential=NEW/" in headers["Authorization"]


@pytest.mark.parametrize(("texts", "billed"), [(["a"], 1), (["x" * 60_000] * 4, 4), (["a"] * 10, 1), (["a"] * 11, 2)])
def test_what_sqs_bills_is_counted(sqs, texts, billed):
    calls = {}
    token = log._calls.set(calls)
    queue.send(texts)
    log._calls.reset(token)
    assert calls == {"sqs.SendMessage": billed}
