"""What campaigns cost: processor time of sending, planning and polling, memory, and the model of hostile schedules.

An emulator runs as a process of its own; what it costs is told beside what the handler costs, because both share the
machine here and not in AWS. Rates are of CPU seconds of this process, medians; wall time is the emulator's.

- `recipients_per_s`: text messages through the handler, as SQS hands it a message of some 200 rows: lease,
  recipients, claims, SNS, records, counts. `recipients_per_s_stubbed`: the same with SNS answering at once, in process.
- `plan_rows_per_s`: `planning.plan` from recipients to rendered rows in chunks, counted.
- `rss_growth_1k_to_100k_mb`: how much a worker's peak memory grows from a campaign of 1,000 to one of 100,000 messages,
  each in a process of its own, whose AWS is imagined and keeps nothing.
- `poll_ms`: one read of a campaign's progress, CPU. `schedules`, `violations`: of the model that the tests use.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from bench.tracking import cloud, cpu_seconds

ACCOUNT = "a234567abcdefghij"
ROWS = 250
RECIPIENTS = 8000
CHUNKS = 5
POLLS = 50
SCHEDULES = 10_000
TEXT = "Hi {{ attributes.name }}, you have {{ attributes.points }} points in {{ campaign.name }}!"
ENVIRONMENT = {
    "PROOFSHEET_SMS_PER_SECOND": "1e9",
    "PROOFSHEET_SMS_WORKERS": "1",
    "PROOFSHEET_SMS_BUDGET_DOLLARS": "1e6",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--schedules", type=int, default=SCHEDULES)
    parser.add_argument("--memory", type=int, help="send so many messages and print the peak memory")
    arguments = parser.parse_args()
    if arguments.memory:
        print(peak_memory(arguments.memory))
        return
    os.environ.update(ENVIRONMENT)
    measured = with_emulator()
    print(json.dumps(measured))
    small, large = (memory(number) for number in (1000, 100_000))
    print(f"peak memory of a worker: {small:.1f} MB at 1,000 messages, {large:.1f} MB at 100,000")
    violations = hostile(arguments.schedules)
    answer = {
        **measured,
        "rss_growth_1k_to_100k_mb": round(large - small, 1),
        "schedules": arguments.schedules,
        "violations": violations,
    }
    print(json.dumps(answer))


# With an emulator


def with_emulator() -> dict[str, float]:
    """A campaign for everybody, planned; of its chunks a few are sent, and a few with the network call stubbed."""
    with cloud(), quiet(), caught() as messages:
        from chalicelib.push import campaigns, planning, progress
        from chalicelib.store import AccountStore

        store, now = AccountStore(ACCOUNT), time.time()
        enroll(store, range(RECIPIENTS))
        campaign = launch(store, now)
        plans = [message for worker, message in messages if worker == "plan"]
        planned = sum(cpu_seconds(partial(planning.plan, message)) for message in plans)
        campaigns.advance(store, campaign, now)
        full = [message for worker, message in messages if worker == "send_sms" and rows(store, message) > 150]
        sent = [send(store, message) for message in full[: CHUNKS + 1]][1:]
        with stubbed():
            stub = [send(store, message) for message in full[CHUNKS + 1 : 2 * CHUNKS + 1]]
        polls = [cpu_seconds(lambda: progress.read(store, campaign, now)) for _ in range(POLLS)]
    return {
        "recipients_per_s": round(statistics.median(each.rows / each.cpu for each in sent)),
        "recipients_per_s_stubbed": round(statistics.median(each.rows / each.cpu for each in stub)),
        "recipients_per_s_wall": round(statistics.median(each.rows / each.wall for each in sent)),
        "emulator_ms_per_recipient": round(
            statistics.median(1000 * (each.wall - each.cpu) / each.rows for each in sent), 2
        ),
        "plan_rows_per_s": round(RECIPIENTS / planned),
        "poll_ms": round(1000 * statistics.median(polls), 2),
    }


class Sent(NamedTuple):
    """One chunk. cpu: seconds of this process. wall: of the clock, which the emulator's work is part of."""

    rows: int
    cpu: float
    wall: float


def enroll(store: Any, numbers: range) -> None:
    from chalicelib.push import recipients
    from chalicelib.push.recipients import Recipient

    everybody = (
        Recipient(f"user-{each:06}", phone=f"+1202{6000001 + each}", attributes={"name": "Ada", "points": each})
        for each in numbers
    )
    items = [(*recipients.place(each.id), recipients.encoded(each, None)) for each in everybody]
    store.insert_many(recipients.KIND, items)


def launch(store: Any, now: float) -> str:
    import msgspec

    from chalicelib import contract
    from chalicelib.push import launch

    asked = {"name": "Autumn", "channel": "sms", "template": {"sms": TEXT}}
    made = launch.create(store, "bench", msgspec.convert(asked, contract.NewCampaign), now)
    return str(made.id)


