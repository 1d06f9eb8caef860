"""Devices: SNS's platform endpoints, and who owns which token.

A token belongs to one recipient, the newest who brought it. Its owner's item, with a new claim each time, changes hands
in the same transaction that writes the recipients, see `enrolment`. An endpoint is deleted by its owner alone, who
first marks the token as leaving: so nobody takes over an endpoint that is about to go.

The endpoint carries the account's name. Where accounts share a platform application, a token that another account has
registered is refused.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import msgspec

from chalicelib import aws
from chalicelib.errors import Unavailable
from chalicelib.push.platforms import Platform
from chalicelib.push.recipients import Device
from chalicelib.settings import settings
from chalicelib.store import AccountStore, ConditionFailed

KIND = "token"
THREADS = 24
# After which the request answers, with what was stored until then; API Gateway ends it after 29 s.
SECONDS = 18.0
LEAVING_SECONDS = 60
BUSY = "SNS takes no more devices at the moment; send this recipient again."
LEAVING = "The device is just leaving another recipient; send this recipient again in a minute."
ELSEWHERE = "The token belongs to another account."
THROTTLES = frozenset(
    ("Throttling", "ThrottlingException", "Throttled", "ThrottledException", "TooManyRequestsException")
)
GONE = frozenset(("NotFound", "NotFoundException"))

Token = tuple[Platform, str]


class Problem(msgspec.Struct, frozen=True):
    """Why a device is none. busy: it may be one a little later. field: of the device."""

    reason: str
    field: str = "token"
    busy: bool = False


class Owner(msgspec.Struct, frozen=True):
    """leaving: since when its endpoint is being deleted, Unix seconds; 0 while it is not."""

    recipient: str
    claim: str
    leaving: int = 0


def digest(token: Token) -> str:
    """The key of a token's owner: tokens are too long for a key, and are nobody's business."""
    import hashlib

    return hashlib.sha256(f"{token[0]}\n{token[1]}".encode()).hexdigest()[:40]


def owners(store: AccountStore, tokens: Iterable[Token]) -> dict[Token, Owner]:
    """Those of these tokens that somebody owns."""
    keys = {digest(token): token for token in tokens}
    found = store.get_rows(KIND, ((key, KIND) for key in keys))
    return {
        keys[item["pk"].rpartition("/")[2]]: Owner(item["recipient"], item["claim"], item.get("leaving", 0))
        for item in found
    }


# Endpoints


def register(
    account: str,
    tokens: Iterable[Token],
    *,
    clock: Callable[[], float] = time.monotonic,
    seconds: float = SECONDS,
) -> dict[Token, str | Problem]:
    """The ARN of each token's endpoint, made or found, and enabled; or why there is none.

    Asks for many at once, and for no more after `seconds`: the rest are busy.
    """
    wanted, end = list(tokens), clock() + seconds
    aws.sns()  # made once, before threads ask for it

    def made(token: Token) -> str | Problem:
        return _made(account, token) if clock() < end else Problem(BUSY, busy=True)

    return dict(zip(wanted, at_once(made, wanted), strict=True))


def application(platform: Platform) -> str:
    """ARN of SNS's platform application; empty where none is configured."""
    known = {
        "APNS": settings().apns_application,
        "APNS_SANDBOX": settings().apns_sandbox_application,
        "GCM": settings().fcm_application,
    }
    return known[platform]


def _made(account: str, token: Token) -> str | Problem:
    platform, text = token
    if not (arn := application(platform)):
        return Problem(f"No platform application is configured for {platform}.", field="platform")
    try:
        answer = aws.sns().create_platform_endpoint(
            PlatformApplicationArn=arn, Token=text, CustomUserData=account, Attributes={"Enabled": "true"}
        )
    except Exception as error:
        if found := re.search(r"Endpoint (arn:\S+) already exists", aws.error_text(error)):
            return _tried(lambda: _taken_over(account, text, found[1]))
        return _problem(error)
    return answer["EndpointArn"]


def _taken_over(account: str, token: str, endpoint: str) -> str | Problem:
    """An endpoint that exists with other attributes: it is disabled, or somebody else's."""
    known = aws.sns().get_endpoint_attributes(EndpointArn=endpoint)["Attributes"]
    if known.get("CustomUserData", account) not in ("", account):
        return Problem(ELSEWHERE)
    attributes = {"Enabled": "true", "Token": token, "CustomUserData": account}
    aws.sns().set_endpoint_attributes(EndpointArn=endpoint, Attributes=attributes)
    return endpoint


def _tried(make: Callable[[], str | Problem]) -> str | Problem:
    try:
        return make()
    except Exception as error:
        return _problem(error)


def _problem(error: Exception) -> Problem:
    """What the caller can mend, as a problem; the rest is raised."""
    code = aws.error_code(error)
    if code in THROTTLES or aws.unanswered(error) or _status(error) >= 500:
        return Problem(BUSY, busy=True)
    if code in GONE:
        # The application is gone, or the endpoint went between two requests: only the second is over soon.
        gone = "PlatformApplication" in aws.error_text(error)
        return (
            Problem("The platform application does not exist.", field="platform") if gone else Problem(BUSY, busy=True)
        )
    if code in ("PlatformApplicationDisabled", "PlatformApplicationDisabledException"):
        return Problem("The platform application is disabled.", field="platform")
    if code in ("InvalidParameter", "InvalidParameterException"):
        return Problem(f"SNS refuses the token: {aws.error_text(error)[:200]}")
    raise error


def _status(error: Any) -> int:
    return int((getattr(error, "response", None) or {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def retire(store: AccountStore, recipient: str, devices: Iterable[Device], now: float | None = None) -> None:
    """Delete the endpoints of devices that this recipient owns; those that others own now are left alone.

    Safe to repeat, from wherever it was interrupted. Raises Unavailable when SNS is busy.
    """
    for device in devices:
        key, mine = digest((device.platform, device.token)), {"recipient": recipient, "claim": device.claim}
        values = {**mine, "now": int(time.time() if now is None else now)}
        condition = "#recipient = :recipient AND #claim = :claim"
        with suppress(ConditionFailed):
            store.update(KIND, key, "SET #leaving = :now", values, condition=condition)
            _delete(device.endpoint)
            store.remove(KIND, key, mine, condition=condition)


def _delete(endpoint: str) -> None:
    try:
        aws.sns().delete_endpoint(EndpointArn=endpoint)  # SNS is content if there is none
    except Exception as error:
        if aws.error_code(error) not in GONE:
            raise Unavailable("SNS does not delete a device; try again soon.") from error


def at_once[T, R](work: Callable[[T], R], items: list[T]) -> list[R]:
    """The results of work that waits for AWS most of the time, in the order of the items."""
    from concurrent.futures import ThreadPoolExecutor

    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(THREADS, len(items))) as threads:
        return list(threads.map(work, items))
