"""Tracking in an imagined cloud: DynamoDB and S3 in memory, and workers that are switched between any two requests.

The code that runs is the app's own. Each worker is a greenlet that stops before and after every request to AWS, where
the schedule may let another one run, let time pass, refuse the request, lose its answer, or kill the worker.
`tests/pipeline/test_tracking.py` holds some of the same against the emulator, so that this model stays honest.
"""

from __future__ import annotations

import io
import random
import re
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from greenlet import getcurrent, greenlet

from chalicelib import contract
from chalicelib.store import AccountStore
from chalicelib.tracking import consume, envelope, pages, rollup, stats
from chalicelib.tracking.event import Event
from chalicelib.tracking.intake import Intake
from chalicelib.tracking.moments import id_time
from tests.pipeline.world import Killed

ACCOUNT = "a234567abcdefghij"
KEY = f"wk{ACCOUNT}0123456789abcdef"
START = 1_795_348_800  # 2026-11-22T12:00:00Z
IMAGES = tuple(f"01kz{number:022d}" for number in range(3))
RANKING = f"01kz{9:022d}"
# In which the events of a schedule may count.
HOURS = range(START - 52 * 3600, START + 2 * 3600, 3600)

Item = dict[str, Any]


def uuid7(second: float, chance: random.Random) -> str:
    """An id as track.js makes it."""
    number = int(second * 1000) << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62)
    return str(uuid.UUID(int=number))


def event(identifier: str, happened: float, received: float, **more: Any) -> Event:
    """One impression of the first image, unless `more` says otherwise. Times in Unix seconds."""
    fields = {"kind": "i", "image": IMAGES[0], "type": "track", "account": ACCOUNT, "key": KEY, **more}
    milliseconds = int(happened * 1000)
    return Event(id=identifier, received=int(received * 1000), at=milliseconds, frozen=milliseconds, **fields)


def bodies(events: list[Event], rejected: Any = ()) -> list[str]:
    return envelope.pack(ACCOUNT, Intake(events=events, rejected=list(rejected)))


def ask(**query: Any) -> contract.Stats:
    """The statistics of HOURS, unless the query says otherwise."""
    span = {"from_": "2026-11-20T08:00Z", "to": "2026-11-22T14:00Z", "interval": "hour"}
    return stats.stats(AccountStore(ACCOUNT), contract.StatsQuery(**{**span, **query}), START)


def four(counts: Any) -> tuple[int, int, int, int]:
    return counts.impressions, counts.clicks, counts.submits, counts.conversions


# The imagined cloud


