"""Standings against the emulator: equal to a model in memory, under kills, duplicates and several workers."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from chalicelib import aws, bus, contract
from chalicelib.errors import Conflict, NotFound
from chalicelib.ids import new_id
from chalicelib.push import game, rules, snapshots, standings
from chalicelib.push.game import Rules, Standing
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from chalicelib.tracking import archive, compaction, tallies
from chalicelib.tracking.event import Event
from tests.pipeline.world import Bag, Killed
from tests.tracking_events import uuid7

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
TODAY = date(2026, 11, 22)
RULES = {
    "points": {"click": 1, "Level Up": 3, "refund": -2},
    "badges": [{"name": "Ten", "points": 10}, {"name": "Visitor", "event": "visit", "count": 2}],
    "levels": [{"name": "Bronze", "from_points": 0}, {"name": "Silver", "from_points": 8}],
}
KEYS = ("click", "level up", "refund", "visit", "scrolled")
PEOPLE = [f"customer {number}" for number in range(24)]


@pytest.fixture
def play(emulator, monkeypatch, tmp_path):
    """A game of two shards, unless a test needs all."""
    bag = Bag(emulator)
    emulator.on_call = lambda *_: None
    monkeypatch.setattr(aws, "client", lambda service: bag if service == "sqs" else emulator.client(service))
    monkeypatch.setattr(tallies, "SHARDS", 2)
    bus.queue_url.cache_clear()
    playing = Play(emulator, bag, tmp_path)
    yield playing
    emulator.on_call = lambda *_: None
    playing.end()
    bus.queue_url.cache_clear()


class Play:
    def __init__(self, emulator, bag, folder):
        self.emulator, self.bag, self.folder = emulator, bag, folder
        self.stores = []
        self.begin()

    def begin(self):
        """With an account of its own."""
        self.store = AccountStore("a" + new_id()[-16:])
        self.stores.append(self.store)
        self.days = {}
        self.rules = RULES

    def end(self):
        """No account is due any more."""
        for store in self.stores:
            store.delete("game", "")

    def set_rules(self, now=NOW, **changes):
        self.rules = {**self.rules, **changes}
        rules.put(self.store, msgspec.convert(self.rules, Rules), now)

    def know(self, people):
        rows = [(f"{tallies.shard_of(each):02}", each, {"recipient": "{}", "version": 1}) for each in people]
        self.store.put_many("recipients", rows)

    def forget(self, person):
        self.store.delete("recipients", f"{tallies.shard_of(person):02}", person)

    def tally(self, day, counts):
        """What people did on a day, as a compaction leaves it. counts: by (person, event key)."""
        self.days[day] = dict(counts)
        folder = self.folder / new_id()
        folder.mkdir()
        rows = [(*names, count) for names, count in sorted(counts.items())]
        tallies.put(self.store.account, str(day), tallies.write(rows, folder))
        tallies.put_until(self.store.account, str(max(self.days)))

    def tally_random(self, chance, day):
        self.tally(day, {(chance.choice(PEOPLE), chance.choice(KEYS)): chance.randrange(1, 4) for _ in range(20)})

    def deliver(self, kill=None, chance=None):
        """One message, and again if its worker died; `kill` is the request it dies at."""
        message = self.bag.messages.pop(chance.randrange(len(self.bag.messages)) if chance else 0)
        try:
            if kill is not None:
                self.kill_at(kill, chance)
            standings.compute(message.body, clock=lambda: NOW)
        except Killed:
            self.bag.messages.append(message)
        finally:
            self.emulator.on_call = lambda *_: None

    def kill_at(self, call, chance):
        moment = chance.choice(("before", "after"))

        def on_call(_service, _operation, when):
            nonlocal call
            call -= when == moment
            if call < 0:
                raise Killed

        self.emulator.on_call = on_call

    def compute(self, now=NOW):
        """The next snapshot."""
        snapshot = standings.request(self.store, now).snapshot
        while self.bag.messages:
            self.deliver()
        assert snapshots.latest(self.store) == snapshot
        return snapshot

    def read(self, snapshot):
        shards = [snapshots.shard(self.store, snapshot, number) for number in range(tallies.SHARDS)]
        return {recipient: standing for shard in shards for recipient, standing in shard.items()}

    def page(self, **query):
        return snapshots.page(self.store, contract.StandingsQuery(**query))

    def pages(self, limit):
        """All of the latest snapshot, page after page."""
        answer = self.page(limit=limit)
        items = answer.items
        while answer.next:
            answer = self.page(limit=limit, cursor=answer.next)
            items += answer.items
        return items

    def files(self, snapshot):
        """The bytes of everything that a snapshot is made of."""
        s3, prefix = self.emulator.client("s3"), f"standings/{self.store.account}/{snapshot}/"
        found = s3.list_objects_v2(Bucket=settings().media_bucket, Prefix=prefix)["Contents"]
        keys = [each["Key"] for each in found]
        read = {key: s3.get_object(Bucket=settings().media_bucket, Key=key)["Body"].read() for key in keys}
        return {key.removeprefix(prefix): data for key, data in read.items()}

    def model(self, people, before=None, first=date.min):
        """The standings as they should be, computed the plain way."""
        given = msgspec.convert(self.rules, Rules)
        tally = {person: {} for person in people}
        for day, counts in self.days.items():
            for (person, key), count in counts.items():
                if person in tally and key != "scrolled" and day >= first:
                    tally[person][key] = tally[person].get(key, 0) + count
        scores = {person: game.scorer(given)(each) for person, each in tally.items() if each}
        rank = {who: 1 + sum(other.points > each.points for other in scores.values()) for who, each in scores.items()}
        old = {person: standing.rank for person, standing in (before or {}).items()}
        return {
            who: Standing(each.points, rank[who], each.level, each.badges, old[who] - rank[who] if who in old else None)
            for who, each in scores.items()
        }


@pytest.mark.parametrize("seed", range(6))
def test_standings_are_those_of_a_model_in_memory(play, seed):
    chance = random.Random(seed)
    play.know(PEOPLE[:20])
    play.set_rules()
    for number in range(4):
        play.tally_random(chance, TODAY - timedelta(days=number))
    first = play.read(play.compute())
    assert first == play.model(PEOPLE[:20])
    play.tally_random(chance, TODAY - timedelta(days=2))
    second = play.read(play.compute())
    assert second == play.model(PEOPLE[:20], first)
    assert {each.movement for each in second.values()} - {None, 0}


def test_pages_hold_everybody_once_best_first(play, monkeypatch):
    monkeypatch.setattr(snapshots, "PAGE_ROWS", 3)
    monkeypatch.setattr(standings, "PAGE_ROWS", 3)
    monkeypatch.setattr(standings, "PAGES_A_STEP", 2)
    play.know(PEOPLE)
    play.set_rules()
    play.tally(TODAY, {(person, "click"): 1 + number % 5 for number, person in enumerate(PEOPLE)})
    snapshot = play.compute()
    items = play.pages(4)
    assert [(each.rank, each.points) for each in items] == sorted((each.rank, each.points) for each in items)
    assert {each.recipient: each.rank for each in items} == {
        recipient: standing.rank for recipient, standing in play.read(snapshot).items()
    }
    assert len(items) == play.page(limit=1).total == 24


def test_around_a_recipient_are_the_neighbors(play):
    play.know(PEOPLE)
    play.set_rules()
    play.tally(TODAY, {(person, "click"): 1 + number for number, person in enumerate(PEOPLE)})
    play.compute()
    around = play.page(limit=3, around=PEOPLE[10])
    assert [each.recipient for each in around.items] == [PEOPLE[11], PEOPLE[10], PEOPLE[9]]
    following = play.page(limit=1, cursor=around.next)
    assert [each.recipient for each in following.items] == [PEOPLE[8]]
    assert play.page(limit=3, around=PEOPLE[23]).items[0].recipient == PEOPLE[23]


def test_a_page_goes_on_in_its_own_snapshot(play):
    play.know(PEOPLE)
    play.set_rules()
    play.tally(TODAY, {(person, "click"): 1 + number for number, person in enumerate(PEOPLE)})
    old = play.compute()
    cursor = play.page(limit=12).next
    play.tally(TODAY, {(person, "click"): 50 - number for number, person in enumerate(PEOPLE)})
    play.compute()
    answer = play.page(limit=12, cursor=cursor)
    assert (answer.snapshot, [each.recipient for each in answer.items]) == (old, PEOPLE[11::-1])


def test_what_is_asked_wrongly_is_refused(play):
    play.know(PEOPLE[:2])
    with pytest.raises(Conflict):
        standings.request(play.store, NOW)
    assert rules.get(play.store) == contract.Rules()
    assert play.page() == contract.Standings(items=[], next=None)
    play.set_rules()
    play.compute()
    assert play.page().items == []
    for query in ({"cursor": new_id() + "5"}, {"cursor": new_id() + "5", "around": "x"}):
        with pytest.raises(NotFound):
            play.page(**query)
    with pytest.raises(NotFound):
        play.page(around=PEOPLE[0])


def test_new_rules_count_the_season_anew_and_movement_stays(play):
    play.know(PEOPLE[:3])
    play.set_rules()
    play.tally(TODAY, {(PEOPLE[0], "click"): 5, (PEOPLE[1], "level up"): 1, (PEOPLE[2], "visit"): 9})
    play.compute()
    play.set_rules(points={"visit": 2})
    assert play.read(play.compute()) == {PEOPLE[2]: Standing(18, 1, "Silver", ("Ten", "Visitor"), 2)}


def test_a_season_counts_its_days_and_begins_without_movement(play):
    play.know(PEOPLE[:2])
    spring = {"name": "One", "starts": "2026-11-01", "ends": "2026-11-21"}
    autumn = {"name": "Two", "starts": "2026-11-22", "ends": "2026-11-30"}
    play.set_rules(seasons=[spring, autumn])
    play.tally(TODAY - timedelta(days=1), {(PEOPLE[0], "click"): 5, (PEOPLE[1], "click"): 1})
    play.tally(TODAY, {(PEOPLE[0], "click"): 1, (PEOPLE[1], "click"): 2})
    play.tally(TODAY - timedelta(days=30), {(PEOPLE[1], "click"): 100})
    first = play.compute(NOW - 86_400)
    assert {who: each.points for who, each in play.read(first).items()} == {PEOPLE[0]: 5, PEOPLE[1]: 1}
    assert (play.page().season, play.page().counted_until) == ("One", "2026-11-22")
    second = play.read(play.compute())
    assert second == play.model(PEOPLE[:2], first=TODAY)
    assert {each.movement for each in second.values()} == {None}


def test_a_deleted_recipient_is_in_no_later_snapshot_and_takes_no_rank(play):
    play.know(PEOPLE[:3])
    play.set_rules()
    play.tally(TODAY, {(person, "click"): 9 - number for number, person in enumerate(PEOPLE[:3])})
    play.compute()
    play.forget(PEOPLE[0])
    found = play.read(play.compute())
    assert {who: (each.rank, each.movement) for who, each in found.items()} == {PEOPLE[1]: (1, 1), PEOPLE[2]: (2, 1)}


@pytest.mark.parametrize("part", range(5))
def test_kills_duplicates_and_two_workers_make_the_same_snapshot(play, part):
    for seed in range(part * 40, part * 40 + 40):
        chance = random.Random(seed)
        play.begin()
        play.know(PEOPLE)
        play.set_rules()
        play.tally_random(chance, TODAY)
        before = play.read(play.compute())
        play.tally_random(chance, TODAY - timedelta(days=1))
        snapshot = standings.request(play.store, NOW).snapshot
        run_badly(play, chance)
        assert play.read(snapshot) == play.model(PEOPLE, before)
        assert {each.recipient for each in play.page(limit=50).items} == set(play.read(snapshot))
        assert (snapshots.latest(play.store), "running" in play.store.get("game")) == (snapshot, False)
        made = play.files(snapshot)
        play.store.update(
            "snapshot",
            snapshot,
            "SET #state = :state, #step = :zero",
            {"state": "computing", "zero": 0},
            condition="attribute_exists(pk)",
        )
        standings.compute({"account": play.store.account, "snapshot": snapshot}, clock=lambda: NOW)
        assert play.files(snapshot) == made


def run_badly(play, chance):
    """Deliver until nothing is left: twice now and then, with a tally that changes meanwhile, and with deaths."""
    for _ in range(200):
        if not play.bag.messages:
            return
        if chance.random() < 0.2:
            play.bag.messages.append(play.bag.messages[0])
        play.deliver(chance.randrange(45) if chance.random() < 0.6 else None, chance)
    raise AssertionError("the computation does not end")


@pytest.mark.parametrize("number", range(9))
def test_a_worker_that_overtakes_another_in_the_middle_of_a_step_changes_nothing(play, monkeypatch, number):
    play.know(PEOPLE)
    play.set_rules()
    play.tally_random(random.Random(1), TODAY)
    expected = play.model(PEOPLE)
    snapshot = standings.request(play.store, NOW).snapshot
    [message] = play.bag.messages
    write, written = snapshots.write, []

    def slow(account, made, part, rows, **options):
        """Before its file of this number is written, another worker ends the computation, and the tallies change."""
        written.append(part)
        if len(written) == number + 1:
            standings.compute(message.body, clock=lambda: NOW)
            play.tally_random(random.Random(2), TODAY)
        return write(account, made, part, rows, **options)

    monkeypatch.setattr(snapshots, "write", slow)
    play.deliver()
    assert play.read(snapshot) == expected
    assert {each.recipient for each in play.page(limit=50).items} == set(expected)


def test_a_slow_computation_never_replaces_a_newer_one(play):
    play.know(PEOPLE)
    play.set_rules()
    play.tally(TODAY, {(PEOPLE[0], "click"): 1})
    standings.request(play.store, NOW)
    [slow] = play.bag.messages
    play.bag.messages.clear()
    play.set_rules(points={"click": 7})
    newer = play.compute()
    play.bag.messages.append(slow)
    play.deliver()
    assert snapshots.latest(play.store) == newer
    assert play.store.get("snapshot", slow.body["snapshot"])["state"] == "complete"


def test_a_long_computation_hands_on_to_another_message(play):
    play.know(PEOPLE)
    play.set_rules()
    play.tally_random(random.Random(3), TODAY)
    snapshot = standings.request(play.store, NOW).snapshot
    messages, now = 0, NOW
    while play.bag.messages:
        messages += 1
        ticks = iter(range(0, 10**6, standings.WORK_SECONDS // 2))
        standings.compute(play.bag.messages.pop().body, clock=lambda ticks=ticks: now + next(ticks))
    assert (messages, play.read(snapshot)) == (2 * tallies.SHARDS + 3, play.model(PEOPLE))


def test_asking_again_while_it_is_computed_is_the_same_computation(play):
    play.set_rules()
    first, second = standings.request(play.store, NOW), standings.request(play.store, NOW + 5)
    assert (first, len(play.bag.messages)) == (second, 1)


def test_every_account_with_rules_gets_a_snapshot_every_day_and_a_lost_message_is_made_up_for(play):
    play.set_rules(NOW)
    morning = rules.next_time(NOW)
    keep(play, morning - 1)
    assert play.bag.messages == []
    keep(play, morning)
    play.bag.messages.clear()
    keep(play, morning + standings.PATIENCE_SECONDS - 1)
    assert play.bag.messages == []
    keep(play, morning + standings.PATIENCE_SECONDS)
    play.deliver()
    assert play.page().computed_at == "2026-11-23T04:30:00.000Z"
    keep(play, rules.next_time(NOW) - 1)
    assert play.bag.messages == []


def keep(play, now):
    """Other tests' accounts are due, too."""
    standings.keep(now)
    play.bag.messages[:] = [each for each in play.bag.messages if each.body["account"] == play.store.account]


