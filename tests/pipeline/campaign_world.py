"""Campaigns in an imagined cloud: DynamoDB, SQS and SNS in memory, and workers that are switched between requests.

The code that runs is the app's own. Each worker is a greenlet that stops before and after every request to AWS, where
the schedule may let another one run, let time pass, refuse the request, lose its answer, or kill the worker.
`tests/pipeline/test_sending.py` holds some of the same against the emulator, so that this model stays honest.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from copy import copy
from typing import Any
from urllib.parse import parse_qsl

from botocore.exceptions import ClientError
from greenlet import getcurrent, greenlet

from chalicelib import aws, lean
from chalicelib.push import campaigns, chunks, progress, sending
from chalicelib.push.chunks import Row
from chalicelib.store import AccountStore
from tests.pipeline.campaign_table import Table
from tests.pipeline.world import Killed

ACCOUNT = "a234567abcdefghij"
CAMPAIGN = f"01kz{1:022d}"
START = 1_795_348_800  # 2026-11-22T12:00:00Z
MOST_STEPS = 4000

Item = dict[str, Any]


class Sns:
    """Publishes as SNS would have made them, by phone or endpoint."""

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.sent: Counter[str] = Counter()
        self.opted_out: set[str] = set()
        self.disabled: set[str] = set()
        self.trouble = 0.0

    def publish(self, target: str) -> tuple[int, bytes]:
        """Its answer, after it sent or did not; raises what the network makes of it."""
        if target in self.opted_out:
            return 400, error("OptedOut")
        if target in self.disabled:
            return 400, error("EndpointDisabled")
        fault = self.chance.random()
        if fault < self.trouble:
            kind = self.chance.choice(("throttled", "throttled", "invalid", "500", "lost before", "lost", "503"))
            if kind in ("lost", "503"):
                self.sent[target] += 1
            if kind.startswith("lost"):
                raise lean.Unanswered("timeout", sent=True)
            codes = {"throttled": (400, "Throttling"), "invalid": (400, "InvalidParameter")}
            status, code = codes.get(kind, (int(kind) if kind.isdigit() else 500, "InternalError"))
            return status, error(code)
        self.sent[target] += 1
        return 200, b"<MessageId>m</MessageId>"


def error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()


class Person:
    """A recipient as the sender reads it."""

    def __init__(self, name: str, devices: int):
        self.id, self.phone = name, f"+1202555{int(name[1:]):04}"
        self.devices = [Device(f"arn:{name}/{number}") for number in range(devices)]
        self.opt_out: set[str] = set()
        self.sms_blocked: str | None = None
        self.timezone: str | None = None
        self.quiet_hours: Any = None

    def as_read(self) -> Person:
        """What is read does not change with what is there."""
        read = copy(self)
        read.devices = [copy(device) for device in self.devices]
        return read


class Device:
    platform = "GCM"

    def __init__(self, endpoint: str):
        self.endpoint, self.disabled = endpoint, False


class Worker:
    """One turn of a sender, or a planner; offset: how wrong its clock is."""

    def __init__(self, run: Callable[[], Any], offset: float, born: int):
        self.green, self.offset, self.born = greenlet(run), offset, born
        self.chunks: list[str] = []
        self.then: Callable[[bool], None] = lambda _done: None


class Schedule:
    """A small campaign, planned and sent in all kinds of trouble until it is done.

    It stands for AWS, for whoever operates the campaign, and for the sweeper. `violations` is what must not be.
    """

    def __init__(self, seed: int, delivery: str):
        self.chance = chance = random.Random(seed)
        self.delivery, self.now = delivery, float(START + chance.randrange(86400))
        self.table, self.sns = Table(self.edge, self._committed), Sns(chance)
        self.store = AccountStore(ACCOUNT)
        self.workers: list[Worker] = []
        self.messages: list[tuple[float, Item]] = []
        self.late: list[list[Item]] = []  # requests on their way, for which nobody waits any more
        self.people: dict[str, Person] = {}
        self.read_as: dict[tuple[int, str], bool] = {}  # whether a worker read of someone that they opted out
        self.violations: list[str] = []
        self.steps = self.deaths = 0
        self.uncounted: dict[str, int] = {}  # chunks whose worker died, or whose request came late: since which step
        self.calm = False
        self.never_cancelled, self.jumps = True, chance.random() < 0.6
        self.plan = self._plan(chance)

    def _plan(self, chance: random.Random) -> dict[str, list[Row]]:
        """Rows by chunk; some recipients have no phone any more, quiet hours or two devices."""
        plan = {}
        for number in range(chance.choice((1, 1, 2))):
            channel = chance.choice(("sms", "push"))
            names = [f"u{number * 10 + each}" for each in range(chance.randint(4, 9))]
            for name in names:
                self.people[name] = self._person(name, chance)
            plan[chunks.key(CAMPAIGN, number, 0, channel)] = [Row(name, text="Hi") for name in names]
        return plan

    def _person(self, name: str, chance: random.Random) -> Person:
        person = Person(name, devices=chance.choice((1, 1, 2)))
        fate = chance.random()
        if fate < 0.05:
            self.sns.opted_out.add(person.phone)
        elif fate < 0.1:
            self.sns.disabled.update(device.endpoint for device in person.devices)
        elif fate < 0.13:
            person.opt_out = {"sms", "push"}
        elif fate < 0.18:
            from chalicelib.push.quiet import Hours

            person.timezone, person.quiet_hours = "Europe/Berlin", Hours("22:00", "07:00")
        return person

    # AWS

    def client(self, service: str) -> Any:
        return {"dynamodb": self.table, "sqs": self}[service]

    def get_queue_url(self, QueueName: str) -> Item:  # noqa: N803
        return {"QueueUrl": QueueName}

    def send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:  # noqa: N803
        assert QueueUrl.endswith(("send_sms", "send_push"))
        assert 0 <= DelaySeconds <= 900
        self.edge()
        self.messages.append((self.now + DelaySeconds, json.loads(MessageBody)))
        self.edge()

    def post(self, service: str, _url: str, _headers: Item, body: bytes) -> tuple[int, bytes]:
        """Stands for `lean.post`."""
        if service == "sns":
            return self._publish(dict(parse_qsl(body.decode())))
        statements = json.loads(body)["Statements"]
        self.edge()
        if self._befalls(0.004):
            self.late.append(statements)
            self.uncounted |= dict.fromkeys(self.plan, MOST_STEPS**2)
            raise lean.Unanswered("timeout", sent=True)
        answers = self._execute(statements)
        self.edge()
        if self._befalls(0.004):
            raise lean.Unanswered("timeout", sent=True)
        return 200, json.dumps({"Responses": answers}).encode()

    def _execute(self, statements: list[Item]) -> list[Item]:
        """Each for itself; others may come between."""
        answers = []
        for statement in statements:
            if self._befalls(0.003):
                answers.append({"Error": {"Code": "ThrottlingError"}})
                continue
            answers.append(self.table.execute(statement["Statement"], statement["Parameters"]))
            if self._befalls(0.1):
                self.edge()
        return answers

    def _publish(self, request: dict[str, str]) -> tuple[int, bytes]:
        self.edge()
        target = request.get("PhoneNumber") or request["TargetArn"]
        person = next(
            each for each in self.people.values() if target in (each.phone, *(d.endpoint for d in each.devices))
        )
        self._expect(not self.read_as[id(getcurrent()), person.id], "published to somebody known to have opted out")
        answer = self.sns.publish(target)
        self.edge()
        return answer

    def edge(self) -> None:
        """Where another worker may run; what the schedule hands back is raised."""
        worker = getcurrent()
        if worker.parent is not None and (fault := worker.parent.switch()):
            raise fault

    def _befalls(self, chance: float) -> bool:
        return not self.calm and self.chance.random() < chance

    # Recipients: `load`, `block_sms` and `disable_device` of chalicelib.push.recipients

    def load(self, _store: AccountStore, names: list[str]) -> dict[str, Person]:
        self.edge()
        found = {name: self.people[name].as_read() for name in names if name in self.people}
        self.read_as |= {(id(getcurrent()), name): bool(person.opt_out) for name, person in found.items()}
        return found

    def block_sms(self, _store: AccountStore, name: str, reason: str, *, phone: str | None) -> None:
        assert phone
        self.edge()
        self.people[name].sms_blocked = reason

    def disable_device(self, _store: AccountStore, name: str, endpoint: str, _reason: str) -> None:
        self.edge()
        for device in self.people[name].devices:
            device.disabled = device.disabled or device.endpoint == endpoint

    # Running

    def run(self) -> None:
        """In trouble first; then, in peace, what the trouble left."""
        self._set(state="planning", delivery=self.delivery, id=CAMPAIGN, started_at=int(self.now), name="c")
        self.sns.trouble = self.chance.choice((0.0, 0.05, 0.3))
        self._start(self._planned, self._start_planner_again, list(self.plan))
        for _ in range(self.chance.randint(20, 300)):
            self._step()
        self.calm, self.sns.trouble = True, 0.0
        while self.late:
            self._execute(self.late.pop())
        for _ in range(MOST_STEPS):
            if not self._settle_down():
                return
        self.violations.append("does not come to rest")

    def _settle_down(self) -> bool:
        """A step in peace; False when nothing is left to do."""
        if self.workers:
            self._resume(self.chance.choice(self.workers), None)
        elif self.head()["state"] == "paused":
            self._resume_campaign()
        elif self.messages:
            self.now = max(self.now, min(due for due, _ in self.messages))
            self._receive()
        elif standing := [chunk for chunk in self.plan if self._is_open(chunk)]:
            self.now += chunks.PATIENCE_SECONDS * 8
            self._aside(lambda: [sending.again(self.store, chunk) for chunk in standing])
        else:
            return False
        return True

    def _step(self) -> None:
        chance = self.chance.random()
        if chance < (0.15 if len(self.workers) < 3 else 0.02) or not self.workers:
            self.now += self.chance.choice((0, 1, 20, 160, 160, 1000))
            self._receive()
        elif chance < 0.157:
            self._meddle()
        elif chance < 0.17 and self.late:
            self._execute(self.late.pop())
        else:
            fault = Killed() if self.chance.random() < 0.006 else None
            if fault is None and self.chance.random() < 0.003:
                fault = ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "")
            self._resume(self.chance.choice(self.workers), fault)

    def _meddle(self) -> None:
        """Somebody pauses, resumes or cancels the campaign, or opts out."""
        what, state = self.chance.random(), self.head()["state"]
        if what < 0.5:
            self.people[self.chance.choice(sorted(self.people))].opt_out = {"sms", "push"}
        elif what < 0.7 and state in progress.ACTIVE:
            self._set(state="paused", before=state)
        elif what < 0.9 and state == "paused":
            self._resume_campaign()
        elif what > 0.93 and state in (*progress.ACTIVE, "paused"):
            self._set(state="cancelled")
            self.never_cancelled = False
            self._aside(lambda: [chunks.deliver(self.store, chunk) for chunk in self.plan])

    def _resume_campaign(self) -> None:
        self._set(state="sending" if "planned_at" in self.head() else "planning")
        self._aside(lambda: [chunks.deliver(self.store, chunk) for chunk in self.plan])

    def _receive(self) -> None:
        """A message reaches a worker, and comes again if that fails; now and then also if it does not."""
        due = [message for message in self.messages if message[0] <= self.now]
        if not due:
            return
        chosen = self.chance.choice(due)
        if not self._befalls(0.3):  # SQS delivers at least once
            self.messages.remove(chosen)

        def then(done: bool) -> None:
            if not done:
                self.messages.append((self.now + self.chance.choice((0, 200)), chosen[1]))

        self._start(lambda: sending.send(chosen[1], clock=self.clock, sleep=self.sleep), then, [chosen[1]["chunk"]])

    def _start(self, work: Callable[[], Any], then: Callable[[bool], None], on: list[str]) -> None:
        offset = self.chance.choice((0, 0, -400, 400, 4000)) if self.jumps and not self.calm else 0
        worker = Worker(lambda: self._survive(work), offset, self.steps)
        worker.then, worker.chunks = then, on
        self.workers.append(worker)

    def _survive(self, work: Callable[[], Any]) -> bool:
        try:
            work()
        except (Killed, ClientError, Exception) as error:
            if not isinstance(error, Killed | ClientError) and type(error).__name__ != "Unavailable":
                raise
            self.deaths += 1
            return False
        return True

    def _resume(self, worker: Worker, fault: BaseException | None) -> None:
        done = worker.green.switch(fault) if worker.green else worker.green.switch()
        self.steps += 1
        if worker.green.dead:
            self.workers.remove(worker)
            if not done:
                self.uncounted |= dict.fromkeys(worker.chunks, self.steps)
            worker.then(bool(done))
        if not self.workers:
            self._expect_true_counts()

    def _committed(self) -> None:
        """A chunk was counted: whose counts were open before this worker began is settled."""
        worker = next((worker for worker in self.workers if worker.green is getcurrent()), None)
        if worker and len(worker.chunks) == 1 and self.uncounted.get(worker.chunks[0], self.steps) < worker.born:
            del self.uncounted[worker.chunks[0]]
        self._expect(self._shards() == self._chunks(), "shards are not the sum of chunks")

    def _expect_true_counts(self) -> None:
        for chunk in self.plan.keys() - self.uncounted.keys():
            if (f"{ACCOUNT}/chunk/{chunk}", "chunk") in self.table.items:
                states = Counter(
                    item["state"]["S"] for item in self.table.partition(f"{ACCOUNT}/chunk/{chunk}", "row#")
                )
                self._expect(self.counts(chunk) == states, "the counts of a chunk at rest are not its rows")

    def counts(self, chunk: str) -> Counter[str]:
        return Counter(aws.from_item(self.table.items[f"{ACCOUNT}/chunk/{chunk}", "chunk"])["counts"])

    def _aside(self, work: Callable[[], Any]) -> None:
        """Something that is not part of the trouble."""
        green = greenlet(work)
        green.switch()
        while not green.dead:
            green.switch(None)

    def clock(self) -> float:
        mine = next((worker for worker in self.workers if worker.green is getcurrent()), None)
        return self.now + (mine.offset if mine else 0)

    def sleep(self, seconds: float) -> None:
        self.now += min(seconds, 2)
        self.edge()

    # Planning, as `planning` does it

    def _planned(self) -> None:
        for chunk, rows in self.plan.items():
            chunks.write(self.store, chunk, rows, self.now)
            chunks.deliver(self.store, chunk)
        campaigns.advance(self.store, CAMPAIGN, self.now)

    def _start_planner_again(self, done: bool) -> None:
        if not done or self._befalls(0.1):
            self._start(self._planned, self._start_planner_again, list(self.plan))

    # What is there

    def head(self) -> Item:
        return aws.from_item(self.table.items[f"{ACCOUNT}/campaign/{CAMPAIGN}", "campaign"])

    def _set(self, **values: Any) -> None:
        key = f"{ACCOUNT}/campaign/{CAMPAIGN}", "campaign"
        item = self.table.items.get(key, {"pk": {"S": key[0]}, "sk": {"S": key[1]}})
        self.table.items[key] = item | aws.to_item(values)

    def rows(self) -> list[Row]:
        found = [item for chunk in self.plan for item in self.table.partition(f"{ACCOUNT}/chunk/{chunk}", "row#")]
        return [chunks.row_of(aws.from_item(item)) for item in found]

    def _is_open(self, chunk: str) -> bool:
        item = self.table.items.get((f"{ACCOUNT}/chunk/{chunk}", "chunk"))
        return item is None or "sweep_pk" in item

    def _shards(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for item in self.table.partition(f"{ACCOUNT}/campaign/{CAMPAIGN}", "campaign#"):
            found.update({name: int(value["N"]) for name, value in item.items() if "N" in value})
        return +found

    def _chunks(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for chunk in self.plan:
            if item := self.table.items.get((f"{ACCOUNT}/chunk/{chunk}", "chunk")):
                counts = item["counts"]["M"]
                found.update({f"{chunks.channel_of(chunk)}_{state}": int(n["N"]) for state, n in counts.items()})
        return +found

    # What must hold

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.violations.append(otherwise)

    def check(self) -> list[str]:
        """What is wrong in the end."""
        rows, head = self.rows(), self.head()
        shards = self.table.partition(f"{ACCOUNT}/campaign/{CAMPAIGN}", "campaign#")
        counted = progress.of(head, [aws.from_item(shard) for shard in shards], self.now)
        states = Counter(row.state for row in rows)
        self._expect(len(rows) == len(self.people), "rows are missing")
        self._expect(chunks.OPEN.isdisjoint(states), "a row is not final")
        self._expect(all(row.text is None for row in rows), "the text of a final row is kept")
        self._expect(self._shards() == self._chunks(), "shards are not the sum of chunks")
        self._expect(
            {state: getattr(counted, state) for state in progress.FINAL}
            == {state: states[state] for state in progress.FINAL},
            "progress is not what a scan finds",
        )
        self._expect(head["state"] == ("completed" if self.never_cancelled else "cancelled"), "not completed")
        for row in rows:
            self._check_row(row)
        return self.violations

    def _check_row(self, row: Row) -> None:
        person = self.people[row.recipient]
        channel = next(
            chunks.channel_of(chunk)
            for chunk, rows in self.plan.items()
            if row.recipient in {r.recipient for r in rows}
        )
        by_target = [self.sns.sent[each] for each in (person.phone, *(device.endpoint for device in person.devices))]
        if self.delivery == "at_most_once":
            self._expect(max(by_target) <= 1, "published twice")
        elif self.never_cancelled and not sending.unreachable(person, channel):
            self._expect(row.state != "unknown" or row.tries > 0, "given up without a second try")
        self._expect(row.state in ("sent", "unknown") or not sum(by_target), f"{row.state}, and yet published")
        self._expect(row.state != "sent" or sum(by_target) > 0, "sent, and yet not published")
