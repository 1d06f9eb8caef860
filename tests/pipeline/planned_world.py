"""Campaigns from their creation to their end, in the emulator: its DynamoDB, and queues, SNS and a clock of the test's.

Workers are greenlets that can be stopped, killed and switched at every request to AWS.
"""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from greenlet import getcurrent, greenlet

from chalicelib import aws, bus, contract, lean
from chalicelib.images import sweep
from chalicelib.push import (
    addressees,
    campaigns,
    chunks,
    dryrun,
    enrolment,
    launch,
    listing,
    planning,
    recipients,
    sending,
)
from chalicelib.push.chunks import Row
from chalicelib.store import AccountStore, overdue
from tests.pipeline.inprocess import Emulator
from tests.pipeline.recipient_world import dynamodb_post
from tests.pipeline.world import Killed

MOST_WORKERS = 6
START = 1_795_348_800  # 2026-11-22T12:00:00Z
accounts = (f"c{number:016d}" for number in itertools.count())
Item = dict[str, Any]


class Campaigns:
    """One account. messages: (due, queue, body). sent: publishes by phone."""

    def __init__(self, emulator: Emulator):
        self.emulator, self.store, self.now = emulator, AccountStore(next(accounts)), float(START)
        self.messages: list[tuple[float, str, Item]] = []
        self.sent: Counter[str] = Counter()
        self.notices: list[Item] = []
        self._dynamodb = dynamodb_post(emulator)

    # AWS

    def client(self, service: str) -> Any:
        """Stands for `aws.client`."""
        return self if service in ("sqs", "sns") else self.emulator.client(service)

    def get_queue_url(self, QueueName: str) -> Item:  # noqa: N803 - boto3's own names, here and below
        return {"QueueUrl": QueueName}

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> Item:  # noqa: N803
        return {"Attributes": {AttributeNames[0]: "0"}}

    def send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:  # noqa: N803
        self.emulator.on_call("sqs", "SendMessage", "before")
        queue = QueueUrl.removeprefix("proofsheet-local-")
        self.messages.append((self.now + DelaySeconds, queue, json.loads(MessageBody)))
        self.emulator.on_call("sqs", "SendMessage", "after")

    def publish(self, TopicArn: str, Message: str) -> None:  # noqa: N803
        self.emulator.on_call("sns", "Publish to a topic", "before")
        self.notices.append(json.loads(Message))

    def post(self, service: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Stands for `lean.post`."""
        if service == "dynamodb":
            return self._dynamodb(service, url, headers, body)
        self.emulator.on_call("sns", "Publish", "before")
        self.sent[dict(parse_qsl(body.decode()))["PhoneNumber"]] += 1
        self.emulator.on_call("sns", "Publish", "after")
        return 200, b"<MessageId>m</MessageId>"

    # What people do

    def enrol(self, *names: str, **more: Any) -> None:
        """Recipients u0, u1, ... with a phone and a first name, unless `more` says otherwise."""
        given = [
            {"id": name, "phone": f"+1202555{int(name[1:]):04}", "attributes": {"name": name}} | more for name in names
        ]
        for start in range(0, len(given), 500):
            answer = enrolment.put(self.store, contract.NewRecipients(items=given[start : start + 500]), self.now)
            assert not answer.problems

    def launch(self, key: str | None = None, **asked: Any) -> contract.CampaignAccepted:
        return launch.create(self.store, "ann", request(**asked), self.now, key=key)

    def start(self, **asked: Any) -> str:
        identifier = self.launch(**asked).id
        assert identifier is not None
        return identifier

    def view(self, campaign: str) -> contract.Campaign:
        return campaigns.view(self.store, campaign, self.now)

    # Running

    def handle(self, queue: str, body: Item) -> None:
        if queue == "plan":
            planning.plan(body, clock=lambda: self.now)
        else:
            sending.send(body, clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def drain(self, *queues: str) -> None:
        """Handle all messages, of these queues alone if any are named."""
        while due := [each for each in self.messages if not queues or each[1] in queues]:
            message = min(due, key=lambda each: each[0])
            self.messages.remove(message)
            self.now = max(self.now, message[0])
            self.handle(*message[1:])

    def sweep(self, seconds: float = 0) -> bool:
        """Let time pass, and look after what is due of this account; whether anything was."""
        self.now += seconds
        due = [
            (kind, key)
            for line in sweep.LINES
            for store, kind, key in overdue(self.now, 1000, line)
            if store == self.store
        ]
        for kind, key in due:
            sweep.sweep_one(self.store, kind, key, self.now, bus.busy_workers)
        return bool(due)

    def rows(self, campaign: str) -> list[tuple[str, Row]]:
        """(chunk, row) of all chunks, whoever lists them."""
        names = [
            name for number in range(addressees.SEGMENTS) for name in planning.chunk_names(self.store, campaign, number)
        ]
        return [(name, row) for name in names for row in chunks.rows(self.store, name)]


def request(**asked: Any) -> contract.NewCampaign:
    given = {"name": "Spring", "channel": "sms", "template": {"sms": "Hi {{ attributes.name }}"}, **asked}
    return msgspec.convert(given, contract.NewCampaign)


def connect(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Campaigns:
    made = Campaigns(emulator)
    emulator.on_call = lambda *_: None
    monkeypatch.setattr(aws, "client", made.client)
    monkeypatch.setattr(lean, "post", made.post)
    bus.queue_url.cache_clear()
    return made


def shrink(monkeypatch: pytest.MonkeyPatch, segments: int, rows: int) -> None:
    """Fewer segments and smaller chunks, so that a few recipients make several of each."""
    for module in (addressees, campaigns, dryrun, listing, recipients):
        monkeypatch.setattr(module, "SEGMENTS", segments)
    monkeypatch.setattr(chunks, "MOST_ROWS", rows)
    monkeypatch.setattr(planning, "FULL", 1)


class Stopping:
    """A worker at one message, which goes on to a certain request at a time; others may run meanwhile."""

    def __init__(self, world: Campaigns, queue: str, body: Item):
        self.world, self.until = world, ("", "")
        self.green = greenlet(lambda: world.handle(queue, body))

    def go_to(self, operation: str, when: str) -> None:
        self.until = operation, when
        self._go()
        assert not self.green.dead

    def end(self) -> None:
        self.until = "", ""
        self._go()
        assert self.green.dead

    def die(self) -> None:
        with pytest.raises(Killed):
            self.green.throw(Killed)

    def _go(self) -> None:
        self.world.emulator.on_call = self._edge
        self.green.switch()
        self.world.emulator.on_call = lambda *_: None

    def _edge(self, _service: str, operation: str, when: str) -> None:
        if getcurrent() is self.green and (operation, when) == self.until:
            self.green.parent.switch()


class Worker:
    def __init__(self, run: Callable[[], Any], message: tuple[str, Item]):
        self.green, self.message = greenlet(run), message


class Schedule:
    """A campaign in trouble: workers die, messages come late, twice and in any order, people meddle; then peace.

    stayed: who was a recipient all the time. cancelled: whether somebody cancelled it.
    """

    def __init__(self, world: Campaigns, seed: int):
        self.world, self.chance = world, random.Random(seed)
        self.workers: list[Worker] = []
        self.stayed = {f"u{number}" for number in range(self.chance.randint(0, 20))}
        self.kills = 0
        self.cancelled = False
        world.enrol(*sorted(self.stayed))

    def run(self) -> str:
        channel = self.chance.choice(("sms", "both"))
        template = {"sms": "Hi {{ attributes.name }}"} | ({"push": "Hi"} if channel == "both" else {})
        self.campaign = self.world.start(channel=channel, template=template)
        self.world.emulator.on_call = self._edge
        for _ in range(self.chance.randint(10, 400)):
            self._step()
        while self.workers:
            self._resume(self.workers[0], None)
        self.world.emulator.on_call = lambda *_: None
        self._rest()
        return self.campaign

    def _edge(self, *_: str) -> None:
        """Where another worker may run; what the schedule hands back is raised."""
        worker = getcurrent()
        if worker.parent is not None and (fault := worker.parent.switch()):
            raise fault

    def _step(self) -> None:
        chance = self.chance.random()
        if (chance < 0.1 and len(self.workers) < MOST_WORKERS) or not self.workers:
            self._receive()
        elif chance < 0.15:
            self._meddle()
        elif chance < 0.16:
            self.world.sweep(self.chance.choice((60, 600, 6000)))
        else:
            fault = Killed() if self.chance.random() < 0.01 else None
            self._resume(self.chance.choice(self.workers), fault)

    def _receive(self) -> None:
        if not self.world.messages:
            return
        message = self.chance.choice(self.world.messages)
        if self.chance.random() < 0.6:  # SQS delivers at least once
            self.world.messages.remove(message)
        self.world.now = max(self.world.now, message[0])
        self.workers.append(Worker(lambda: self._survive(message), message[1:]))

    def _survive(self, message: tuple[float, str, Item]) -> None:
        try:
            self.world.handle(*message[1:])
        except Killed:
            self.kills += 1
            self.world.messages.append((self.world.now + 200, *message[1:]))

    def _resume(self, worker: Worker, fault: BaseException | None) -> None:
        if worker.green:
            worker.green.switch(fault)
        else:
            worker.green.switch()
        if worker.green.dead:
            self.workers.remove(worker)

    def _meddle(self) -> None:
        what, world, state = self.chance.random(), self.world, self._state()
        if what < 0.5:
            world.enrol(f"u{self.chance.randint(20, 299)}")
        elif what < 0.6 and self.stayed:
            name = self.chance.choice(sorted(self.stayed))
            self.stayed.discard(name)
            recipients.delete(world.store, name)
        elif state in ("cancelled", "completed"):
            return
        elif what < 0.76:
            campaigns.pause(world.store, "ann", self.campaign, world.now)
        elif what < 0.97:
            campaigns.resume(world.store, "ann", self.campaign, world.now)
        else:
            campaigns.cancel(world.store, "ann", self.campaign, world.now)
            self.cancelled = True

    def _state(self) -> str:
        return str(campaigns.found(self.world.store, self.campaign)["state"])

    def _rest(self) -> None:
        """What the trouble left, in peace: whatever is paused goes on, and the sweeper looks until nothing is due."""
        for _ in range(30):
            self.world.drain()
            if self._state() == "paused":
                campaigns.resume(self.world.store, "ann", self.campaign, self.world.now)
            elif not self.world.sweep(100_000) and not self.world.messages:
                return
        raise AssertionError("the campaign does not come to rest")