@contextmanager
def caught() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What would go onto queues: (worker, message)."""
    from chalicelib import bus

    messages: list[tuple[str, dict[str, Any]]] = []
    with mock.patch.object(bus, "deliver", lambda worker, message, **_: messages.append((worker, message))):
        yield messages


def rows(store: Any, message: dict[str, Any]) -> int:
    return int(store.get("chunk", message["chunk"])["rows"])


def send(store: Any, message: dict[str, Any]) -> Sent:
    """One message of the queue, as `batch` hands it to the sender."""
    number, start = rows(store, message), time.perf_counter()
    cpu = cpu_seconds(partial(handle, message))
    wall = time.perf_counter() - start
    if store.get("chunk", message["chunk"])["counts"] != {"sent": number}:
        raise RuntimeError("not everybody got a message")
    return Sent(number, cpu, wall)


def handle(message: dict[str, Any]) -> None:
    from chalicelib import batch
    from chalicelib.push import sending

    class Record:
        def to_dict(self) -> dict[str, Any]:
            return {"messageId": "m", "body": json.dumps(message), "attributes": {}}

    if batch.run([Record()], sending.send)["batchItemFailures"]:
        raise RuntimeError("the message failed")


@contextmanager
def stubbed() -> Iterator[None]:
    """SNS answers at once; DynamoDB stays where it is."""
    from chalicelib import lean

    whole: Callable[..., tuple[int, bytes]] = lean.post

    def post(service: str, *request: Any) -> tuple[int, bytes]:
        return (200, b"<MessageId>m</MessageId>") if service == "sns" else whole(service, *request)

    with mock.patch.object(lean, "post", post):
        yield


@contextmanager
def quiet() -> Iterator[None]:
    from chalicelib import log

    with mock.patch.object(log, "_emit", return_value=None):
        yield


# Memory


def memory(messages: int) -> float:
    """Peak memory in MB of a process of its own that sends so many."""
    command = [sys.executable, "-m", "bench.push", "--memory", str(messages)]
    return float(
        subprocess.run(command, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=True).stdout
    )


def peak_memory(messages: int) -> float:
    """One chunk after the other, each forgotten by the imagined AWS before the next."""
    from types import SimpleNamespace

    from chalicelib import aws, lean
    from chalicelib.push import chunks, recipients
    from chalicelib.store import AccountStore

    table = imagined("campaign_table").Table(lambda: None, lambda: None)

    def post(service: str, _url: str, _headers: Any, body: bytes) -> tuple[int, bytes]:
        if service == "sns":
            return 200, b"<MessageId>m</MessageId>"
        statements = json.loads(body)["Statements"]
        answers = [table.execute(each["Statement"], each["Parameters"]) for each in statements]
        return 200, json.dumps({"Responses": answers}).encode()

    queue = SimpleNamespace(get_queue_url=lambda **_: {"QueueUrl": "q"}, send_message=lambda **_: None)
    clients = {"dynamodb": table, "sqs": queue}
    with mock.patch.object(aws, "client", clients.__getitem__), mock.patch.object(lean, "post", post), quiet():
        store, now = AccountStore(ACCOUNT), time.time()
        head = {"id": "c", "state": "sending", "delivery": "at_most_once", "version": 0}
        store.put("campaign", "c", head)
        for number in range(messages // ROWS):
            people = range(number * ROWS, (number + 1) * ROWS)
            enroll(store, people)
            chunk = chunks.key("c", number % 32, number // 32, "sms")
            chunks.write(store, chunk, [chunks.Row(f"user-{each:06}", text=TEXT) for each in people], now)
            send(store, {"account": ACCOUNT, "campaign": "c", "chunk": chunk})
            gone = [key for key in table.items if f"/{recipients.KIND}/" in key[0] or "/chunk/" in key[0]]
            for key in gone:
                del table.items[key]
    # Not `ru_maxrss`, which begins with what the process had that started this one.
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(peak) / 1024


# The model


def imagined(module: str) -> Any:
    """A module of the tests, which have no types."""
    return import_module(f"tests.pipeline.{module}")


def hostile(schedules: int) -> int:
    """How many random schedules broke a promise."""
    from types import SimpleNamespace

    from chalicelib import aws, bus, lean, notices, statements
    from chalicelib.push import chunks, recipients

    at_once = SimpleNamespace(sleep=lambda _seconds: None)
    broken = 0
    for seed in range(schedules):
        schedule = imagined("campaign_world").Schedule(seed, ("at_most_once", "at_least_once")[seed % 2])
        bus.queue_url.cache_clear()
        with (
            quiet(),
            mock.patch.object(aws, "client", schedule.client),
            mock.patch.object(lean, "post", schedule.post),
            mock.patch.multiple(
                recipients,
                load=schedule.load,
                block_sms=schedule.block_sms,
                disable_device=schedule.disable_device,
            ),
            mock.patch.object(statements, "time", at_once),
            mock.patch.object(chunks, "time", at_once),
            mock.patch.object(notices, "campaign_completed", return_value=None),
        ):
            schedule.run()
            broken += bool(schedule.check())
    return broken


if __name__ == "__main__":
    main()
