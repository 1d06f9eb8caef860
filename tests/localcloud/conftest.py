"""One local cloud for the module's tests, running the sample app of this folder; its queues redeliver after 2 s."""

import json
import time
from pathlib import Path

import pytest

from localcloud.clients import client
from localcloud.run import cloud

SAMPLE = Path(__file__).parent / "sample"
BUCKET = "proofsheet-local-media-000000000000"


class Observer:
    """Sends things into a running cloud and sees what the sample app's handlers were given."""

    def __init__(self, local):
        self.local = local

    def client(self, service):
        return client(service, self.local.endpoint)

    def queue(self, name):
        return self.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]

    def send(self, *orders, queue="proofsheet-local-color"):
        entries = [{"Id": str(i), "MessageBody": json.dumps(order)} for i, order in enumerate(orders)]
        self.client("sqs").send_message_batch(QueueUrl=self.queue(queue), Entries=entries)

    def calls(self, handler, containing):
        """What the handler was called with, oldest first, where the event's JSON contains a text.

        On a busy machine a call may outlast the 2 s after which its message comes again: at least once, as on AWS.
        """
        s3 = self.client("s3")
        keys = [
            item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"calls/{handler}/").get("Contents", [])
        ]
        notes = [json.load(s3.get_object(Bucket=BUCKET, Key=key)["Body"]) for key in keys]
        return sorted((note for note in notes if containing in json.dumps(note["event"])), key=lambda note: note["at"])

    def bodies(self, queue):
        """The bodies of the messages that now lie in a queue nobody polls."""
        answer = self.client("sqs").receive_message(
            QueueUrl=self.queue(queue), MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [message["Body"] for message in answer.get("Messages", [])]


def eventually(look, seconds=12.0):
    """The first truthy answer."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not seen within {seconds} s"
        time.sleep(0.1)
    return seen


@pytest.fixture(scope="session")
def observer(tmp_path_factory):
    with cloud(tmp_path_factory.mktemp("cloud"), project=SAMPLE, visibility_seconds=2) as local:
        yield Observer(local)


@pytest.fixture
def mark(request):
    """A text that tells this test's messages from the others'."""
    return f"mark-{request.node.name}-{time.monotonic_ns()}"
