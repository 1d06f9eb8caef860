"""One publish through SNS, tried once: a hidden second try after a lost answer is a message that comes twice.

| answer of SNS                                        | result                | was it sent? |
|------------------------------------------------------|-----------------------|--------------|
| 200 with a message id                                | Sent                  | yes          |
| throttled; no connection; 401 and 403, which are ours | Refused "throttled"  | no           |
| OptedOut, or a parameter that is an opted-out number | Refused "opted_out"   | no           |
| EndpointDisabled, or an endpoint that was deleted    | Refused "disabled"    | no           |
| any other 4xx                                        | Refused "invalid"     | no           |
| 5xx, no whole answer in time, anything else          | Unsure                | perhaps      |

"API_Publish" of the SNS reference lists the codes; throttling is among the errors common to all services.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

import msgspec

from chalicelib import lean, log

if TYPE_CHECKING:
    from collections.abc import Mapping

THROTTLES = frozenset(
    (
        *("Throttling", "ThrottlingException", "Throttled", "ThrottledException", "TooManyRequestsException"),
        *("RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "KMSThrottling", "SlowDown"),
    )
)
# Nothing that this recipient can help: the credentials or the clock are wrong, and all others would fail as well.
OURS = frozenset(
    (
        *(
            "AuthorizationError",
            "AccessDenied",
            "InvalidSecurity",
            "InvalidClientTokenId",
            "UnrecognizedClientException",
        ),
        *("SignatureDoesNotMatch", "ExpiredToken", "RequestExpired", "MissingAuthenticationToken", "OptInRequired"),
        *("PlatformApplicationDisabled",),
    )
)
RETRY_SECONDS = 1.0
RETRY_OURS_SECONDS = 30.0
LONGEST_REASON = 200


class Sent(msgspec.Struct, frozen=True):
    message: str


class Refused(msgspec.Struct, frozen=True):
    """Certainly not sent. reason: SNS's code and text. retry_after: seconds, of "throttled"."""

    why: Literal["throttled", "invalid", "opted_out", "disabled"]
    reason: str
    retry_after: float = 0.0


class Unsure(msgspec.Struct, frozen=True):
    """SNS may have sent it."""

    reason: str


Outcome = Sent | Refused | Unsure


def sms(phone: str, text: str) -> Outcome:
    """phone: E.164."""
    return _publish({"PhoneNumber": phone, "Message": text})


def push(endpoint: str, message: str, attributes: Mapping[str, Mapping[str, str]]) -> Outcome:
    """endpoint: ARN of a platform endpoint. message, attributes: of `platforms`."""
    fields = {"TargetArn": endpoint, "Message": message, "MessageStructure": "json"}
    for number, (name, value) in enumerate(attributes.items(), 1):
        entry = f"MessageAttributes.entry.{number}"
        fields |= {f"{entry}.Name": name, f"{entry}.Value.DataType": value["DataType"]}
        fields[f"{entry}.Value.StringValue"] = value["StringValue"]
    return _publish(fields)


def _publish(fields: dict[str, str]) -> Outcome:
    body = urlencode({"Action": "Publish", "Version": "2010-03-31", **fields}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    log.count("sns.Publish")
    try:
        status, answer = lean.post("sns", lean.endpoint("sns"), headers, body)
    except lean.Unanswered as error:
        return Unsure(error.code) if error.sent else Refused("throttled", error.code, RETRY_SECONDS)
    return outcome(status, answer)


def outcome(status: int, answer: bytes) -> Outcome:
    """What SNS's answer says of the message."""
    if status == 200:
        message = _tag("MessageId", answer)
        return Sent(message) if message else Unsure("200 without a message id")
    code = _tag("Code", answer)
    # The reason outlives the recipient: SNS repeats phone numbers in it.
    reason = re.sub(r"\+?\d{7,}", "...", f"{code or status}: {_tag('Message', answer)}")[:LONGEST_REASON]
    if code in THROTTLES or status == 429:
        return Refused("throttled", reason, RETRY_SECONDS)
    if code in OURS or status in (401, 403):
        return Refused("throttled", reason, RETRY_OURS_SECONDS)
    if not 400 <= status < 500 or not code:
        return Unsure(reason)
    return Refused(_why(code, reason), reason)


def _why(code: str, reason: str) -> Literal["invalid", "opted_out", "disabled"]:
    if code == "OptedOut" or "opted out" in reason.lower():
        return "opted_out"
    # A deleted endpoint is an invalid parameter to SNS.
    is_gone = code in ("EndpointDisabled", "NotFound") or "no endpoint found" in reason.lower()
    return "disabled" if is_gone else "invalid"


def _tag(name: str, answer: bytes) -> str:
    found = re.search(rf"<{name}>([^<]+)</{name}>", answer.decode(errors="replace"))
    return found[1] if found else ""
