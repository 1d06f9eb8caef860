"""What the parts tell each other: event names, payloads, and the two ways to deliver work.

Events go over EventBridge's default bus with the stage in every detail, because stages share that bus. They carry ids,
never pixels; whoever handles one reads the state for itself, so late, double and reordered events do no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import msgspec

from chalicelib import aws, ids, log
from chalicelib.errors import Unavailable
from chalicelib.settings import settings

SOURCE = "proofsheet"
VERSION = 1
EVENTS_A_CALL = 10
IMAGE_WORKERS = ("quality", "color", "composition", "content", "faces", "score")
WORKERS = (*IMAGE_WORKERS, "train", "plan", "send_sms", "send_push")


class Event(msgspec.Struct, frozen=True):
    account: str
    detail_type: ClassVar[str]

    def detail(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "stage": settings().stage,
            "correlation": _correlation(),
            **msgspec.structs.asdict(self),
        }


class ProcessImageRequest(Event, frozen=True):
    detail_type: ClassVar[str] = "Process Image Request"
    image: str
    properties: tuple[str, ...]
    use_queue: bool = True


class ImageProcessed(Event, frozen=True):
    detail_type: ClassVar[str] = "Image Processed"
    image: str


class ImageScored(Event, frozen=True):
    """The image has a score by `model`; or, with `model` empty, it failed and never will."""

    detail_type: ClassVar[str] = "Image Scored"
    image: str
    model: str


class RankingComplete(Event, frozen=True):
    detail_type: ClassVar[str] = "Ranking Complete"
    ranking: str


class ModelTrained(Event, frozen=True):
    """A training, or a roll-back, has ended. state: of that version of the model, see `training.versions`."""

    detail_type: ClassVar[str] = "Model Trained"
    model: str
    model_version: int
    state: str


def pattern(event: type[Event], **values: str) -> dict[str, Any]:
    """The EventBridge pattern that matches this event of this stage alone, with these values in its detail."""
    detail = {name: [value] for name, value in {"stage": settings().stage, **values}.items()}
    return {"source": [SOURCE], "detail-type": [event.detail_type], "detail": detail}


def correlate(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Middleware: what a handler logs and publishes carries the id of the request that began it all."""
    with log.correlation(event.to_dict().get("detail", {}).get("correlation")):
        return get_response(event)


def publish(*events: Event) -> None:
    """Put events on the bus; Unavailable if any was not accepted, so that the caller's message is tried again."""
    for start in range(0, len(events), EVENTS_A_CALL):
        entries: Any = [
            {
                "Source": SOURCE,
                "DetailType": event.detail_type,
                "Detail": msgspec.json.encode(event.detail()).decode(),
            }
            for event in events[start : start + EVENTS_A_CALL]
        ]
        if aws.events().put_events(Entries=entries).get("FailedEntryCount"):
            raise Unavailable("The event bus did not accept an event.")


def deliver(worker: str, payload: dict[str, Any], *, use_queue: bool = True, delay: int = 0) -> None:
    """Hand work to the worker of that name: through its queue, or by invoking the same function directly.

    The function cannot tell the two apart. Direct is quicker for one image; the queue smooths thousands, and can keep a
    message for `delay` seconds, at most 900.
    """
    body = msgspec.json.encode({"version": VERSION, "correlation": _correlation(), **payload}).decode()
    if use_queue:
        later: Any = {"DelaySeconds": delay} if delay else {}
        aws.sqs().send_message(QueueUrl=queue_url(worker), MessageBody=body, **later)
        return
    record = {"messageId": ids.new_id(), "receiptHandle": "", "body": body, "attributes": {}}
    aws.lambda_().invoke(
        FunctionName=settings().name(worker),
        InvocationType="Event",
        Payload=msgspec.json.encode({"Records": [record]}),
    )


def busy_workers() -> frozenset[str]:
    """The workers whose queues hold messages that nobody has taken yet."""
    return frozenset(worker for worker in WORKERS if _waiting(worker))


def _waiting(worker: str) -> int:
    name: Any = "ApproximateNumberOfMessages"
    answer = aws.sqs().get_queue_attributes(QueueUrl=queue_url(worker), AttributeNames=[name])
    return int(answer["Attributes"][name])


@cache
def queue_url(worker: str) -> str:
    return aws.sqs().get_queue_url(QueueName=settings().name(worker))["QueueUrl"]


def _correlation() -> str:
    return log.current_correlation() or ids.new_id()