class Cloud:
    """Stands for `aws.client`. limit: bytes of an item, so that pages fill up with a few digests."""

    def __init__(self, limit: int = 400 * 1024):
        self.items: dict[str, dict[str, Item]] = {}
        self.objects: dict[str, bytes] = {}
        self.limit = limit
        self.queried = ""  # the partition of the last query

    def client(self, service: str) -> Any:
        return {"dynamodb": self, "s3": Bucket(self)}[service]

    def edge(self) -> None:
        """Where another worker may run; what the schedule hands back is raised."""
        worker = getcurrent()
        if worker.parent is not None and (fault := worker.parent.switch()):
            raise fault

    def get_item(self, **request: Any) -> Item:
        self.edge()
        item = self._find(request["Key"])
        self.edge()
        return {"Item": item} if item else {}

    def batch_get_item(self, **request: Any) -> Item:
        self.edge()
        [(table, wanted)] = request["RequestItems"].items()
        assert len(wanted["Keys"]) <= 100
        found = [item for key in wanted["Keys"] if (item := self._find(key))]
        self.edge()
        return {"Responses": {table: found}}

    def put_item(self, **request: Any) -> Item:
        self.edge()
        self._demand(request, request["Item"])
        self._store(request["Item"])
        self.edge()
        return {}

    def delete_item(self, **request: Any) -> Item:
        self.edge()
        self._demand(request, request["Key"])
        self.items.get(request["Key"]["pk"]["S"], {}).pop(request["Key"]["sk"]["S"], None)
        self.edge()
        return {}

    def update_item(self, **request: Any) -> Item:
        """ADD to sets, and SET one attribute, without a condition: what pages need."""
        self.edge()
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        assert request["UpdateExpression"].startswith("SET expires = :expires ADD ")
        item = dict(self._find(request["Key"]) or request["Key"]) | {"expires": values[":expires"]}
        for name, value in re.findall(r"(#\d+) (:\d+)", request["UpdateExpression"]):
            known = item.get(names[name], {"BS": []})["BS"]
            item[names[name]] = {"BS": sorted({*known, *values[value]["BS"]})}
        sizes = {name: len(value["BS"]) for name, value in item.items() if "BS" in value}
        if pages.page_bytes(sizes) > self.limit:
            raise refusal("ValidationException", "Item size to update has exceeded the maximum allowed size")
        self._store(item)
        self.edge()
        return {}

    def get_paginator(self, _method: str) -> Cloud:
        return self

    def paginate(self, **request: Any) -> list[Item]:
        return [self.query(**request)]

    def query(self, **request: Any) -> Item:
        self.edge()
        values = {name: next(iter(value.values())) for name, value in request["ExpressionAttributeValues"].items()}
        found = self._by_index(request["IndexName"], values) if "IndexName" in request else self._by_key(values)
        found = found if request.get("ScanIndexForward", True) else found[::-1]
        self.queried = values[":pk"]
        self.edge()
        return {"Items": found[: request.get("Limit")]}

    def _by_key(self, values: dict[str, str]) -> list[Item]:
        partition = self.items.get(values[":pk"], {})
        first, last = values.get(":first", ""), values.get(":last", "\U0010ffff")
        prefix = values.get(":prefix", "")
        return [partition[sk] for sk in sorted(partition) if first <= sk <= last and sk.startswith(prefix)]

    def _by_index(self, index: str, values: dict[str, str]) -> list[Item]:
        everything = [item for partition in self.items.values() for item in partition.values()]
        mine = [item for item in everything if item.get(f"{index}_pk", {}).get("S") == values[":pk"]]
        if index == "collection":
            return mine
        due = [item for item in mine if int(item["sweep_at"]["N"]) <= int(values[":now"])]
        return sorted(due, key=lambda item: int(item["sweep_at"]["N"]))

    def _find(self, key: Item) -> Item | None:
        return self.items.get(key["pk"]["S"], {}).get(key["sk"]["S"])

    def _store(self, item: Item) -> None:
        self.items.setdefault(item["pk"]["S"], {})[item["sk"]["S"]] = item

    def _demand(self, request: Item, key: Item) -> None:
        """The conditions that tracking uses: alternatives of "is not there" and of one comparison."""
        item = self._find(key) or {}
        alternatives = request.get("ConditionExpression", "").split(" OR ")
        if alternatives != [""] and not any(self._holds(each, item, request) for each in alternatives):
            raise refusal("ConditionalCheckFailedException")

    def _holds(self, condition: str, item: Item, request: Item) -> bool:
        if absent := re.fullmatch(r"attribute_not_exists\(#?(\w+)\)", condition):
            return absent[1] not in item
        compared = re.fullmatch(r"#(\w+) (<=|<|=) (:\w+)", condition)
        assert compared is not None
        there, wanted = item.get(compared[1]), request["ExpressionAttributeValues"][compared[3]]
        if there is None:
            return False
        left, right = int(there["N"]), int(wanted["N"])
        return {"<=": left <= right, "<": left < right, "=": left == right}[compared[2]]


class Bucket:
    def __init__(self, cloud: Cloud):
        self.cloud = cloud

    def put_object(self, **request: Any) -> None:
        self.cloud.edge()
        self.cloud.objects[request["Key"]] = request["Body"]
        self.cloud.edge()

    def get_object(self, **request: Any) -> Item:
        self.cloud.edge()
        return {"Body": io.BytesIO(self.cloud.objects[request["Key"]])}


