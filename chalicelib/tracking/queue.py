"""Messages onto the tracking queue, by a signed request of our own: boto3 takes three times the processor time.

Whatever is unsure is sent again: a message that comes twice is counted once.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from chalicelib import aws, bus, lean, log
from chalicelib.errors import TooManyRequests, Unavailable

QUEUE = "tracking"
BATCH_MESSAGES = 10  # the limit of SQS
BATCH_BYTES = 256 * 1024  # a quarter of what SQS takes in one call
BILLED_BYTES = 64 * 1024  # each such part of a call is a request on the bill
PAUSES = (0.05, 0.2)  # seconds before the second and the third try
THROTTLES = frozenset({"ThrottlingException", "RequestThrottled", "OverLimit", "KmsThrottled"})
# SQS refuses these two; in JSON they can be written as escapes.
ESCAPES = {"\ufffe": "\\ufffe", "\uffff": "\\uffff"}


class Refused(Exception):
    """The queue said no, or nothing that can be understood. again: whether another try may help."""

    def __init__(self, code: str, *, again: bool):
        super().__init__(code)
        self.code = code
        self.again = again


def send(bodies: list[str]) -> None:
    """Put JSON texts on the queue, in any order; returns only when SQS holds every one of them unchanged.

    Raises Unavailable, or TooManyRequests where SQS throttles, after three tries of what it did not take.
    """
    left, refused = [_escaped(body) for body in bodies], Refused("", again=True)
    for pause in (*PAUSES, None):
        left, refused = _try(left)
        if not left:
            return
        if pause is None or not refused.again:
            break
        time.sleep(pause)
    log.warning("tracking queue refused", code=refused.code, messages=len(left))
    kind = TooManyRequests if refused.code in THROTTLES else Unavailable
    raise kind("The events could not be queued; send them again.")


def _escaped(body: str) -> str:
    for character, escape in ESCAPES.items():
        body = body.replace(character, escape)
    return body


def _try(bodies: list[str]) -> tuple[list[str], Refused]:
    """Send each once: those that SQS does not hold, and why the last of them was not taken."""
    left, refused = [], Refused("", again=True)
    for batch in _batches(bodies):
        try:
            failed, reason = _send_one(batch[0]) if len(batch) == 1 else _send_batch(batch)
        except Refused as error:
            failed, reason = batch, error
        left += failed
        refused = reason or refused
    return left, refused


def _batches(bodies: list[str]) -> list[list[str]]:
    batches: list[list[str]] = []
    room = 0
    for body in bodies:
        size = len(body.encode())
        if not batches or size > room or len(batches[-1]) == BATCH_MESSAGES:
            batches.append([])
            room = BATCH_BYTES
        batches[-1].append(body)
        room -= size
    return batches


def _send_one(body: str) -> tuple[list[str], Refused | None]:
    answer = ask("SendMessage", {"QueueUrl": bus.queue_url(QUEUE), "MessageBody": body})
    log.count("sqs.SendMessage", _billed([body]))
    intact = answer.get("MD5OfMessageBody") == _md5(body)
    return ([], None) if intact else ([body], Refused("altered", again=True))


def _send_batch(bodies: list[str]) -> tuple[list[str], Refused | None]:
    entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)]
    answer = ask("SendMessageBatch", {"QueueUrl": bus.queue_url(QUEUE), "Entries": entries})
    log.count("sqs.SendMessage", _billed(bodies))
    held = {each["Id"]: each.get("MD5OfMessageBody") for each in answer.get("Successful") or ()}
    left = [body for index, body in enumerate(bodies) if held.get(str(index)) != _md5(body)]
    failed = answer.get("Failed") or ()
    code = str(failed[0].get("Code", "")) if failed else "altered"
    hopeless = any(each.get("SenderFault") and each.get("Code") not in THROTTLES for each in failed)
    return left, Refused(code, again=not hopeless) if left else None


def _billed(bodies: list[str]) -> int:
    return -(-sum(len(body.encode()) for body in bodies) // BILLED_BYTES)


def _md5(text: str) -> str:
    import hashlib

    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def ask(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """One request of SQS's JSON protocol; its answer, or Refused."""
    body = msgspec.json.encode(request)
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{operation}"}
    try:
        status, data = lean.post("sqs", aws.sqs().meta.endpoint_url, headers, body)
    except lean.Unanswered as error:
        raise Refused(error.code, again=True) from error
    try:
        answer = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError:
        answer = {}
    if status == 200 and answer:
        return answer
    code = str(answer.get("__type", status)).rpartition("#")[2]
    raise Refused(code, again=status >= 500 or status in (200, 429) or code in THROTTLES)
