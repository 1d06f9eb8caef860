"""Exact counts: whatever happens between a queue and the counters, each event counts once, and every reader agrees."""

from __future__ import annotations

import random
import uuid

import pytest
from botocore.exceptions import ClientError

from chalicelib import aws, contract, log
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from chalicelib.tracking import archive, consume, counts, pages, quarantine, rollup, stats
from chalicelib.tracking.event import Rejected
from tests.pipeline import tracking_world
from tests.pipeline.tracking_world import (
    ACCOUNT,
    IMAGES,
    KEY,
    RANKING,
    START,
    Cloud,
    Schedule,
    ask,
    bodies,
    event,
    four,
    refusal,
    uuid7,
)
from tests.pipeline.world import Killed

SCHEDULES = 10_000
PORTIONS = 10
NOW = START + 1800
CHANCE = random.Random(5)


@pytest.fixture
def quiet(monkeypatch):
    """Ten thousand schedules would log for minutes."""
    monkeypatch.setattr(log, "_emit", lambda _line: None)


@pytest.fixture
def imagine(monkeypatch):
    """imagine(limit): a new cloud in memory, with the account's images and ranking."""

    def make(limit=400 * 1024):
        cloud = Cloud(limit)
        monkeypatch.setattr(aws, "client", cloud.client)
        know_images()
        return cloud

    return make


@pytest.fixture
def store(world, monkeypatch):
    """The account in the emulator, without anything counted."""
    bucket = settings().events_bucket
    if bucket not in {each["Name"] for each in world.client("s3").list_buckets()["Buckets"]}:
        world.client("s3").create_bucket(Bucket=bucket)
    table = world.client("dynamodb")
    # Page by page: other tests may have left more than one answer holds.
    while items := table.scan(TableName=settings().table)["Items"]:
        for item in items:
            table.delete_item(TableName=settings().table, Key={"pk": item["pk"], "sk": item["sk"]})
    while found := world.client("s3").list_objects_v2(Bucket=bucket)["Contents"]:
        for each in found:
            world.client("s3").delete_object(Bucket=bucket, Key=each["Key"])
    know_images()
    return AccountStore(ACCOUNT)


def know_images():
    store = AccountStore(ACCOUNT)
    for image in IMAGES:
        collection = {"collection_pk": store.pk("image", "shoes"), "list_sk": image} if image != IMAGES[2] else {}
        store.put("image", image, {"id": image, **collection})
    store.put("ranking", RANKING, {"id": RANKING})


def count(*events, now=NOW, name="m", rejected=()):
    texts = bodies(list(events), rejected)
    consume.count(texts, [f"{name}{number}" for number in range(len(texts))], now)


def some(number, second=NOW - 60, **more):
    return [event(uuid7(second, CHANCE), second, second + 1, **more) for _ in range(number)]


def totals(**query):
    return four(ask(**query).totals)