def refusal(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "")


# A schedule


def is_in_time(copy: Event) -> bool:
    return copy.received - copy.frozen <= 48 * 3600 * 1000


class Truth(NamedTuple):
    """One id: what it counts as, and the hours that it may count in: without a time in it, the hour of any copy."""

    kind: str
    image: str
    ranking: str | None
    hours: frozenset[int]


class Worker:
    """One run of a consumer, a roll-up or a reader."""

    def __init__(self, run: Callable[[], Any], now: float, then: Callable[[Any], None]):
        self.green, self.born, self.then = greenlet(run), now, then


class Schedule:
    """Events, some of them sent again; messages with them; and a random way of delivering those until all are counted.

    truth: what each id that shall be counted counts as. acknowledged, begun: the ids that SQS is rid of, and those that
    a consumer has begun with; whoever reads must find all of the former and none beyond the latter.
    """

    def __init__(self, cloud: Cloud, seed: int):
        self.cloud, self.chance = cloud, random.Random(seed)
        self.now = START + self.chance.randrange(3600)
        self.truth: dict[str, Truth] = {}
        self.workers: list[Worker] = []
        self.acknowledged: set[str] = set()
        self.begun: set[str] = set()
        self.deaths = self.refusals = self.reads = 0
        copies = [copy for _ in range(self.chance.randint(2, 7)) for copy in self._visit()]
        self.chance.shuffle(copies)
        self.messages: list[tuple[str, set[str]]] = []
        while copies:
            size = self.chance.randint(1, 4)
            some, copies = copies[:size], copies[size:]
            counting = {each.id for each in some if id_time(each.id) is None or is_in_time(each)}
            self.messages.append((bodies(some)[0], counting))
        self.bag = [*range(len(self.messages))] * self.chance.randint(1, 2)

    def _visit(self) -> list[Event]:
        """An event and its retries: received later, and under another client time where the id does not hold one."""
        chance, timed = self.chance, self.chance.random() < 0.6
        about = {
            "kind": chance.choice("iicsv"),
            "image": chance.choice(IMAGES),
            "ranking": chance.choice((None, RANKING)),
        }
        happened = self.now - chance.choice((0, 60, 700, 4000, 90_000, 173_000, 180_000))
        identifier = uuid7(happened, chance) if timed else str(uuid.UUID(int=chance.getrandbits(128), version=4))
        copies, hours = [], set()
        for _ in range(chance.randint(1, 3)):
            received = min(self.now, happened + chance.choice((0, 30, 5000, 173_500)))
            told = happened if timed else happened - chance.choice((0, 0, 4000, 400_000))
            copies.append(event(identifier, told, received, **about))
            if is_in_time(copies[-1]):
                hours.add(pages.hour_of(told))
            elif not timed:
                hours.add(pages.hour_of(received))
        if hours:
            self.truth[identifier] = Truth(**about, hours=frozenset(hours))
        return copies

    # Running

    def run(self) -> None:
        """Deliver everything, in trouble; then, in peace, what the trouble left."""
        for _ in range(self.chance.randint(10, 110)):
            self._step()
        while self.workers:
            self._resume(self.workers[-1], None)
        while self.bag:
            self._consume()
            while self.workers:
                self._resume(self.workers[-1], None)

    def _step(self) -> None:
        chance = self.chance.random()
        if chance < 0.03 or not self.workers:
            self.now += self.chance.choice((0, 1, 60, 890, 900, 4000))
            self.chance.choice((self._consume, self._consume, self._consume, self._roll_up, self._read))()
        elif chance < 0.07:
            self.chance.choice((self._consume, self._roll_up))()
        else:
            self._resume(self.chance.choice(self.workers), self._fault(self.chance.random()))

    def _fault(self, chance: float) -> BaseException | None:
        """A worker's death, or a refusal: before a request had its effect, or an answer lost after it."""
        if chance < 0.01:
            return Killed()
        if chance < 0.02:
            self.refusals += 1
            return refusal("ProvisionedThroughputExceededException")
        return None

    def _resume(self, worker: Worker, fault: BaseException | None) -> None:
        """Let a worker do its next request. Like a function of Lambda's, it dies when its time is over."""
        if self.now - worker.born >= rollup.RUN_SECONDS:
            fault = Killed()
        result = worker.green.switch(fault) if worker.green else worker.green.switch()
        if worker.green.dead:
            self.workers.remove(worker)
            worker.then(result)

    def _start(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        self.workers.append(Worker(lambda: self._survive(work), self.now, then))

    def _survive(self, work: Callable[[], Any]) -> Any:
        """What the work gives, or None when it failed."""
        try:
            return work()
        except (Killed, ClientError) as error:
            self.deaths += isinstance(error, Killed)
            return None

    def _consume(self) -> None:
        if not self.bag:
            return
        self.chance.shuffle(self.bag)
        size = self.chance.randint(1, 3)
        mine, self.bag = self.bag[:size], self.bag[size:]
        identifiers = set().union(*(self.messages[each][1] for each in mine))
        now = self.now

        def work() -> bool:
            self.begun.update(identifiers)
            consume.count([self.messages[each][0] for each in mine], [f"m{each}" for each in mine], now)
            return True

        def then(counted: bool | None) -> None:
            if counted:
                self.acknowledged.update(identifiers)
            if not counted or self.chance.random() < 0.1:  # SQS delivers at least once
                self.bag += mine

        self._start(work, then)

    def _roll_up(self) -> None:
        now = self.now
        self._start(lambda: rollup.roll_up(now), lambda _: None)

    def _read(self) -> None:
        interval = self.chance.choice(("hour", "day"))
        sure: set[str] = set()

        def work() -> Any:
            sure.update(self.acknowledged)
            return ask(interval=interval)

        def then(found: Any) -> None:
            if found is not None:
                self.reads += 1
                assert len(sure) <= sum(four(found.totals)) <= len(self.begun), found.totals

        self._start(work, then)

    # What must hold

    def answers(self, *subjects: str) -> dict[str, dict[int, tuple[int, int, int, int]]]:
        """The hours in which something was counted of the account (""), of the ranking or of an image."""
        return {subject: self._hours(subject) for subject in subjects or ("", RANKING, *IMAGES)}

    def _hours(self, subject: str) -> dict[int, tuple[int, int, int, int]]:
        query = contract.StatsQuery(**{"ranking" if subject == RANKING else "image": subject} if subject else {})
        store, span = AccountStore(ACCOUNT), stats.Span(HOURS.start, HOURS.stop, HOURS.step)
        [found] = stats.read(store, stats.scope_of(store, query), span).values() or [{}]
        return {hour: tuple(found[hour]) for hour in sorted(found)}

    def is_true(self, answers: dict[str, dict[int, tuple[int, int, int, int]]]) -> bool:
        """Whether each id is counted once, as what it is, in an hour that it may count in."""
        return all(
            is_account_of(hours, [each for each in self.truth.values() if subject in ("", each.image, each.ranking)])
            for subject, hours in answers.items()
        )

    def close(self) -> None:
        """Let every mark end, and roll up what is dirty."""
        self.now += 2 * 3600
        rollup.roll_up(self.now)


def is_account_of(hours: dict[int, tuple[int, int, int, int]], truth: list[Truth]) -> bool:
    totals = tuple(map(sum, zip((0, 0, 0, 0), *hours.values(), strict=True)))
    sure = Counter(hour for each in truth if len(each.hours) == 1 for hour in each.hours)
    possible = Counter(hour for each in truth for hour in each.hours)
    return (
        totals == tuple(sum(each.kind == kind for each in truth) for kind in "icsv")
        and all(sum(hours.get(hour, ())) >= number for hour, number in sure.items())
        and all(sum(found) <= possible[hour] for hour, found in hours.items())
    )
