"""The computation of a snapshot: one step after another, each of which writes files that nothing changes afterwards.

| step        | reads                               | writes                                                       |
|-------------|-------------------------------------|--------------------------------------------------------------|
| open        | until when is counted               | it, on the snapshot's row                                    |
| count, 32   | recipients; tallies of all days     | made/scores/{shard}: points, level, badges, best first; who  |
|             |                                     | is first wins. made/points/{shard}: how many have how many   |
| order       | made/points of all shards           | made/ranks/{shard}: rank and place of each number of points  |
| rank, 32    | scores, ranks; the snapshot before  | {shard}                                                      |
| pages, some | all shards, as streams              | ranked/{page}                                                |
| finish      |                                     | that it is the latest, unless a newer one is                 |

The row's `step` goes on by a conditional update after the step's files are written. So a worker that dies leaves a
step that is done again from the same files, and two workers write the same bytes. A message works for a minute and
sends the next one. `keep` sends for a computation that stands still, every quarter of an hour.

Only recipients have a standing, once anything happened that the rules name: a deleted one is in no later snapshot,
and an id that somebody invented in the browser is in none. A shard is in memory at a time, and 16 days of its tallies.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import batched, groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import bus, contract, ids, log
from chalicelib.errors import Conflict
from chalicelib.images.record import timestamp
from chalicelib.push import game, rules, snapshots
from chalicelib.push.game import Rules
from chalicelib.push.snapshots import KIND, PAGE_ROWS, Ranked
from chalicelib.store import AccountStore, Cancelled, ConditionFailed, Item, Write, waiting
from chalicelib.tracking import tallies

if TYPE_CHECKING:
    from chalicelib.tracking.tallies import Row

QUEUE = "standings"
A_SHARD = 100
WORK_SECONDS = 60
PATIENCE_SECONDS = 900
GIVEN_UP_SECONDS = 6 * 3600
KEPT_SECONDS = 100 * rules.DAY  # a little longer than the files
PAGES_A_STEP = 100


class Scored(msgspec.Struct, frozen=True, array_like=True):
    """A recipient, before anything is known of the others."""

    id: str
    points: int
    level: str | None
    badges: tuple[str, ...]


class Held(msgspec.Struct, frozen=True, array_like=True):
    """How many recipients of a shard have so many points."""

    points: int
    recipients: int


class Rank(msgspec.Struct, frozen=True, array_like=True):
    """place: of the shard's first recipient with so many points, among all, from 0."""

    points: int
    rank: int
    place: int


# Beginning


def request(store: AccountStore, now: float) -> contract.StandingsAccepted:
    """Compute the standings now, unless they are being computed by the same rules. Raises Conflict."""
    known = _game(store)
    item = _running(store, known, now)
    if item is None:
        item = _begun(store, known, now)
        _wake(store, item)
    return contract.StandingsAccepted(item["id"])


def keep(now: float) -> None:
    """Begin the computations that are due, and push on what stands still; one bad account never stops the rest."""
    for store, _ in waiting(rules.LINE, now, A_SHARD):
        try:
            if _claimed(store, now):
                known = _game(store)
                _wake(store, _running(store, known, now) or _begun(store, known, now))
        except Exception:
            log.exception("standings not begun", account=store.account)


def _claimed(store: AccountStore, now: float) -> bool:
    values = {"next": int(now) + PATIENCE_SECONDS, "now": int(now)}
    try:
        store.update(rules.KIND, "", "SET #sweep_at = :next", values, condition="#sweep_at <= :now")
    except ConditionFailed:
        return False
    return True


def _game(store: AccountStore) -> Item:
    known = store.get(rules.KIND)
    if known is None:
        raise Conflict("The game has no rules yet.")
    return known


def _running(store: AccountStore, known: Item, now: float) -> Item | None:
    """The snapshot that is being made by the rules as they are."""
    item = store.get(KIND, known["running"]) if "running" in known else None
    is_ours = item is not None and item["version"] == known["version"] and item["started_at"] > now - GIVEN_UP_SECONDS
    return item if is_ours else None


def _begun(store: AccountStore, known: Item, now: float) -> Item:
    """A new snapshot's row, and the game's, which says that it is running. Raises Conflict."""
    number = known["snapshots"] + 1
    item = {**_row(store, known, now), "number": number}
    running = Write(
        rules.KIND,
        "",
        update="SET #running = :id, #snapshots = :number, #sweep_at = :next",
        values={
            "id": item["id"],
            "number": number,
            "next": int(now) + PATIENCE_SECONDS,
            "version": known["version"],
            "before": known["snapshots"],
        },
        condition="#version = :version AND #snapshots = :before",
    )
    try:
        store.transact(Write(KIND, item["id"], item), running)
    except Cancelled:
        raise Conflict("Somebody else has just asked for this, or changed the rules.") from None
    return item


