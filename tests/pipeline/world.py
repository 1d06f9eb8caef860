"""The pipeline under a hostile schedule: messages come late, twice and in any order, and workers die anywhere.

DynamoDB and S3 are the emulator's; queues and the event bus are a bag of messages from which the test draws. Every
handler runs as in production, from `app.py`. A kill is thrown before or after any request to AWS, so it falls between
any two steps; the message that was being handled is then delivered again, as SQS and Lambda do.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.pipeline.inprocess import Emulator

# The handlers that EventBridge's rules lead to.
RULES = {
    "Process Image Request": ("route",),
    "Image Processed": ("plan_scores", "make_presets"),
    "Image Scored": ("settle_rankings",),
    "Ranking Complete": ("tell_ranking",),
    "Model Trained": ("tell_model", "plan_rescoring"),
}
# The handlers of queues.
QUEUES = {name: name for name in ("quality", "color", "composition", "content", "faces", "score", "train", "rescore")}
QUEUES |= {"plan": "plan_campaign", "send_sms": "send_sms", "send_push": "send_push"}
QUEUES |= {"imports": "import_recipients", "standings": "compute_standings"}


class Killed(BaseException):
    """The worker's process is gone: no handler may catch it."""


@dataclass
class Message:
    kind: str  # a queue's or an event's name
    body: dict[str, Any]
    deliveries: int = 0


