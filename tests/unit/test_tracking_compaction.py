"""Days of distinct events: where an event counts, that it counts once, and that nothing changes by doing it again."""

from __future__ import annotations

import random
import shutil
from collections import Counter

import msgspec
import pytest

from chalicelib.push.game import event_key
from chalicelib.tracking import counts, pages, tallies
from chalicelib.tracking.daybook import CHUNK_BYTES, Daybook, counting_time, day_of
from chalicelib.tracking.event import Event
from tests.tracking_events import ACCOUNT, KEY, RECEIVED, uuid7

HOUR = 3_600_000
DAY = 24 * HOUR
IMAGES = ["01k9z5c3a8e7d2m4q6s8v0x1y3", "01k9z5c3a8e7d2m4q6s8v0x1y4"]
RANKING = "01k9z5c3a8e7d2m4q6s8v0x1y5"


def event(number=0, at=RECEIVED, delay=0, **changes):
    """A click that happened at `at` and arrived `delay` ms later."""
    given = {"id": uuid7(number, at), "at": at, "frozen": at, "received": at + delay, "kind": "c", "image": IMAGES[0]}
    return Event(**{"type": "track", "account": ACCOUNT, "key": KEY, **given, **changes})


def line(event):
    return msgspec.json.encode(event) + b"\n"


@pytest.fixture
def days(tmp_path):
    return Days(tmp_path)


class Days:
    """The files of an account's days, and what a compaction without S3 does with them."""

    def __init__(self, folder):
        self.folder = folder
        self.books = 0

    def path(self, day):
        return self.folder / f"{day}.parquet"

    def merge(self, *lines, **options):
        """The days that changed."""
        self.books += 1
        with Daybook(self.folder / f"book{self.books}", **options) as book:
            book.enter(lines)
            for day in book.days_to_know():
                if self.path(day).exists():
                    book.know(day, self.path(day))
            changed = book.changed()
            for day in changed:
                before = self.path(day) if self.path(day).exists() else None
                book.write(day, before, self.folder / "after")
                shutil.move(self.folder / "after", self.path(day))
            self.unreadable = book.unreadable
        return changed

    def read(self, query):
        self.books += 1
        with Daybook(self.folder / f"book{self.books}") as book:
            return book.run(query, [str(path) for path in sorted(self.folder.glob("*.parquet"))])

    @property
    def contents(self):
        """(day, id, arrival) of everything, in order."""
        return self.read(
            "SELECT regexp_extract(filename, '([0-9-]+).parquet', 1), id, received "
            "FROM read_parquet($1, filename = true) ORDER BY ALL"
        )

    def tally(self, day):
        with Daybook(self.folder / f"tally{day}") as book:
            return counts.tally(book.sizes(self.path(day)))


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        (event(at=RECEIVED, delay=47 * HOUR), RECEIVED),
        (event(at=RECEIVED, delay=49 * HOUR), RECEIVED),
        (event(at=RECEIVED, delay=49 * HOUR, id=uuid7(0, RECEIVED - HOUR)), RECEIVED),
        (event(at=RECEIVED, delay=31 * DAY), RECEIVED + 31 * DAY),
        (event(at=RECEIVED, delay=-11 * 60_000), RECEIVED - 11 * 60_000),
        (event(at=RECEIVED, delay=-9 * 60_000), RECEIVED),
        (event(at=RECEIVED, delay=HOUR, id="random"), RECEIVED),
        (event(at=RECEIVED, delay=49 * HOUR, id="random"), RECEIVED + 49 * HOUR),
        (event(at=0, delay=RECEIVED), RECEIVED),
    ],
    ids=["soon", "late", "late-corrected", "too-late", "future", "a-little-future", "untimed", "untimed-late", "1970"],
)
def test_an_event_counts_at_the_time_that_the_live_counters_take_or_would_have_taken(given, moment):
    assert counting_time(given) == moment


def test_events_within_the_horizon_count_on_the_day_of_their_live_page():
    chance = random.Random(4)
    for number in range(300):
        given = event(number, RECEIVED + chance.randrange(DAY), chance.randrange(-600_000, 48 * HOUR))
        collected = counts.collect(ACCOUNT, [given], [])
        [page] = collected.pages
        assert day_of(counting_time(given)) == day_of(page.start * 1000)


def test_an_id_counts_once_and_its_first_arrival_is_kept(days):
    copies = [event(1, delay=delay) for delay in (7000, 3000, 5000)]
    days.merge(*map(line, copies))
    assert days.contents == [("2026-11-18", copies[0].id, RECEIVED + 3000)]