def _row(store: AccountStore, known: Item, now: float) -> Item:
    """Everything that the computation depends on, but for the tallies and recipients themselves."""
    today = datetime.fromtimestamp(now, UTC).date()
    season = game.season_of(msgspec.json.decode(known["rules"], type=Rules), today)
    first, last = _days(season, today)
    return {
        "id": ids.new_id(now),
        "state": "computing",
        "step": 0,
        "version": known["version"],
        "rules": known["rules"],
        "season": season.name if season else None,
        "first": str(first),
        "last": str(last),
        "before": _before(store, season),
        "total": 0,
        "started_at": int(now),
        "computed_at": timestamp(now),
        "expires": int(now) + KEPT_SECONDS,
    }


def _days(season: game.Season | None, today: date) -> tuple[date, date]:
    if season is None:
        return today - timedelta(days=rules.LONGEST_SEASON - 1), today
    return season.starts, min(season.ends, today)


def _before(store: AccountStore, season: game.Season | None) -> str | None:
    """The snapshot that movement is told against: the latest one, if it is of the same season."""
    snapshot = snapshots.latest(store)
    item = store.get(KIND, snapshot) if snapshot else None
    return snapshot if item and item.get("season") == (season.name if season else None) else None


def _wake(store: AccountStore, item: Item) -> None:
    bus.deliver(QUEUE, {"account": store.account, "snapshot": item["id"], "step": item["step"]})


# Computing


def compute(message: Mapping[str, Any], _attempt: int = 1, *, clock: Callable[[], float] = time.time) -> None:
    """Do steps of a snapshot for a minute, then send for the next worker; nothing if it is complete or gone."""
    store = AccountStore(message["account"])
    item = store.get(KIND, message["snapshot"])
    end = clock() + WORK_SECONDS
    while item and item["state"] == "computing":
        if clock() >= end:
            _wake(store, item)
            return
        item = _step(store, item, clock)


def _step(store: AccountStore, item: Item, clock: Callable[[], float]) -> Item | None:
    """The row after its present step, or as another worker left it."""
    step, shards = item["step"], tallies.SHARDS
    if step == 0:
        return _advanced(store, item, counted_until=tallies.until(store.account))
    if step <= shards:
        _count(store, item, step - 1)
    elif step == shards + 1:
        return _advanced(store, item, total=_order(store.account, item["id"]))
    elif step <= 2 * shards + 1:
        _rank(store.account, item, step - shards - 2)
    elif not _paged(store.account, item, (step - 2 * shards - 2) * PAGES_A_STEP):
        return _finish(store, item, clock())
    return _advanced(store, item)


def _advanced(store: AccountStore, item: Item, **found: Any) -> Item | None:
    sets = "".join(f", #{name} = :{name}" for name in found)
    values = {**found, "step": item["step"], "following": item["step"] + 1}
    try:
        return store.update(KIND, item["id"], f"SET #step = :following{sets}", values, condition="#step = :step")
    except ConditionFailed:
        return store.get(KIND, item["id"])


# Steps


def _count(store: AccountStore, item: Item, shard: int) -> None:
    part = f"made/scores/{shard:02}"
    scores = snapshots.read(store.account, item["id"], part, Scored)
    if scores is None:
        scores = _scores(store, item, shard)
        if not snapshots.write(store.account, item["id"], part, scores, new=True):
            scores = snapshots.read(store.account, item["id"], part, Scored) or []
    held = Counter(each.points for each in scores)  # in the order of the scores
    snapshots.write(store.account, item["id"], f"made/points/{shard:02}", [Held(*each) for each in held.items()])


def _scores(store: AccountStore, item: Item, shard: int) -> list[Scored]:
    wanted = msgspec.json.decode(item["rules"], type=Rules)
    days = tallies.days(store.account, item["first"], item["last"])
    recipients = store.sort_keys("recipients", f"{shard:02}")
    return scores(wanted, recipients, tallies.read(store.account, days, shard))