def test_late_events_are_in_the_next_snapshot(play, emulator, monkeypatch):
    monkeypatch.setattr(tallies, "SHARDS", 32)
    clients = {"s3": emulator.connect("s3"), "sqs": emulator.connect("sqs"), "dynamodb": emulator.client("dynamodb")}
    play.know(["ana", "ben"])
    play.set_rules()
    chosen = aws.client

    def night(day, *events):
        """The events arrive, and the night after that day comes."""
        received = int(datetime(2026, 11, day, 20, tzinfo=UTC).timestamp() * 1000)
        lines = [msgspec.json.encode(msgspec.structs.replace(each, received=received)) for each in events]
        with monkeypatch.context() as compacting:
            compacting.setattr(aws, "client", clients.__getitem__)
            bus.queue_url.cache_clear()
            archive.put(archive.raw_key(play.store.account, received // 1000, new_id()), archive.packed(lines))
            compaction.run(received / 1000 + 8 * 3600, play.store.account)
        assert aws.client is chosen

    def click(number, user):
        at = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp() * 1000)
        given = {"id": uuid7(number, at), "at": at, "frozen": at, "received": at, "kind": "c", "event": "Image Clicked"}
        return Event(type="track", account=play.store.account, key="k", user=user, **given)

    night(20, click(1, "ana"), click(2, "ana"), click(3, "ben"), click(3, "ben"))
    first = play.read(play.compute())
    assert {who: (each.points, each.rank) for who, each in first.items()} == {"ana": (2, 1), "ben": (1, 2)}
    assert play.page().counted_until == "2026-11-20"
    night(21, click(3, "ben"), click(4, "ben"), click(5, "ben"))
    second = play.read(play.compute())
    assert {who: (each.points, each.movement) for who, each in second.items()} == {"ana": (2, -1), "ben": (3, 1)}
    assert play.page().counted_until == "2026-11-21"