def test_the_same_part_again_changes_nothing(days):
    lines = [line(event(number, RECEIVED + number * HOUR)) for number in range(60)]
    assert len(days.merge(*lines)) == 3
    before = {path: path.read_bytes() for path in days.folder.glob("*.parquet")}
    assert days.merge(*lines) == []
    assert {path: path.read_bytes() for path in days.folder.glob("*.parquet")} == before


@pytest.mark.parametrize("seed", range(8))
def test_parts_in_any_order_and_often_make_the_same_days(tmp_path, seed):
    chance = random.Random(seed)
    events = [event(chance.randrange(40), RECEIVED, chance.randrange(40 * HOUR)) for _ in range(120)]
    parts = [[line(each) for each in events[start : start + 30]] for start in range(0, 120, 30)]
    straight, shuffled = Days(tmp_path / "straight"), Days(tmp_path / "shuffled")
    for part in parts:
        straight.merge(*part)
    for part in chance.sample(parts * 2, 8):
        shuffled.merge(*part)
    assert straight.contents == shuffled.contents
    assert len(straight.contents) == len({each.id for each in events})


def test_an_id_sent_again_under_another_date_stays_on_its_first_day(days):
    days.merge(line(event(0, RECEIVED, id="random")))
    assert days.merge(line(event(0, RECEIVED + 5 * DAY, id="random"))) == []
    assert [day for day, *_ in days.contents] == ["2026-11-18"]


def test_an_id_with_a_time_is_known_however_late_it_comes_again(days):
    first = event(0, RECEIVED, HOUR)
    days.merge(line(first))
    again = msgspec.structs.replace(first, received=RECEIVED + 45 * DAY, at=RECEIVED + 40 * DAY)
    assert days.merge(line(again)) == []


SUBJECTS = [
    {"kind": "i"},
    {"kind": "c"},
    {"kind": None},
    {"image": IMAGES[1]},
    {"image": "not-an-id"},
    {"image": None},
    {"ranking": RANKING},
    {"ranking": "not-an-id"},
    {"bot": True},
]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("identifier", [uuid7(0, RECEIVED), "random"], ids=["timed", "untimed"])
def test_an_id_under_many_subjects_counts_as_in_the_live_counters(days, identifier, seed):
    chance = random.Random(seed)
    copies = [
        event(0, RECEIVED + chance.randrange(40) * HOUR, HOUR, **{"id": identifier, **chance.choice(SUBJECTS)})
        for _ in range(12)
    ]
    copies.sort(key=lambda copy: copy.received)
    collected = counts.collect(ACCOUNT, copies, [])
    counts.settle(collected, counts.proposals(collected))
    live = counts.tally((name, len(each)) for sets in collected.pages.values() for name, each in sets.items())
    for start in range(0, 12, 4):
        days.merge(*map(line, copies[start : start + 4]))
    [day] = {day for day, *_ in days.contents}
    assert days.tally(day) == live


def test_an_id_without_a_time_is_known_for_as_long_as_its_claim_lasts(days):
    days.merge(line(event(0, RECEIVED, 47 * HOUR, id="random")))
    again = event(0, RECEIVED + 47 * HOUR + pages.KEPT_SECONDS * 1000 - 1, id="random")
    assert days.merge(line(again)) == []


def test_only_whole_images_with_a_kind_and_no_bots_are_counted(days):
    ignored = [{"kind": None}, {"image": None}, {"bot": True}, {"image": "not-an-id"}]
    shown = [event(number, kind="i", image=IMAGES[number % 2], ranking=RANKING) for number in range(10, 15)]
    days.merge(*(line(event(n, **changes)) for n, changes in enumerate(ignored)), *map(line, [event(9), *shown]))
    assert len(days.contents) == 10
    assert days.tally("2026-11-18") == {
        "": [5, 1, 0, 0],
        counts.image_subject(IMAGES[0]): [3, 1, 0, 0],
        counts.image_subject(IMAGES[1]): [2, 0, 0, 0],
        counts.ranking_subject(RANKING): [5, 0, 0, 0],
        counts.ranking_subject(RANKING, IMAGES[0]): [3, 0, 0, 0],
        counts.ranking_subject(RANKING, IMAGES[1]): [2, 0, 0, 0],
    }


