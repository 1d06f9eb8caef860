"""HTTP at the edge: who calls, what the body says, and what the answer looks like.

One declaration of a route (`Api.get`, `Api.post`, ...) checks the caller, validates the request, shapes every error
and feeds the OpenAPI document, so that the contract and the code cannot drift apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Literal, Protocol
from urllib.parse import unquote

import msgspec
from chalice.app import CaseInsensitiveMapping, Chalice, CORSConfig, Response

from chalicelib import aws, ids, log
from chalicelib.auth import Principal
from chalicelib.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    ProofsheetError,
    TooLarge,
    TooManyRequests,
    Unavailable,
    Unprocessable,
    UnsupportedType,
)
from chalicelib.settings import settings
from chalicelib.store import AccountStore

Access = Literal["open", "member", "admin"]

NOBODY = Principal("", "", frozenset())
MAX_JSON_BYTES = 1024 * 1024
REFUSED_SECONDS = 60
# What the client sent as Accept; Chalice itself must not see it.
ACCEPT = "proofsheet-accept"
CORS = CORSConfig(
    allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
    expose_headers=["X-Request-Id", "Retry-After", "Location", "X-Variant"],
    max_age=600,
)
# msgspec says what it expected: a bound that valid JSON breaks is 422, a wrong shape is 400.
BOUND = re.compile(r"^Expected `\w+( \| null)?` (of length|<|>|that's|matching)")
# What names a thing in a path, other people's ids among them; DynamoDB would refuse a key of more than 2 kB, as if it
# were our fault.
PATH_VALUE = re.compile(r"[0-9A-Za-z_.@:+|=~\-]{1,100}")
# Codes of AWS that mean "slow down" rather than "broken".
THROTTLES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "TooManyRequestsException",
        "RequestThrottled",
        "Throttled",
        "ThrottledException",
        "OverLimit",
    }
)


class Call(msgspec.Struct, frozen=True):
    """One request, checked: the caller, the decoded body and query, and the raw bytes where a route takes those.

    ip: the sender's address, which nobody may store whole.
    path: the request's, with what stands before our routes in the address ("/api/docs"), as a redirect needs it.
    """

    principal: Principal
    body: Any
    query: Any
    raw: bytes
    headers: Mapping[str, str]
    ip: str
    path: str

    @property
    def store(self) -> AccountStore:
        """The caller's own items, and nobody else's."""
        return AccountStore(self.principal.account)

    @property
    def accept(self) -> str:
        """The Accept header as the client sent it."""
        return self.headers.get(ACCEPT, "")


class Endpoint(msgspec.Struct, frozen=True):
    """The declaration of a route, as the OpenAPI document reads it."""

    method: str
    path: str
    view: Callable[..., Any]
    access: Access = "member"
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    answer: Any = None
    status: int = 200
    takes_bytes: tuple[str, ...] = ()
    gives: str = "application/json"
    tag: str = ""
    refuses: tuple[int, ...] = ()
    others: tuple[int, ...] = ()  # statuses of success beside `status`
    head: bool = False  # takes HEAD, too
    caches_refusals: bool = False  # a cache may keep a 4xx for REFUSED_SECONDS, so that a broken page costs little

    @property
    def replays(self) -> bool:
        """Whether it takes an Idempotency-Key; keys of callers without a name would be each other's."""
        return self.method == "POST" and self.body is not None and self.access != "open"


