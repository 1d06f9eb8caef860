"""Run a service over an SQS batch; report only what failed, so that a bad message never harms its neighbors."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from chalicelib import log

Failures = dict[str, list[dict[str, str]]]
Handle = Callable[[dict[str, Any], int], None]


def run(records: Iterable[Any], handle: Handle) -> Failures:
    """Call handle(payload, attempt) for each record; the answer names the messages that SQS shall deliver again.

    attempt: 1 at the first delivery (ApproximateReceiveCount).
    """
    messages = [record.to_dict() for record in records]
    failed = [message["messageId"] for message in messages if not _handled(message, handle)]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _handled(message: dict[str, Any], handle: Handle) -> bool:
    try:
        payload = msgspec.json.decode(message["body"], type=dict[str, Any])
    except msgspec.DecodeError:
        log.exception("message is not JSON", sqs_message=message["messageId"])
        return False
    with log.correlation(payload.get("correlation")):
        try:
            handle(payload, int(message["attributes"].get("ApproximateReceiveCount", 1)))
        except Exception:
            log.exception("message failed", sqs_message=message["messageId"])
            return False
    return True
