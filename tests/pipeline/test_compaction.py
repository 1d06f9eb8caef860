"""The daily compaction against the emulator: from raw objects to files of days, canonical counts and cells by place."""

from __future__ import annotations

import gzip
import random
import time
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from chalicelib import aws, contract
from chalicelib.ids import new_id
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from chalicelib.tracking import archive, compaction, labels, rollup, stats, tallies
from chalicelib.tracking.event import Event
from tests.tracking_events import uuid7
from tools import sam_template

DAY = 86_400_000
FIRST = date(2026, 11, 18)
NOON = int(datetime(2026, 11, 18, 12, tzinfo=UTC).timestamp() * 1000)
IMAGE = "01k9z5c3a8e7d2m4q6s8v0x1y3"
ROOT = Path(__file__).parents[2]
NAMED_OTHERWISE = {"ListObjectsV2": "ListBucket", "HeadObject": "GetObject"}
NUMBERS = iter(range(10**6))


def run_on(night, **options):
    """The run in the night after a day of November."""
    return compaction.run(datetime(2026, 11, night + 1, 3, 30, tzinfo=UTC).timestamp(), **options)


@pytest.fixture
def site(emulator, monkeypatch):
    clients = {"s3": emulator.connect("s3"), "sqs": emulator.connect("sqs"), "dynamodb": emulator.client("dynamodb")}
    monkeypatch.setattr(aws, "client", clients.__getitem__)
    empty(clients["s3"])
    yield Site(clients["s3"])
    empty(clients["s3"])


