"""`chalice local` with the manners of API Gateway."""

import socket
import time

import pytest
import requests


def call(method, url, **options):
    return requests.request(method, url, timeout=10, **options)


@pytest.fixture
def url(observer):
    return observer.local.base_url


def assert_refused(answer, status, code):
    assert answer.status_code == status
    assert answer.json()["error"].keys() == {"code", "message"}
    assert answer.json()["error"]["code"] == code
    assert answer.headers["X-Request-Id"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_route_answers(url):
    answer = call("GET", f"{url}/version")
    assert answer.json()["version"] == 1
    assert answer.headers["Content-Type"] == "application/json"


def test_an_unknown_path_is_not_found_with_or_without_a_token(url):
    assert_refused(call("GET", f"{url}/nothing"), 404, "not_found")
    assert_refused(call("GET", f"{url}/nothing", headers={"Authorization": "Bearer \xe9"}), 404, "not_found")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "FANCY"])
def test_a_wrong_method_is_not_allowed(url, method):
    assert_refused(call(method, f"{url}/version"), 405, "method_not_allowed")


def test_head_is_answered_without_a_body(url):
    with requests.Session() as session:
        assert session.head(f"{url}/version").status_code == 405
        assert session.get(f"{url}/version").status_code == 200


def test_head_of_a_route_that_takes_it_has_its_headers_and_no_body(url):
    with requests.Session() as session:
        head = session.head(f"{url}/picture")
        get = session.get(f"{url}/picture")
    assert (head.status_code, head.headers["ETag"], head.content) == (200, '"1"', b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == "256"
    assert get.content == bytes(range(256))


def test_a_refusal_of_the_authorizer_has_the_form_of_every_error(url):
    assert_refused(call("GET", f"{url}/secret"), 401, "unauthorized")
    assert_refused(call("GET", f"{url}/secret", headers={"Authorization": "x"}), 403, "forbidden")


def test_a_preflight_is_answered_by_the_gateway(url):
    answer = call("OPTIONS", f"{url}/version")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Methods"] == "GET,OPTIONS"
    assert answer.headers["X-Request-Id"]


def test_a_body_reaches_the_view_byte_for_byte(url):
    headers = {"Content-Type": "image/png", "X-ID": "seven"}
    answer = call("POST", f"{url}/echo", data=bytes(range(256)) * 40_000, headers=headers)
    assert answer.json() == {"bytes": 10_240_000, "id": "seven"}


def test_a_body_over_ten_megabytes_is_too_large(url):
    body = bytes(10 * 1024 * 1024 + 1)
    answer = call("POST", f"{url}/echo", data=body, headers={"Content-Type": "image/png"})
    assert_refused(answer, 413, "too_large")


def test_a_chunked_body_needs_a_length(url):
    answer = call("POST", f"{url}/echo", data=iter([b"a", b"b"]), headers={"Content-Type": "image/png"})
    assert_refused(answer, 411, "length_required")


def raw(observer, request):
    """The bytes that come back until the server closes or a second passes."""
    with socket.create_connection(("127.0.0.1", observer.local.ports.api), timeout=3) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nshort", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n", 413),
        (b"GET\r\n\r\n", 400),
        (b"GET /version HTTP/9.9\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /version HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    ],
)
def test_a_request_that_is_no_http_gets_a_clean_answer(observer, request_bytes, status):
    answer = raw(observer, request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b'{"error": {"code"' in answer


def test_an_expected_body_is_asked_for(observer):
    request = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 2\r\n"
    answer = raw(observer, request + b"Expect: 100-continue\r\nConnection: close\r\n\r\nab")
    assert answer.startswith(b"HTTP/1.1 100 ")
    assert b'"bytes":2' in answer


def test_a_kept_connection_answers_without_delay(url):
    """Nagle's algorithm and delayed acknowledgements would cost 40 ms a request."""
    with requests.Session() as session:
        session.get(f"{url}/version")
        times = []
        for _ in range(20):
            started = time.perf_counter()
            session.post(f"{url}/echo", json={})
            times.append(time.perf_counter() - started)
    assert sorted(times)[10] < 0.04


def test_two_hundred_connections_at_once_are_all_served(observer):
    address = ("127.0.0.1", observer.local.ports.api)
    connections = [socket.create_connection(address, timeout=10) for _ in range(200)]
    for connection in connections:
        connection.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answers = [connection.recv(65536) for connection in connections]
    for connection in connections:
        connection.close()
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