@dataclass
class Bag:
    """Stands for EventBridge, SQS, Lambda's asynchronous invoke and SNS, at the edge of AWS."""

    emulator: Emulator
    messages: list[Message] = field(default_factory=list)
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    notices: list[dict[str, Any]] = field(default_factory=list)

    def put_events(self, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803 - boto3's own name
        self.emulator.on_call("events", "PutEvents", "before")
        for entry in Entries:
            detail = json.loads(entry["Detail"])
            self.published.append((entry["DetailType"], detail))
            self.messages.append(Message(entry["DetailType"], detail))
        self.emulator.on_call("events", "PutEvents", "after")
        return {"FailedEntryCount": 0}

    def get_queue_url(self, QueueName: str) -> dict[str, str]:  # noqa: N803
        return {"QueueUrl": QueueName}

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803
        self.emulator.on_call("sqs", "GetQueueAttributes", "before")
        worker = QueueUrl.removeprefix("proofsheet-local-")
        return {"Attributes": {AttributeNames[0]: str(sum(message.kind == worker for message in self.messages))}}

    def send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:  # noqa: N803
        self.emulator.on_call("sqs", "SendMessage", "before")
        self.messages.append(Message(QueueUrl.removeprefix("proofsheet-local-"), json.loads(MessageBody)))
        self.emulator.on_call("sqs", "SendMessage", "after")

    def invoke(self, FunctionName: str, InvocationType: str, Payload: bytes) -> None:  # noqa: N803
        self.emulator.on_call("lambda", "Invoke", "before")
        body = json.loads(json.loads(Payload)["Records"][0]["body"])
        self.messages.append(Message(FunctionName.removeprefix("proofsheet-local-"), body))
        self.emulator.on_call("lambda", "Invoke", "after")

    def publish(self, TopicArn: str, Message: str) -> None:  # noqa: N803
        self.notices.append(json.loads(Message))


class World:
    def __init__(self, emulator: Emulator, seed: int = 0):
        self.emulator = emulator
        self.random = random.Random(seed)
        self.bag = Bag(emulator)
        self.now = time.time()
        self.kills = 0
        self.duplicates = 0
        self.reach = 8  # the requests of a handler that a kill may fall into
        emulator.on_call = lambda *_: None

    def client(self, service: str) -> Any:
        """Stands in for `chalicelib.aws.client`."""
        return self.bag if service in ("events", "sqs", "lambda", "sns") else self.emulator.client(service)

    # Faults

    def kill_at(self, call: int) -> None:
        """The worker dies at its nth request from now, before or after the request had its effect."""
        moment = self.random.choice(("before", "after"))

        def on_call(_service: str, _operation: str, when: str) -> None:
            nonlocal call
            if when == moment:
                call -= 1
                if call < 0:
                    self.emulator.on_call = lambda *_: None
                    self.kills += 1
                    raise Killed

        self.emulator.on_call = on_call

    # Running

    def upload(self, account: str, image: str, data: bytes) -> None:
        """The bytes reach S3, which sends its event."""
        key = f"originals/{account}/{image}"
        self.client("s3").put_object(Bucket="proofsheet-local-media-000000000000", Key=key, Body=data)
        self.bag.messages.append(Message("uploaded", {"key": key}))

    def drain(self, *, kill: float = 0.0, twice: float = 0.0, limit: int = 5000) -> None:
        """Deliver messages in random order until none is left.

        kill, twice: the chance that a worker dies while it handles a message, and that a message comes twice.
        """
        for _ in range(limit):
            if not self.bag.messages:
                return
            self._deliver_one(kill, twice)
        raise AssertionError("the pipeline does not come to rest")

    def _deliver_one(self, kill: float, twice: float) -> None:
        message = self.bag.messages.pop(self.random.randrange(len(self.bag.messages)))
        if self.random.random() < twice:
            self.duplicates += 1
            self.bag.messages.append(Message(message.kind, message.body, message.deliveries))
        message.deliveries += 1
        if self.random.random() < kill:
            self.kill_at(self.random.randrange(self.reach))
        try:
            failed = self.handle(message)
        except (Killed, Exception):
            failed = True
        finally:
            self.emulator.on_call = lambda *_: None
        # SQS moves a message to its dead-letter queue after three deliveries; Lambda drops an event after three tries.
        if failed and message.deliveries < 3:
            self.bag.messages.append(message)

    def handle(self, message: Message) -> bool:
        """Run the handler of app.py for one message; whether SQS shall deliver it again."""
        import app

        kind, body = message.kind, message.body
        if kind in QUEUES:
            answer = getattr(app, QUEUES[kind])(sqs_event(message), None)
            return bool(answer["batchItemFailures"])
        if kind == "uploaded":
            bucket = {"name": "proofsheet-local-media-000000000000"}
            app.uploaded({"Records": [{"s3": {"bucket": bucket, "object": {"key": body["key"]}}}]}, None)
        else:
            for rule in RULES[kind]:
                self.fire(rule, kind, body)
        return False

    def fire(self, rule: str, kind: str, body: dict[str, Any]) -> None:
        """Run the handler of app.py that one rule leads to."""
        import app

        getattr(app, rule)(event_bridge_event(kind, body), None)

    def overdue(self, seconds: float) -> bool:
        """Whether the sweeper would find something once so much time has passed."""
        from chalicelib import store

        return any(True for _ in store.overdue(self.now + seconds, 1))

    def sweep(self, seconds: float, **faults: float) -> None:
        """Let time pass, run the sweeper, and deliver what it sent."""
        from chalicelib.images import sweep

        self.now += seconds
        try:
            if self.random.random() < faults.get("kill", 0):
                self.kill_at(self.random.randrange(12))
            sweep.sweep(self.now)
        except Killed:
            pass
        finally:
            self.emulator.on_call = lambda *_: None
        self.drain(**faults)

    def look(self, seconds: float) -> None:
        """Let time pass and run the sweeper, but deliver nothing."""
        from chalicelib.images import sweep

        self.now += seconds
        sweep.sweep(self.now)

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [detail for name, detail in self.bag.published if name == kind]


def sqs_event(message: Message) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": str(message.deliveries)}
    record = {
        "messageId": uuid.uuid4().hex,
        "receiptHandle": "r",
        "body": json.dumps(message.body),
        "attributes": attributes,
    }
    return {"Records": [record]}


def event_bridge_event(kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "account": "000000000000",
        "region": "us-east-1",
        "detail": detail,
        "detail-type": kind,
        "source": "proofsheet",
        "time": "2026-01-01T00:00:00Z",
        "id": uuid.uuid4().hex,
        "resources": [],
    }