def empty(s3):
    """Other tests' events would be compacted, too."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=settings().events_bucket):
        for each in page.get("Contents", []):
            s3.delete_object(Bucket=settings().events_bucket, Key=each["Key"])


class Site:
    """An account whose events arrive in the archive."""

    def __init__(self, s3):
        self.s3 = s3
        self.account = "a" + new_id()[-16:]
        self.store = AccountStore(self.account)

    def event(self, at=NOON, delay=0, **changes):
        number = next(NUMBERS)
        given = {"id": uuid7(number, at), "at": at, "frozen": at, "received": at + delay, "kind": "c", "image": IMAGE}
        return Event(**{"type": "track", "account": self.account, "key": "k", **given, **changes})

    def arrive(self, *events, key=None):
        """One raw object, as the consumer leaves it."""
        key = key or archive.raw_key(self.account, events[0].received // 1000, f"{next(NUMBERS):020}")
        archive.put(key, archive.packed(map(msgspec.json.encode, events)))
        return key

    @property
    def objects(self):
        """What the compaction made: version by key."""
        found = self.s3.list_objects_v2(Bucket=settings().events_bucket).get("Contents", [])
        return {each["Key"]: each["ETag"] for each in found if not each["Key"].startswith("raw/")}

    def clicks(self, day=18):
        query = contract.StatsQuery(image=None, from_=f"2026-11-{day}", to=f"2026-11-{day + 1}", interval="day")
        return stats.stats(self.store, query, NOON / 1000 + 30 * 86400).totals.clicks

    @property
    def exact_until(self):
        return stats.exact_until(self.store)


def test_a_day_is_canonical_three_days_after_it_began(site):
    site.arrive(*(site.event() for _ in range(5)))
    run_on(19)
    assert (site.clicks(), site.exact_until) == (0, "2026-11-18T00:00:00Z")
    run_on(20)
    assert (site.clicks(), site.exact_until) == (5, "2026-11-19T00:00:00Z")


def test_an_event_in_many_objects_parts_and_days_of_arrival_counts_once(site):
    once = site.event()
    site.arrive(once, once)
    site.arrive(once)
    site.arrive(msgspec.structs.replace(once, received=NOON + DAY))
    site.arrive(msgspec.structs.replace(once, received=NOON + 5 * DAY))
    run_on(23)
    assert (site.clicks(), sum(site.clicks(day) for day in range(18, 25))) == (1, 1)


def test_no_day_is_canonical_while_the_queue_is_behind(site, monkeypatch):
    site.arrive(site.event())
    with monkeypatch.context() as behind:
        behind.setattr(compaction, "BEHIND_MESSAGES", -1)
        run_on(20)
    assert site.exact_until is None
    run_on(21)
    assert (site.clicks(), site.exact_until) == (1, "2026-11-20T00:00:00Z")


def test_running_again_changes_nothing(site):
    site.arrive(*(site.event(NOON + number * DAY // 4) for number in range(12)))
    run_on(24)
    made, counted = site.objects, [site.clicks(day) for day in range(17, 25)]
    assert run_on(24).parts == 0
    for day in range(18, 25):
        run_on(24, account=site.account, day=date(2026, 11, day))
    assert (site.objects, [site.clicks(day) for day in range(17, 25)]) == (made, counted)


def test_what_arrives_late_is_added_to_its_day_and_the_day_counted_anew(site):
    site.arrive(site.event())
    run_on(21)
    site.arrive(site.event(delay=4 * DAY))
    run_on(22)
    assert site.clicks() == 2


def test_an_object_that_comes_late_into_a_merged_part_is_merged_alone(site):
    site.arrive(site.event())
    run_on(21)
    site.arrive(site.event())
    report = run_on(22)
    assert (report.parts, report.days, site.clicks()) == (1, 1, 2)


@pytest.mark.parametrize("seed", range(4))
def test_a_crash_at_any_request_and_another_run_leave_the_same(site, monkeypatch, seed):
    chance = random.Random(seed)
    for _ in range(4):
        site.arrive(*(site.event(NOON + chance.randrange(3 * DAY)) for _ in range(6)))
    left = [chance.randrange(30)]

    def crash(**_):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    site.s3.meta.events.register("before-call.s3", crash)
    for _ in range(3):
        try:
            run_on(25)
        except KeyboardInterrupt:
            left[0] = chance.randrange(30)
    site.s3.meta.events.unregister("before-call.s3", crash)
    run_on(25)
    assert sum(site.clicks(day) for day in range(18, 23)) == 24


def test_two_compactions_at_once_lose_no_event(site, monkeypatch):
    site.arrive(site.event())
    run_on(21)
    site.arrive(site.event())
    fetch = compaction.fetch

    def meanwhile(account, day, folder):
        monkeypatch.setattr(compaction, "fetch", fetch)
        path = fetch(account, day, folder)
        content = path.read_bytes()
        run_on(21)
        path.write_bytes(content)
        return path

    monkeypatch.setattr(compaction, "fetch", meanwhile)
    site.arrive(site.event())
    with pytest.raises(compaction.Conflict):
        run_on(21)
    run_on(21)
    assert site.clicks() == 3


def test_a_day_that_is_written_while_it_is_counted_is_counted_as_it_is_then(site, monkeypatch):
    site.arrive(site.event())
    tally = compaction.counts.tally

    def meanwhile(sizes):
        monkeypatch.setattr(compaction.counts, "tally", tally)
        stale = tally(sizes)
        site.arrive(site.event())
        run_on(21)
        return stale

    monkeypatch.setattr(compaction.counts, "tally", meanwhile)
    run_on(21)
    assert site.clicks() == 2
    assert run_on(21).days == 0


def test_an_object_that_cannot_be_read_stops_neither_its_part_nor_the_others(site):
    key = site.arrive(site.event())
    whole = site.s3.get_object(Bucket=settings().events_bucket, Key=key)["Body"].read()
    for number, broken in enumerate((b"", b"{}", whole[:-9], gzip.compress(b"\xff\n{}\n"))):
        archive.put(f"{key[:-12]}{number}.json.gz", broken)
    run_on(21)
    assert site.clicks() == 1


def test_one_accounts_failure_keeps_no_other_from_its_compaction(site, monkeypatch):
    other = Site(site.s3)
    site.arrive(site.event())
    other.arrive(other.event())
    merge = compaction.merge
    monkeypatch.setattr(
        compaction, "merge", lambda account, *rest: merge(account, *rest) if account == other.account else 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        run_on(21)
    assert (site.clicks(), other.clicks()) == (0, 1)


def test_clicks_by_place_are_there_after_the_first_night(site):
    site.arrive(site.event(position=2), site.event(position=2, kind="i"), site.event(bot=True))
    run_on(18)
    window = (NOON // 1000 - 43_200, NOON // 1000 + 43_200)
    assert list(labels.read(site.account, window)) == [labels.Cell(IMAGE, 2, 1, 1)]


def tallied(site, day=FIRST):
    shards = (tallies.read(site.account, [str(day)], shard) for shard in range(tallies.SHARDS))
    return sorted(row for shard in shards for rows in shard for row in rows)


def test_what_customers_did_is_tallied_after_the_first_night(site):
    once = site.event(user="ana", event="Image Clicked")
    site.arrive(once, once, site.event(user="ana", event="click"), site.event(user="ben", event=" Level Up", kind=None))
    site.arrive(once, site.event(user="ben", event="click", bot=True), site.event(event="click"))
    site.arrive(site.event(user="ana", event="click", type="page", kind=None), site.event(user="ana", type="identify"))
    run_on(18)
    assert tallied(site) == [("ana", "click", 2), ("ben", "level up", 1)]
    assert (tallies.until(site.account), tallies.days(site.account, "2026-11-18", "2026-11-18")) == (
        "2026-11-18",
        ["2026-11-18"],
    )


def test_a_tally_is_of_the_day_as_it_became(site):
    late = site.event(NOON, 2 * DAY, user="ana", event="click")
    site.arrive(site.event(user="ben", event="click"))
    site.arrive(late)
    run_on(20)
    assert tallied(site) == [("ana", "click", 1), ("ben", "click", 1)]
    site.arrive(msgspec.structs.replace(late, received=NOON, user="zoe"))
    run_on(20)
    assert tallied(site) == [("ben", "click", 1), ("zoe", "click", 1)]


def test_while_the_queue_is_behind_no_day_is_called_counted(site, monkeypatch):
    site.arrive(site.event(user="ana", event="click"))
    run_on(18)
    monkeypatch.setattr(compaction, "BEHIND_MESSAGES", -1)
    run_on(19)
    assert tallies.until(site.account) == "2026-11-18"


def test_the_function_answers_what_it_did(site):
    site.arrive(site.event(), site.event())
    answer = compaction.handler({"account": site.account, "day": str(FIRST)}, None)
    assert (answer["parts"], answer["entered"], answer["unreadable"]) == (1, 2, 0)


# As "Creating an Amazon EventBridge rule that runs on a schedule" prints it; `account` is that of AWS.
SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-11-22T03:30:00Z",
    "region": "us-east-1",
    "resources": ["arn:aws:events:us-east-1:123456789012:rule/nightly"],
    "detail": {},
}


@pytest.mark.parametrize("event", [SCHEDULED, {}], ids=["scheduled-event", "empty-input"])
def test_the_schedule_compacts_every_account(site, event):
    other = Site(site.s3)
    yesterday = (int(time.time()) - 86_400) * 1000
    for each in (site, other):
        each.arrive(each.event(yesterday))
    answer = compaction.handler(event, None)
    assert (answer["accounts"], answer["entered"]) == (2, 2)


def test_it_asks_for_all_that_its_role_allows_and_for_nothing_else(site, emulator):
    asked = set()
    watch = lambda model, **_: asked.add(model.name)  # noqa: E731
    site.s3.meta.events.register("before-call.s3", watch)
    aws.sqs().meta.events.register("before-call.sqs", watch)
    emulator.on_call = lambda service, operation, _: asked.add(operation) if service == "dynamodb" else None
    site.arrive(site.event())
    run_on(21)
    rollup.write_day(site.store, "2026-11-18", {})  # a day whose events are gone
    emulator.on_call = lambda *_: None
    site.s3.meta.events.unregister("before-call.s3", watch)
    aws.sqs().meta.events.unregister("before-call.sqs", watch)
    [policy] = sam_template.read_yaml(ROOT / "infra/tracking.yaml")["Resources"]["CompactRole"]["Properties"][
        "Policies"
    ]
    allowed = [each["Action"] for each in policy["PolicyDocument"]["Statement"]]
    actions = {name for each in allowed for name in (each if isinstance(each, list) else [each])}
    needed = {NAMED_OTHERWISE.get(each, each) for each in asked}
    assert needed == {name.partition(":")[2] for name in actions if name.startswith(("s3:", "dynamodb:", "sqs:"))}
