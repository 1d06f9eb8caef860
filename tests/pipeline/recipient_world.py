"""Recipients in the emulator: its DynamoDB, S3 and SNS, with faults between any two requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from chalicelib import aws, contract, lean, settings
from chalicelib.push import devices, enrolment, recipients
from chalicelib.push.recipients import Recipient
from chalicelib.store import AccountStore
from tests.pipeline.inprocess import Emulator, run
from tests.pipeline.world import World

APNS, GCM = "APNS", "GCM"
PHONES = ("+491701234567", "+491701234568")
accounts = iter(range(10**6))


def token(number: int) -> str:
    return f"{number:064x}"


def device(number: int, platform: str = APNS) -> dict[str, str]:
    return {"platform": platform, "token": token(number)}


class Recipients:
    """One account's recipients. sns: the emulator's. now: seconds since 1970."""

    def __init__(self, world: World, emulator: Emulator):
        self.world, self.emulator = world, emulator
        self.store = AccountStore(f"a{next(accounts):016d}")
        self.sns = emulator.client("sns")
        self.now = world.now
        self.messages: list[dict[str, Any]] = []

    def get_queue_url(self, QueueName: str) -> dict[str, str]:  # noqa: N803 - boto3's own name
        return {"QueueUrl": QueueName}

    def send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:  # noqa: N803
        assert QueueUrl == "proofsheet-local-imports"
        assert 0 <= DelaySeconds <= 900
        self.emulator.on_call("sqs", "SendMessage", "before")
        self.messages.append(json.loads(MessageBody))
        self.emulator.on_call("sqs", "SendMessage", "after")

    def put(self, *items: Any, store: AccountStore | None = None) -> contract.RecipientsStored:
        request = contract.NewRecipients(items=list(items))
        return enrolment.put(store or self.store, request, self.now)

    def get(self, recipient: str) -> Recipient | None:
        return recipients.load(self.store, [recipient]).get(recipient)

    def tokens(self, recipient: str) -> list[str]:
        known = self.get(recipient)
        return [] if known is None else [each.token for each in known.devices]

    def owner(self, number: int, platform: Any = APNS) -> str | None:
        found = devices.owners(self.store, [(platform, token(number))])
        return next((each.recipient for each in found.values()), None)

    def endpoint(self, arn: str) -> dict[str, str] | None:
        """SNS's attributes of an endpoint, None where there is none."""
        try:
            return dict(self.sns.get_endpoint_attributes(EndpointArn=arn)["Attributes"])
        except self.sns.exceptions.NotFoundException:
            return None

    def fail(self, operation: str, error: BaseException, times: int = 1) -> None:
        """The next requests of this kind fail, before they have an effect."""
        left = [error] * times

        def on_call(_service: str, name: str, when: str) -> None:
            if name == operation and when == "before" and left:
                raise left.pop()

        self.emulator.on_call = on_call


BUCKET = "proofsheet-local-media-000000000000"


def dynamodb_post(emulator: Emulator) -> Callable[..., tuple[int, bytes]]:
    """Stands for `lean.post`, as far as DynamoDB is asked."""
    from ministack.services import dynamodb

    def post(service: str, _url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        assert service == "dynamodb"
        operation = headers["X-Amz-Target"].partition(".")[2]
        emulator.on_call("dynamodb", operation, "before")
        lower = {name.lower(): value for name, value in headers.items()}
        status, _, answer = run(dynamodb.handle_request("POST", "/", lower, body, {}))
        emulator.on_call("dynamodb", operation, "after")
        return status, answer

    return post


def connect(world: World, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Recipients:
    made = Recipients(world, emulator)

    def client(service: str) -> Any:
        return {"sns": made.sns, "sqs": made}.get(service) or world.client(service)

    monkeypatch.setattr(aws, "client", client)
    monkeypatch.setattr(lean, "post", dynamodb_post(emulator))
    monkeypatch.setattr(devices, "THREADS", 1)  # the emulator in this process has one loop
    applications = {
        field: made.sns.create_platform_application(
            Name=f"{made.store.account}-{field}", Platform=platform, Attributes={}
        )["PlatformApplicationArn"]
        for field, platform in (("apns_application", APNS), ("fcm_application", GCM))
    }
    known = msgspec.structs.replace(settings.settings(), **applications)
    monkeypatch.setattr(devices, "settings", lambda: known)
    return made
