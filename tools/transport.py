"""How the client talks: connections that are kept, polite retries, decoded answers, clear errors.

ApiError            anything the caller has to know; the message is one line for a person
├── Unreachable     nothing answers at the address, or it is not Proofsheet
├── Refused         the API said no: status, code and message as it gave them
└── Stalled         no progress for too long
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from chalicelib import contract

CONNECTIONS = 16
TIMEOUT = (5, 60)  # seconds to connect, and without a byte of the answer
LONGEST_PAUSE = 60  # seconds, whatever Retry-After says


class ApiError(Exception):
    """Something went wrong; the message is one line for a person."""


class Unreachable(ApiError):
    def __init__(self, url: str, why: str):
        super().__init__(f"{url} {why}")


class Refused(ApiError):
    def __init__(self, status: int, code: str, message: str, field: str | None = None):
        super().__init__(f"The API refused ({status} {code}): {message}" + (f" [{field}]" if field else ""))
        self.status = status
        self.code = code


class Stalled(ApiError):
    pass


@dataclass(frozen=True)
class Bearer(requests.auth.AuthBase):
    """An explicit authorization, which ~/.netrc may not replace."""

    token: str

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class Transport:
    """Calls of the API with one token, and of what the API points at. Safe to share between threads."""

    def __init__(self, base_url: str, token: str):
        self.base_url = base_url.rstrip("/")
        self._auth = Bearer(token)
        self._http = session(local=urlsplit(self.base_url).hostname in ("127.0.0.1", "localhost"))

    def call[Answer](
        self,
        method: str,
        path: str,
        kind: type[Answer] | None,
        body: dict[str, Any] | None = None,
        *,
        query: dict[str, Any] | None = None,
        once: bool = False,
    ) -> Answer:
        """One call of the API, decoded. once: a retry of this call must not do it twice."""
        headers = {"Idempotency-Key": uuid.uuid4().hex} if once else {}
        answer = self.reach(method, self.base_url + path, auth=self._auth, json=body, params=query, headers=headers)
        if not answer.ok:
            raise _refused(answer)
        try:
            return msgspec.json.decode(answer.content or b"null", type=kind)
        except msgspec.MsgspecError:
            raise Unreachable(self.base_url, f"does not answer {method} {path} as Proofsheet does.") from None

    def reach(self, method: str, url: str, **request: Any) -> requests.Response:
        try:
            return self._http.request(method, url, timeout=TIMEOUT, **request)
        except requests.RequestException as error:
            raise Unreachable(_origin(url), f"cannot be reached: {_cause(error)}.") from None


def session(*, local: bool) -> requests.Session:
    """A pool of connections that waits and tries again when the other side asks for it with 429 or 503.

    local: the API is on this machine, so no proxy of the environment stands between.
    """
    retry = Retry(
        total=8,
        connect=2,
        read=2,
        status_forcelist=(429, 503),
        allowed_methods=None,  # every call here may be repeated, see `once`
        backoff_factor=0.25,
        backoff_jitter=0.25,
        backoff_max=10,
        raise_on_status=False,
        retry_after_max=LONGEST_PAUSE,
    )
    http = requests.Session()
    http.trust_env = not local
    for scheme in ("http://", "https://"):
        http.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS, max_retries=retry))
    return http


def _refused(answer: requests.Response) -> ApiError:
    try:
        error = msgspec.json.decode(answer.content, type=contract.Refusal).error
    except msgspec.MsgspecError:
        return Unreachable(_origin(answer.url), f"answers {answer.status_code}, and not as Proofsheet does.")
    return Refused(answer.status_code, error.code, error.message, error.field)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else url


def _cause(error: BaseException) -> str:
    """The innermost reason in a few words, without the library's object names."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "no secure connection"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error).rstrip(".")
