"""Poll queues and call handlers, as Lambda's event source mappings and its asynchronous invocations do."""

from __future__ import annotations

import json
import threading
import time
import traceback
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.clients import REGION, client
from localcloud.functions import Functions
from localcloud.wiring import Source

# As long as SQS allows. An idle worker then costs next to nothing, and a poll ends with the process that waits for it.
POLL_SECONDS = 20
# Lambda waits one minute and two before it tries an asynchronous event again; nobody wants to watch that on a laptop.
RETRY_SECONDS = 2
# What one request to SQS takes at most, of messages to receive, delete or give back.
SQS_BATCH = 10
# Lambda ends a batch before its event has 6 MB.
GATHERED_BYTES = 5 * 1024 * 1024

Message = dict[str, Any]


@dataclass
class Poller:
    """One thread that takes messages from one source until it is told to stop."""

    source: Source
    functions: Functions
    stop: threading.Event
    held: list[Message] = field(default_factory=list)

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self.run, name=f"poll {self.source.queue_arn}", daemon=True)
        thread.start()
        return thread

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                self.turn()
            except (BotoCoreError, ClientError) as error:
                # The emulator restarts, or the queue has just been removed.
                print(f"{self.source.queue_arn}: {error}", flush=True)
                self.stop.wait(1)

    def turn(self) -> None:
        self._gather()
        if self.stop.is_set():
            self.release()
        elif self.held:
            self._settle(self._handle(self.held))
        self.held = []

    def release(self) -> None:
        """Give back what is held, at once instead of after its visibility timeout."""
        if self.held:
            self._change_visibility(self.held, 0)

    def _gather(self) -> None:
        """Hold a batch: what the first receive brings, and what else comes within the batching window."""
        self.held = self._receive(POLL_SECONDS)
        deadline = time.monotonic() + self.source.window_seconds
        while self.held and not self.stop.is_set() and time.monotonic() < deadline and not self._full:
            more = self._receive(0)
            self.held += more
            if not more:
                self.stop.wait(0.05)

    @property
    def _full(self) -> bool:
        held = sum(len(message["Body"]) for message in self.held)
        return len(self.held) >= self.source.batch_size or held >= GATHERED_BYTES

    def _receive(self, wait: int) -> list[Message]:
        answer = self._sqs.receive_message(
            QueueUrl=self.source.queue_url,
            MaxNumberOfMessages=min(SQS_BATCH, self.source.batch_size - len(self.held)),
            WaitTimeSeconds=wait,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        messages: list[Message] = answer.get("Messages", [])
        return messages

    def _handle(self, messages: list[Message]) -> list[Message]:
        """Call the function; the messages that it has dealt with."""
        try:
            if self.source.is_batch:
                result = self.functions.call(self.source.function, records(self.source, messages))
                return succeeded(messages, result)
            event = invocation(messages[0])
            if event is not None:
                self.functions.call(self.source.function, event)
        except (Exception, SystemExit):
            print(f"{self.source.function} failed", traceback.format_exc(), sep="\n", flush=True)
            return []
        return messages

    def _settle(self, done: list[Message]) -> None:
        if done:
            for some in batched(done, SQS_BATCH):
                entries = [{"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]} for i, message in enumerate(some)]
                self._sqs.delete_message_batch(QueueUrl=self.source.queue_url, Entries=entries)
        elif not self.source.is_batch:
            self._change_visibility(self.held, RETRY_SECONDS)

    def _change_visibility(self, messages: list[Message], seconds: int) -> None:
        for some in batched(messages, SQS_BATCH):
            entries = [
                {"Id": str(i), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": seconds}
                for i, message in enumerate(some)
            ]
            self._sqs.change_message_visibility_batch(QueueUrl=self.source.queue_url, Entries=entries)

    @property
    def _sqs(self) -> Any:
        return client("sqs", self.functions.wiring.endpoint)


def records(source: Source, messages: list[Message]) -> dict[str, Any]:
    """The event of an SQS event source mapping."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message.get("Attributes", {}),
                "messageAttributes": {
                    name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()
                },
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": source.queue_arn,
                "awsRegion": REGION,
            }
            for message in messages
        ]
    }


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    """Lambda spells a message attribute's keys with a small first letter."""
    return {key[0].lower() + key[1:]: item for key, item in value.items()}


def invocation(message: Message) -> Any | None:
    """The event in a message of a function's own queue; None for the test event S3 sends when it is set up."""
    body = json.loads(message["Body"])
    if not isinstance(body, dict):
        return body
    if body.get("Event") == "s3:TestEvent":
        return None
    if body.get("Type") == "Notification" and "TopicArn" in body:
        # Lambda always has both fields, and Chalice reads them.
        notice = {"MessageAttributes": {}, "Subject": None, **body}
        return {"Records": [{"EventVersion": "1.0", "EventSource": "aws:sns", "Sns": notice}]}
    return body


def succeeded(messages: list[Message], result: Any) -> list[Message]:
    """The messages of a batch that a handler's answer does not name as failed.

    As in Lambda, an answer that names an unknown message fails the whole batch.
    """
    failures = (result.get("batchItemFailures") or []) if isinstance(result, dict) else []
    failed = {failure.get("itemIdentifier") for failure in failures}
    if not failed <= {message["MessageId"] for message in messages}:
        print(f"the whole batch fails: unknown items in {result}", flush=True)
        return []
    return [message for message in messages if message["MessageId"] not in failed]


def drain(pollers: list[Poller], threads: list[threading.Thread], patience: float) -> None:
    """Let calls under way finish; after `patience` seconds give back what is left, for this process ends.

    Who holds nothing waits for a message, and is not waited for.
    """
    deadline = time.monotonic() + patience
    for poller, thread in zip(pollers, threads, strict=True):
        if poller.held:
            thread.join(max(0.0, deadline - time.monotonic()))
    for poller in pollers:
        if poller.held:
            poller.release()
