"""Run a service over an SQS batch; report only what failed, so that a bad message never harms its neighbours."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from chalicelib import log

Failures = dict[str, list[dict[str, str]]]


def run(records: Iterable[Any], handle: Callable[[dict[str, Any], int], None]) -> Failures:
    """Call handle(payload, attempt) for each record; the answer names the messages that SQS shall deliver again.

    attempt: 1 at the first delivery (ApproximateReceiveCount).
    """
    failed = []
    for record in records:
        raw = record.to_dict()
        try:
            payload = msgspec.json.decode(raw["body"], type=dict[str, Any])
            with log.correlation(payload.get("correlation")):
                handle(payload, int(raw.get("attributes", {}).get("ApproximateReceiveCount", 1)))
        except Exception:
            log.exception("message failed", sqs_message=raw.get("messageId"))
            failed.append({"itemIdentifier": raw["messageId"]})
    return {"batchItemFailures": failed}