def scores(wanted: Rules, recipients: Iterable[str], days: Iterable[list[Row]]) -> list[Scored]:
    """Those of the recipients who did anything that the rules name, best first, then by id."""
    named = {*wanted.points, *(badge.event for badge in wanted.badges if badge.event)}
    sums = _sums({game.event_key(name) for name in named}, recipients, days)
    score = game.scorer(wanted)
    found = ((recipient, score(tally)) for recipient, tally in sums.items() if tally)
    scored = [Scored(recipient, each.points, each.level, each.badges) for recipient, each in found]
    return sorted(scored, key=lambda each: (-each.points, each.id))


def _sums(keys: set[str], recipients: Iterable[str], days: Iterable[list[Row]]) -> dict[str, dict[str, int]]:
    sums: dict[str, dict[str, int]] = {recipient: {} for recipient in recipients}
    for rows in days:
        for user, key, count in rows:
            if key in keys and (tally := sums.get(user)) is not None:
                tally[key] = tally.get(key, 0) + count
    return sums


def _order(account: str, snapshot: str) -> int:
    """Ranks of all shards' points; the number of recipients with a standing."""
    shards = range(tallies.SHARDS)
    held = [snapshots.read(account, snapshot, f"made/points/{shard:02}", Held) or [] for shard in shards]
    for shard, ranks in enumerate(order(held)):
        snapshots.write(account, snapshot, f"made/ranks/{shard:02}", ranks)
    return sum(each.recipients for shard in held for each in shard)


def order(shards: list[list[Held]]) -> list[list[Rank]]:
    """What each shard's points are worth among all: ranks by "1224", and places, of ties by shard.

    shards: each from the most to the fewest points.
    """
    import heapq

    ranks: list[list[Rank]] = [[] for _ in shards]
    place = 0
    tagged = [[(-each.points, shard, each.recipients) for each in held] for shard, held in enumerate(shards)]
    for points, ties in groupby(heapq.merge(*tagged), key=lambda each: each[0]):
        rank = place + 1
        for _, shard, recipients in ties:
            ranks[shard].append(Rank(-points, rank, place))
            place += recipients
    return ranks


def _rank(account: str, item: Item, shard: int) -> None:
    scores = snapshots.read(account, item["id"], f"made/scores/{shard:02}", Scored) or []
    ranks = snapshots.read(account, item["id"], f"made/ranks/{shard:02}", Rank) or []
    part = snapshots.by_shard(shard)
    before = snapshots.stream(account, item["before"], part, Ranked) if "before" in item else ()
    ranked = rank(scores, ranks, {each.id: each.rank for each in before})
    snapshots.write(account, item["id"], part, ranked)


def rank(scores: Iterable[Scored], ranks: Iterable[Rank], before: Mapping[str, int]) -> Iterator[Ranked]:
    """A shard's recipients with their ranks. before: those of the snapshot before, by recipient."""
    for each, ties in zip(ranks, groupby(scores, key=attrgetter("points")), strict=True):
        for number, tied in enumerate(ties[1]):
            moved = game.movement(before.get(tied.id), each.rank)
            yield Ranked(tied.id, tied.points, each.rank, each.place + number, tied.level, tied.badges, moved)


def _paged(account: str, item: Item, first: int) -> bool:
    """Write pages from page `first` on; whether more may follow."""
    import heapq

    shards = map(snapshots.by_shard, range(tallies.SHARDS))
    streams = [snapshots.stream(account, item["id"], part, Ranked) for part in shards]
    ranked = heapq.merge(*streams, key=attrgetter("place"))
    wanted = islice(ranked, first * PAGE_ROWS, (first + PAGES_A_STEP) * PAGE_ROWS)
    for number, rows in enumerate(batched(wanted, PAGE_ROWS), first):
        snapshots.write(account, item["id"], snapshots.by_rank(number), rows)
    return bool((first + PAGES_A_STEP) * PAGE_ROWS < item["total"])


def _finish(store: AccountStore, item: Item, now: float) -> Item | None:
    """It is the latest, unless a newer one is; the game rests until tomorrow; and nothing is left to do."""
    values = {"snapshot": item["id"], "number": item["number"]}
    with suppress(ConditionFailed):
        store.update(
            "snapshots",
            "",
            "SET #snapshot = :snapshot, #number = :number",
            values,
            condition="attribute_not_exists(#number) OR #number < :number",
            sk="latest",
        )
    rest = {"id": item["id"], "next": rules.next_time(now)}
    with suppress(ConditionFailed):
        store.update(rules.KIND, "", "SET #sweep_at = :next REMOVE #running", rest, condition="#running = :id")
    return _advanced(store, item, state="complete")