# The model


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_ten_thousand_random_schedules_count_each_event_once(imagine, quiet, portion):
    """Consumers, roll-ups and readers at the same time; deaths, refusals, duplicates, retries under other times."""
    deaths = 0
    for seed in range(portion * SCHEDULES // PORTIONS, (portion + 1) * SCHEDULES // PORTIONS):
        # Every other cloud's pages overflow with the second digest.
        schedule = Schedule(imagine(190 if seed % 2 else 400 * 1024), seed)
        schedule.run()
        told = schedule.answers()
        assert schedule.is_true(told), seed
        schedule.close()
        assert rollup.dirty(AccountStore(ACCOUNT)) == {}, seed
        again = schedule.chance.choice(("", RANKING, *IMAGES))
        assert schedule.answers("", again) == {"": told[""], again: told[again]}, seed
        deaths += schedule.deaths
    assert deaths > SCHEDULES // PORTIONS


def test_a_roll_up_that_was_overtaken_writes_nothing(imagine, quiet):
    """The first reads the pages, an event comes, another roll-up writes the rows; then the first one writes."""
    cloud = imagine()
    count(*some(1))
    first = tracking_world.greenlet(lambda: rollup.roll_up(NOW + 7200))
    while not read_pages(cloud, first):
        pass
    count(*some(2), now=NOW + 7200)
    rollup.roll_up(NOW + 5 * 3600)
    assert totals() == (3, 0, 0, 0)
    while not first.dead:
        first.switch()
    assert totals() == (3, 0, 0, 0)


def test_an_addition_that_lands_while_the_roll_up_reads_is_left_to_the_next_one(imagine, quiet):
    cloud = imagine()
    count(*some(1))
    first = tracking_world.greenlet(lambda: rollup.roll_up(NOW + 7200))
    while not read_pages(cloud, first):
        pass
    count(*some(2), now=NOW + 7200)
    while not first.dead:
        first.switch()
    assert totals() == (3, 0, 0, 0)
    assert list(rollup.dirty(AccountStore(ACCOUNT))) == [pages.hour_of(NOW)]
    rollup.roll_up(NOW + 5 * 3600)
    assert rollup.dirty(AccountStore(ACCOUNT)) == {}
    assert totals() == (3, 0, 0, 0)


def read_pages(cloud, worker):
    """Let a worker go on to its next request; whether it has the answer to its query of pages."""
    worker.switch()
    return cloud.queried.endswith("-0")


# The emulator


def deliver(messages, now=NOW):
    consume.count(messages, [f"m{number}" for number in range(len(messages))], now)


def kill_at(world, call, when):
    """The worker dies at its nth request from now; returns whether it got so far."""
    died = []

    def on_call(_service, _operation, moment):
        nonlocal call
        if moment == when:
            call -= 1
            if call < 0:
                world.emulator.on_call = lambda *_: None
                died.append(True)
                raise Killed

    world.emulator.on_call = on_call
    return died


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_request_leaves_the_same_counts(world, store, when):
    """Each round is about hours of its own, so that every request is made."""
    expected, died, call = (0, 0, 0, 0), [True], 0
    while died:
        chance, second = random.Random(call), NOW - 7200 * call
        fresh = [*(uuid7(second - age, chance) for age in (0, 100, 3600)), str(uuid.uuid4())]
        messages = [*bodies([event(each, second, NOW, ranking=RANKING) for each in fresh]), "not a message"]
        died = kill_at(world, call, when)
        try:
            deliver(messages)
        except Killed:
            deliver(messages)
        world.emulator.on_call = lambda *_: None
        expected = (expected[0] + 4, 0, 0, 0)
        assert totals() == totals(ranking=RANKING) == expected
        call += 1
    assert call > 10


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_roll_up_killed_at_any_request_leaves_the_same_counts(world, store, when):
    now, died, call = NOW, [True], 0
    count(*some(3), *some(2, NOW - 4000, kind="c"))
    while died:
        deliver(bodies(some(1, kind="s")), now)
        before = ask().series
        now += 7200
        died = kill_at(world, call, when)
        try:
            rollup.roll_up(now)
        except Killed:
            assert ask().series == before
            rollup.roll_up(now)
        world.emulator.on_call = lambda *_: None
        assert rollup.dirty(store) == {}
        assert ask().series == before
        call += 1
    assert four(ask().totals) == (3, 2, call, 0)


def test_random_schedules_in_the_emulator_count_each_event_once(world, store, quiet):
    """Batches of any composition, killed or refused at any request, delivered until they are through."""
    sent, now = [], NOW
    for seed in range(100):
        chance = random.Random(seed)
        fresh = some(chance.randint(1, 5), image=chance.choice(IMAGES), kind=chance.choice("ic"))
        sent += fresh
        old = chance.sample(sent, min(len(sent), 3))
        bag = [text for each in (fresh, old, fresh) for text in bodies(each)]
        while bag:
            mine = [bag.pop(chance.randrange(len(bag))) for _ in range(min(len(bag), chance.randint(1, 2)))]
            kill_at(world, chance.randrange(16), chance.choice(("before", "after")))
            try:
                deliver(mine, now)
            except Killed:
                bag += mine
            world.emulator.on_call = lambda *_: None
            if chance.random() < 0.2:
                now += chance.choice((60, 7200))
                rollup.roll_up(now)
    for image in IMAGES:
        mine = [each for each in sent if each.image == image]
        assert totals(image=image) == tuple(sum(each.kind == kind for each in mine) for kind in "icsv")


def test_the_same_id_a_thousand_times_across_batches_and_hours_counts_once(store, quiet):
    identifier = str(uuid.uuid4())
    copies = [event(identifier, NOW - 40 * number, NOW - 40 * number) for number in range(1000)]
    CHANCE.shuffle(copies)
    for start in range(0, 1000, 100):
        count(*copies[start : start + 100], now=NOW + start)
    assert totals() == (1, 0, 0, 0)


def test_throttling_loses_nothing_and_counts_nothing_twice(world, store):
    chance, events = random.Random(3), [*some(5), *some(5, NOW - 4000)]

    def throttled(_service, _operation, _when):
        if chance.random() < 0.1:
            raise refusal("ProvisionedThroughputExceededException")

    world.emulator.on_call = throttled
    for _ in range(30):
        try:
            count(*events)
        except ClientError:
            continue
    world.emulator.on_call = lambda *_: None
    count(*events)
    assert totals() == (10, 0, 0, 0)


def test_a_page_that_is_full_goes_on_in_sixteen_others(store):
    hour, page = pages.hour_of(NOW), pages.Page(NOW - 60, 0)
    store.put("page", rollup.page_key(hour, 0), {"filler": bytes(399_000)}, sk=f"{page.start}#")
    events = some(2000, NOW - 30)
    for _ in range(2):
        for start in range(0, 2000, 500):
            count(*events[start : start + 500])
    assert len(store.partition("page", rollup.page_key(hour, 0))) == 17
    assert totals() == (2000, 0, 0, 0)
    rollup.roll_up(NOW + 7200)
    assert totals() == (2000, 0, 0, 0)


def test_a_message_that_cannot_be_read_is_put_aside_and_harms_no_other(store):
    [good] = bodies(some(3))
    consume.count([good, "{", '{"v":2}'], ["a", "b", "c"], NOW)
    assert totals() == (3, 0, 0, 0)
    reasons = [row.reason for row in quarantine.page(AccountStore(quarantine.UNREADABLE), contract.Paging()).items]
    assert len(reasons) == 2


def test_only_people_and_the_last_two_days_are_counted_and_all_is_archived(world, store):
    crawler, late = some(1, bot=True), event(uuid7(NOW - 49 * 3600, CHANCE), NOW - 49 * 3600, NOW)
    page_view = event("m1", NOW, NOW, kind=None, image=None, type="page")
    count(*some(2), *crawler, late, page_view)
    assert totals() == (2, 0, 0, 0)
    prefix = f"raw/account={ACCOUNT}/dt=2026-11-22/hour=12/"
    [found] = world.client("s3").list_objects_v2(Bucket=settings().events_bucket, Prefix=prefix)["Contents"]
    assert len(archive.get(found["Key"])) == 5


def test_the_archive_of_a_batch_delivered_again_is_the_same_object(world, store):
    events = some(3)
    for _ in range(2):
        count(*events)
    found = world.client("s3").list_objects_v2(Bucket=settings().events_bucket, Prefix="raw/")["Contents"]
    assert len(found) == 1


# What callers see


def test_the_quarantine_is_shown_newest_first_page_by_page_and_to_no_other_account(store):
    for minute in range(3):
        rows = [Rejected("x", f"{minute}.{row}", "{}", ACCOUNT, KEY, (NOW + 60 * minute) * 1000) for row in range(2)]
        for _ in range(2):
            count(rejected=rows, name=f"{minute}-")
    seen, cursor = [], contract.UNSET
    while cursor is not None:
        found = quarantine.page(store, contract.Paging(limit=4, cursor=cursor))
        seen, cursor = seen + [row.reason for row in found.items], found.next
    assert seen == ["2.0", "2.1", "1.0", "1.1", "0.0", "0.1"]
    assert quarantine.page(AccountStore("a765432abcdefghij"), contract.Paging()).items == []


def test_statistics_of_an_image_a_ranking_and_a_collection_add_up(store):
    count(*some(3), *some(2, image=IMAGES[1], ranking=RANKING), *some(4, image=IMAGES[2], kind="c", ranking=RANKING))
    assert totals() == (5, 4, 0, 0)
    assert totals(image=IMAGES[1]) == (2, 0, 0, 0)
    assert totals(ranking=RANKING) == (2, 4, 0, 0)
    assert totals(collection="shoes") == (5, 0, 0, 0)
    assert totals(collection="none") == (0, 0, 0, 0)
    assert ask().ctr == 4 / 5
    assert ask(collection="none").ctr is None


def test_each_image_of_a_ranking_has_its_own_sums(store):
    count(*some(3, ranking=RANKING), *some(2), *some(1, image=IMAGES[1], kind="c", ranking=RANKING))
    scope = stats.ranking_scope(RANKING, IMAGES)
    expected = {
        counts.ranking_subject(RANKING, IMAGES[0]): [3, 0, 0, 0],
        counts.ranking_subject(RANKING, IMAGES[1]): [0, 1, 0, 0],
    }
    assert stats.sums(store, scope, NOW - 86_400, NOW) == expected
    rollup.roll_up(NOW + 7200)
    assert stats.sums(store, scope, NOW - 86_400, NOW) == expected


def test_a_day_that_compaction_confirmed_is_told_by_its_own_counts(store):
    day = {"interval": "day", "from_": "2026-11-21", "to": "2026-11-23"}
    count(*some(3), *some(1, NOW - 40_000), now=NOW)
    assert [point.impressions for point in ask(**day).series] == [0, 4]
    assert ask(**day).exact_until is None
    confirmed = counts.tally([(f"i{IMAGES[0]}", 5), (f"c{IMAGES[1]}{RANKING}", 2)])
    for _ in range(2):
        rollup.write_day(store, "2026-11-22", confirmed)
    assert totals(**day) == (5, 2, 0, 0)
    assert totals(**day, image=IMAGES[0]) == (5, 0, 0, 0)
    assert totals(**day, ranking=RANKING) == (0, 2, 0, 0)
    assert ask(**day).exact_until == "2026-11-23T00:00:00Z"
    assert ask().exact_until is None  # of hours
    rollup.write_day(store, "2026-11-22", counts.tally([(f"i{IMAGES[0]}", 4)]))
    assert totals(**day) == (4, 0, 0, 0)
    assert totals(**day, ranking=RANKING) == (0, 0, 0, 0)


def test_layouts_grow_with_the_volume_and_never_change_the_past(store, quiet):
    hour = pages.hour_of(NOW)
    rollup.adapt(store, rollup.layouts(store), hour, 60 * 4 * pages.PAGE_BYTES, hour + 4500)
    early, late = rollup.layouts(store)
    assert (early.groups, late.groups, late.start) == (1, 4, hour + 3 * 3600)
    rollup.adapt(store, rollup.layouts(store), hour, 10**9, hour + 4500)
    assert len(rollup.layouts(store)) == 2
    later = [image_event for image in IMAGES for image_event in some(1, NOW + 3 * 3600, image=image)]
    count(*later, now=NOW + 3 * 3600)
    groups = {pages.group_of(image, 4) for image in IMAGES}
    assert all(store.partition("page", rollup.page_key(hour + 3 * 3600, group)) for group in groups)
    span = {"from_": "2026-11-22T15:00Z", "to": "2026-11-22T16:00Z"}
    assert [totals(**span, image=image) for image in IMAGES] == [(1, 0, 0, 0)] * 3
    rollup.roll_up(NOW + 6 * 3600)
    assert [totals(**span, image=image) for image in IMAGES] == [(1, 0, 0, 0)] * 3
