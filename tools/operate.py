"""Keep a stage going: python -m tools.operate COMMAND --stage x [--endpoint URL]

| command             | does                                                                                    |
|---------------------|-----------------------------------------------------------------------------------------|
| status              | how many messages wait, are being worked on, and lie in each dead-letter queue          |
| redrive             | moves dead letters back to their queues, to be tried again                              |
| replay              | sends the events that no function could handle to their functions once more             |
| reprocess           | asks for the properties of images again: --state failed (the default) or ready; needs   |
|                     | --url and --key (or PROOFSHEET_URL and PROOFSHEET_API_KEY), and works on that account   |
| rotate-signing      | signs addresses with a new secret from now on; the one before stays valid until the     |
|                     | next rotation, so the second in a row ends every address in old pages                   |
| signing-key ACCOUNT | prints what the account's own server signs with, as JSON: a secret of that account      |

Every handler is safe to run twice, so all of the first four is too. The last line of redrive, replay and reprocess is a
count.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from chalicelib import contract
from chalicelib.delivery import signature
from tools import stages
from tools.stages import Stage, StageError, say

PHOTOS = ("quality", "color", "composition", "content", "faces", "score", "train", "rescore")
QUEUES = (*PHOTOS, "tracking", "plan", "send_sms", "send_push", "imports", "standings")
FAILED_EVENTS = "failed-events"
DEPTHS = {"ApproximateNumberOfMessages": "waiting", "ApproximateNumberOfMessagesNotVisible": "in work"}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = stages.parser(__doc__)
    commands = ("status", "redrive", "replay", "reprocess", "rotate-signing", "signing-key")
    parser.add_argument("command", choices=commands)
    parser.add_argument("account", nargs="?", help="whose key, for signing-key")
    parser.add_argument("--state", choices=("failed", "ready"), default="failed")
    parser.add_argument("--url", default=os.environ.get("PROOFSHEET_URL"))
    parser.add_argument("--key", default=os.environ.get("PROOFSHEET_API_KEY"))
    options = parser.parse_args(arguments)
    return stages.run(lambda: operate(options))


def operate(options: argparse.Namespace) -> None:
    stage = Stage(options.stage, options.endpoint)
    match options.command:
        case "status":
            status(stage)
        case "redrive":
            print(redrive(stage))
        case "replay":
            print(replay(stage))
        case "reprocess":
            print(reprocess(options.url, options.key, options.state))
        case "rotate-signing":
            rotate_signing(stage)
        case "signing-key":
            print(json.dumps(signing_key(stage, options.account or "")))


def status(stage: Stage) -> None:
    for name in [*QUEUES, *(f"{queue}-dlq" for queue in QUEUES), FAILED_EVENTS]:
        attributes = stage.client("sqs").get_queue_attributes(QueueUrl=url(stage, name), AttributeNames=list(DEPTHS))
        depths = ", ".join(f"{attributes['Attributes'][key]} {what}" for key, what in DEPTHS.items())
        say(f"{name:16} {depths}")


def redrive(stage: Stage) -> int:
    """Move every dead letter to the queue it came from; the number moved."""
    moved = 0
    for queue in QUEUES:
        for message in messages(stage, f"{queue}-dlq"):
            stage.client("sqs").send_message(QueueUrl=url(stage, queue), MessageBody=message["Body"])
            forget(stage, f"{queue}-dlq", message)
            moved += 1
    return moved


def replay(stage: Stage) -> int:
    """Invoke the functions once more with the events that they failed at three times; the number replayed."""
    replayed = 0
    for message in messages(stage, FAILED_EVENTS):
        try:
            function, event = failed_event(message)
        except StageError as error:
            say(str(error))
            continue
        stage.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event))
        forget(stage, FAILED_EVENTS, message)
        replayed += 1
    return replayed


def failed_event(message: dict[str, Any]) -> tuple[str, Any]:
    """Function and event in a message of the failed events.

    Lambda writes a record of the invocation; EventBridge, when it cannot reach Lambda at all, the event itself with its
    target as an attribute. Raises StageError for anything else, which stays in the queue for a person to look at.
    """
    try:
        body = json.loads(message["Body"])
        target = message.get("MessageAttributes", {}).get("TARGET_ARN")
        if target:
            return function_name(target["StringValue"]), body
        return function_name(body["requestContext"]["functionArn"]), body["requestPayload"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise StageError(f"A message in {FAILED_EVENTS} is no failed event: {message['Body'][:200]}") from error


def function_name(arn: str) -> str:
    """arn:aws:lambda:REGION:ACCOUNT:function:NAME, perhaps with a version behind."""
    return arn.split(":")[6]


def reprocess(base_url: str | None, key: str | None, state: contract.State) -> int:
    """Ask again for the properties of every image in that state; images without a usable upload are passed over."""
    from tools.client import Client
    from tools.transport import Refused

    if not base_url or not key:
        raise StageError("reprocess needs --url and --key.")
    client, asked = Client(base_url, key), 0
    for image in list(client.images(state=state)):
        try:
            client.process(image.id)
        except Refused as refusal:
            say(f"{image.id}: {refusal}")
        else:
            asked += 1
    return asked


def rotate_signing(stage: Stage) -> None:
    """Add a new secret, and forget all but the one that it follows."""
    from secrets import token_hex

    rotated = signature.rotate(key_ring(stage), token_hex(32))
    stage.client("secretsmanager").put_secret_value(SecretId=stage.signing_secret, SecretString=rotated)
    ring = signature.KeyRing.read(rotated)
    before = ", ".join(sorted(ring.secrets.keys() - {ring.current}))
    say(f"Key {ring.current} signs as soon as the functions read it, within minutes; {before} stays valid as well.")


def signing_key(stage: Stage, account: str) -> dict[str, str]:
    """The account's key id and key. Raises StageError."""
    if not re.fullmatch("a[a-z2-7]{16}", account):
        raise StageError(f"signing-key needs an account's id, such as a234567abcdefghij, not {account!r}.")
    ring = signature.KeyRing.read(key_ring(stage))
    key = signature.account_key(ring.secrets[ring.current], account)
    return {"account": account, "key_id": ring.current, "account_key": key}


def key_ring(stage: Stage) -> str:
    """The signing secret as it is stored. Raises StageError."""
    secrets = stage.client("secretsmanager")
    try:
        return str(secrets.get_secret_value(SecretId=stage.signing_secret)["SecretString"])
    except secrets.exceptions.ResourceNotFoundException as error:
        raise StageError(f"The stage {stage.name} has no secret {stage.signing_secret}: is it deployed?") from error


def messages(stage: Stage, queue: str) -> Iterator[dict[str, Any]]:
    """Until the queue gives no more. What is not forgotten becomes visible again by itself."""
    while True:
        found = stage.client("sqs").receive_message(
            QueueUrl=url(stage, queue), MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        if not found.get("Messages"):
            return
        yield from found["Messages"]


def forget(stage: Stage, queue: str, message: dict[str, Any]) -> None:
    stage.client("sqs").delete_message(QueueUrl=url(stage, queue), ReceiptHandle=message["ReceiptHandle"])


def url(stage: Stage, queue: str) -> str:
    sqs = stage.client("sqs")
    try:
        return str(sqs.get_queue_url(QueueName=f"proofsheet-{stage.name}-{queue}")["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist as error:
        raise StageError(f"The stage {stage.name} has no queue {queue}: is it deployed?") from error


if __name__ == "__main__":
    sys.exit(main())