def test_places_are_counted_and_the_far_ones_are_one(days):
    shown = [(0, "i"), (1, "i"), (1, "c"), (50, "i"), (99, "i"), (None, "i"), (-3, "c")]
    days.merge(*(line(event(number, kind=kind, position=place)) for number, (place, kind) in enumerate(shown)))
    with Daybook(days.folder / "places") as book:
        found = book.places(days.path("2026-11-18"), 50, -1)
    assert found == [(IMAGES[0], -1, 1, 1), (IMAGES[0], 0, 1, 0), (IMAGES[0], 1, 1, 1), (IMAGES[0], 50, 2, 0)]


@pytest.mark.parametrize(
    "bad",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"id": 1}', b'{"a":' * 5000, b'{"id":"x"}'],
)
def test_a_line_that_is_no_event_never_touches_its_neighbors(days, bad):
    days.merge(line(event(0)), bad + b"\n", line(event(1)))
    assert (len(days.contents), days.unreadable) == (2, 1)


@pytest.mark.parametrize(
    "odd",
    [
        {"properties": {"a": [{"b": "\x00'; DROP TABLE incoming; --"}], "day": "1999-01-01"}},
        {"event": "\u2028 \U0001f600 '\"\\", "url": "https://x.example/?q=%00\t"},
        {"at": -(2**62)},
        {"at": 2**62, "frozen": 2**62, "id": "random"},
        {"position": 2**63 - 1},
        {"id": "node-next-99999999999999-x"},
        {"id": "7zzzzzzzzzzzzzzzzzzzzzzzzz"},
        {"user": "day", "group": "own", "previous": "counted"},
    ],
    ids=["injection", "unicode", "before-all-time", "after-all-time", "far-down", "year-5138", "ulid-future", "names"],
)
def test_an_odd_event_is_kept_as_it_came(days, odd):
    given = msgspec.structs.replace(event(0), **odd)
    days.merge(line(given))
    [found] = days.read('SELECT id, event, url, "position", "user", "group", "at", properties FROM read_parquet($1)')
    assert found[:7] == (given.id, given.event, given.url, given.position, given.user, given.group, given.at)
    assert (msgspec.json.decode(found[7]) if found[7] else {}) == given.properties


def test_nothing_makes_nothing(days):
    assert days.merge() == []


def test_more_than_a_chunk_is_entered_whole(days, monkeypatch):
    monkeypatch.setattr("chalicelib.tracking.daybook.CHUNK_BYTES", 2000)
    days.merge(*(line(event(number)) for number in range(50)))
    assert len(days.contents) == 50
    assert CHUNK_BYTES > 2000


def test_a_day_larger_than_the_memory_is_written(days):
    chance = random.Random(6)
    lines = [line(event(number, properties={"text": chance.randbytes(1000).hex()})) for number in range(50_000)]
    days.merge(*lines, memory_mb=96)
    assert days.merge(*lines[::10], line(event(99_999)), memory_mb=96)
    assert days.tally("2026-11-18")[""] == [0, 50_001, 0, 0]


def test_the_day_is_in_the_path_and_not_in_the_file(days):
    days.merge(line(event()))
    columns = [name for name, *_ in days.read("DESCRIBE SELECT * FROM read_parquet($1)")]
    assert "day" not in columns
    assert "account" not in columns


def test_what_each_customer_did_is_in_order_and_each_event_once(days, tmp_path):
    chance = random.Random(9)
    names = ["Image Clicked", "click", "Level Up", "LEVEL UP ", None]
    events = [
        event(number, event=chance.choice(names), user=chance.choice(["zoë", "ana", "Ben", None]), bot=number % 5 == 0)
        for number in range(80)
    ]
    days.merge(
        *map(line, [*events, *events[:30], *(msgspec.structs.replace(each, image=IMAGES[1]) for each in events)])
    )
    tally = Counter((each.user, event_key(each.event)) for each in events if each.user and each.event and not each.bot)
    with Daybook(tmp_path / "tallies") as book:
        rows = list(tallies.by_key(book.actions(days.path("2026-11-18"))))
    assert rows == [(user, key, count) for (user, key), count in sorted(tally.items())]


def test_the_same_tallies_are_the_same_bytes(tmp_path):
    rows = [(f"customer {number}", "click", number) for number in range(1, 200)]
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        paths = tallies.write(rows, tmp_path / folder)
    assert {shard: path.read_bytes() for shard, path in paths.items()} == {
        shard: (tmp_path / "one" / path.name).read_bytes() for shard, path in paths.items()
    }
    found = [row for shard in sorted(paths) for row in tallies.decode(paths[shard].read_bytes())]
    assert sorted(found) == sorted(rows)