class Api:
    """Routes of a Chalice app with authorization, validation and one error shape.

    authorize: the Authorization header -> Principal, or Unauthorized.
    replay: (principal, key, digest of the request, make) -> body; runs `make` once for an Idempotency-Key.
    """

    def __init__(
        self,
        app: Chalice,
        authorize: Callable[[str | None], Principal],
        replay: Callable[[Principal, str, str, Callable[[], bytes]], bytes],
    ):
        self.app = app
        self.authorize = authorize
        self.replay = replay
        self.endpoints: list[Endpoint] = []
        app.api.cors = CORS
        # API Gateway looks only at the first type in Accept, so images need the binary type "*/*"; Chalice then
        # refuses a client without Accept, hence the middleware (aws/chalice 391, 1095, 1523).
        app.api.binary_types = ["*/*"]
        app.middleware("http")(accept_any)

    def get(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return self._route("GET", path, declared)

    def post(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return self._route("POST", path, declared)

    def put(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return self._route("PUT", path, declared)

    def delete(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return self._route("DELETE", path, {"status": 204, **declared})

    def _route(self, method: str, path: str, declared: dict[str, Any]) -> Callable[..., Any]:
        def register(view: Callable[..., Any]) -> Callable[..., Any]:
            endpoint = Endpoint(method, path, view, **declared)
            self.endpoints.append(endpoint)

            @wraps(view)
            def handle(**path_values: str) -> Response:
                # API Gateway has decoded them, chalice local has not; what is taken has no percent sign.
                return self._handle(endpoint, {name: unquote(value) for name, value in path_values.items()})

            # "*/*" because this module checks the content type itself and answers in the contract's shape.
            methods = [method, "HEAD"] if endpoint.head else [method]
            self.app.route(path, methods=methods, cors=CORS, content_types=["*/*"])(handle)
            return view

        return register

    def _handle(self, endpoint: Endpoint, path_values: dict[str, str]) -> Response:
        request = self.app.current_request
        request_id = getattr(self.app.lambda_context, "aws_request_id", None) or ids.new_id()
        with log.correlation(request_id):
            try:
                response = self._answer(endpoint, request, path_values)
            except Exception as error:
                response = refuse(error)
                response.headers["Cache-Control"] = cache_refusal(endpoint, response.status_code)
            response.headers["X-Request-Id"] = request_id
            log.info("request", method=endpoint.method, path=endpoint.path, status=response.status_code)
        return response

    def _answer(self, endpoint: Endpoint, request: Any, path_values: dict[str, str]) -> Response:
        call = Call(
            principal=self._admit(endpoint, request, path_values),
            body=read_body(endpoint, request),
            query=read_query(endpoint, request.query_params or {}),
            raw=request.raw_body if endpoint.takes_bytes else b"",
            headers=request.headers,
            ip=(request.context.get("identity") or {}).get("sourceIp") or "",
            path=request.context.get("path") or "/",
        )

        def encode() -> bytes:
            return msgspec.json.encode(endpoint.view(call, **path_values))

        key = request.headers.get("idempotency-key") if endpoint.replays else None
        if key is not None:
            digest = _digest(endpoint, request)
            return json_response(self.replay(call.principal, idempotency_key(key), digest, encode), endpoint.status)
        result = endpoint.view(call, **path_values)
        if isinstance(result, Response):
            return result
        if endpoint.status == 204:
            # chalice local sends the body with its length, and 204 must have none; API Gateway wants a string.
            return Response(b"", status_code=204, headers={"Content-Type": "application/json"})
        return json_response(msgspec.json.encode(result), endpoint.status)

    def _admit(self, endpoint: Endpoint, request: Any, path_values: dict[str, str]) -> Principal:
        principal = NOBODY if endpoint.access == "open" else self.authorize(request.headers.get("authorization"))
        if endpoint.access not in {"open", *principal.roles}:
            raise Forbidden(f"This needs the role {endpoint.access}.")
        if not all(PATH_VALUE.fullmatch(value) for value in path_values.values()):
            raise NotFound("There is nothing of this name.")
        return principal


def _digest(endpoint: Endpoint, request: Any) -> str:
    import hashlib

    return hashlib.sha256(f"{endpoint.method} {request.path}\n".encode() + request.raw_body).hexdigest()


def accept_any(request: Any, get_response: Callable[[Any], Response]) -> Response:
    accept = request.headers.get("accept", "")
    request.headers = CaseInsensitiveMapping({**request.headers, "accept": "*/*", ACCEPT: accept})
    return get_response(request)


def cache_refusal(endpoint: Endpoint, status: int) -> str:
    """The Cache-Control of a refusal: a slow-down and our own failures are over soon, so nobody may keep them."""
    kept = endpoint.caches_refusals and 400 <= status < 500 and status != 429
    return f"public, max-age={REFUSED_SECONDS}" if kept else "no-store"


def json_response(body: bytes, status: int, headers: dict[str, str] | None = None) -> Response:
    own = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Response(body, status_code=status, headers={**own, **(headers or {})})


class Outcome(Protocol):
    """An answer that is no JSON of ours: an image, or a redirect."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> dict[str, str]: ...
    @property
    def body(self) -> bytes: ...


def plain(outcome: Outcome) -> Response:
    # Without a type of its own Chalice would call an empty body JSON.
    headers = {"Content-Type": "application/octet-stream", **outcome.headers}
    return Response(outcome.body, status_code=outcome.status, headers=headers)


def redirect(headers: dict[str, str]) -> Response:
    """302 to the Location among the headers."""
    return Response(b"", status_code=302, headers={"Content-Type": "application/octet-stream", **headers})


def asset(name: str) -> Response:
    """A file of the docs page; it loads nothing from another host, and may not."""
    from chalicelib import web

    return _file(lambda: web.asset(name), "public, max-age=3600")


def dashboard() -> Response:
    """The dashboard's page, which names the files of this very version: it is asked for anew at each visit."""
    from chalicelib import web
    from chalicelib.web import policy

    response = _file(web.page, "no-cache")
    response.headers.update(policy.headers(settings()))
    return response


def dashboard_asset(version: str, name: str) -> Response:
    """A file of the dashboard, for ever the same under this address. Raises NotFound for those of another version."""
    from chalicelib import web

    return _file(lambda: web.dashboard_asset(version, name), "public, max-age=31536000, immutable")


def _file(read: Callable[[], tuple[bytes, str]], kept: str) -> Response:
    """read: content and content type, or KeyError. kept: the Cache-Control."""
    try:
        body, content_type = read()
    except KeyError:
        raise NotFound("There is no such file.") from None
    headers = {"Content-Type": content_type, "Cache-Control": kept, "X-Content-Type-Options": "nosniff"}
    return Response(body, headers=headers)


def idempotency_key(key: str) -> str:
    if not 1 <= len(key) <= 200 or not key.isprintable():
        raise BadRequest("Idempotency-Key takes 1 to 200 printable characters.", field="Idempotency-Key")
    return key


def read_body(endpoint: Endpoint, request: Any) -> Any:
    if endpoint.takes_bytes:
        _check_type(request, endpoint.takes_bytes)
        return None
    if endpoint.body is None:
        return None
    raw = request.raw_body
    if raw or "content-type" in request.headers:
        _check_type(request, ("application/json",))
    raw = raw or b"{}"  # nothing sent: enough where every field is optional
    if len(raw) > MAX_JSON_BYTES:
        raise TooLarge("A JSON body takes at most 1 MiB.")
    try:
        return msgspec.convert(whole(msgspec.json.decode(raw)), endpoint.body)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not valid JSON: {error}") from None


def whole(value: Any) -> Any:
    """JSON knows no integers: 5.0 is 5, as JSON Schema has it and as some clients write it."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole(each) for each in value]
    return {name: whole(each) for name, each in value.items()} if isinstance(value, dict) else value


def _check_type(request: Any, accepted: tuple[str, ...]) -> None:
    given = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if given not in accepted:
        raise UnsupportedType(f"Content-Type must be {' or '.join(accepted)}.", field="Content-Type")


def read_query(endpoint: Endpoint, given: Mapping[str, str]) -> Any:
    if endpoint.query is None:
        return None
    repeated = getattr(given, "getlist", lambda name: [given[name]])
    for name in given:
        if len(repeated(name)) > 1:
            raise BadRequest(f"{name} is given more than once.", field=name)
    try:
        return msgspec.convert(dict(given), endpoint.query, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error) from None


def invalid(error: msgspec.ValidationError) -> ProofsheetError:
    """msgspec's message as our error: the field's path, and 422 for a bound that valid JSON breaks."""
    message, _, path = str(error).partition(" - at `$")
    path = path.removesuffix("`").lstrip(".")
    named = re.search(r"(?:missing required|contains unknown) field `([^`]+)`", message)
    if named:
        path = f"{path}.{named[1]}".lstrip(".")
    kind = Unprocessable if BOUND.match(message) else BadRequest
    return kind(message, field=path or None)


def refuse(error: Exception) -> Response:
    """The answer to an exception; what the caller cannot mend is logged and says nothing of the inside."""
    known = error if isinstance(error, ProofsheetError) else _from_aws(error)
    if known is None:
        log.exception("request failed")
        known = ProofsheetError("Something went wrong on our side; the request id finds it in the logs.")
    body = {"code": known.code, "message": known.message}
    if known.field:
        body["field"] = known.field
    headers = {} if known.retry_after is None else {"Retry-After": str(known.retry_after)}
    if known.STATUS_CODE == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return json_response(msgspec.json.encode({"error": body}), known.STATUS_CODE, headers)


def _from_aws(error: Exception) -> ProofsheetError | None:
    code = aws.error_code(error)
    if code in THROTTLES:
        return TooManyRequests("Too many requests at once; try again soon.")
    if type(error).__module__.startswith("botocore"):
        log.exception("AWS refused", aws_code=code)
        return Unavailable("A service that this needs does not answer; try again soon.")
    return None
