"""`GET /best/{ranking}`: the image of a ranking that now does best, by Thompson sampling.

    predicted score ──> prior ─┐
    tracked clicks ────────────┴─> Beta(alpha, beta) of each image's click rate ──> one draw each, the highest is shown

Time is cut into slices of ten minutes. The first request of a slice writes the Betas down for all, and the visitor
and the slice seed the draws: a visitor sees one image throughout a slice, whichever process answers, and nothing is
stored of the visitor. Thompson sampling bears such a delay well (Chapelle and Li 2011).

A choice is tracked as an impression whose id follows from ranking, visitor and slice, so reloading adds nothing.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import contract, log
from chalicelib.errors import NotFound
from chalicelib.store import PUBLIC, AccountStore, ConditionFailed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SLICE_SECONDS = 600
KNOWN_SECONDS = 30  # how long a process trusts what it has read
KEPT_SECONDS = 3600
MOST_KNOWN = 500  # rankings that a process remembers, of 30 kB at most
WINDOW_DAYS = 30  # older clicks are of another season
KEY = "best"  # stands for the write key in the events

# What is known of an image before anybody has seen it counts like so many impressions: at usual click rates, one or
# two clicks. Nobody can say how well the model knows this collection; after a hundred views of its own an image is
# judged by those. In the simulation of `bench.tracking` 200 would lose 25 % of uniform choice's loss instead of 33 %
# where scores correlate 0.5 with the truth, and 43 % instead of 39 % where they correlate -0.5 (60 catalogues).
PRIOR_IMPRESSIONS = 50.0
USUAL_RATE = 0.03  # of clicks, where the ranking has too few to tell
USUAL_IMPRESSIONS = 100.0  # as which the usual rate counts
# The click rates of one page's images differ by half their mean, and a score explains half of that (`bench.tracking`
# says what becomes of it when the score explains nothing): one standard deviation of the score is a factor of e^0.25.
LIFT = 0.25


class Arm(msgspec.Struct, frozen=True, array_like=True):
    """An image with the Beta distribution of its click rate."""

    image: str
    alpha: float
    beta: float


class Visitor(msgspec.Struct, frozen=True):
    """name: whatever tells visitors apart. bot: a view is archived and not counted. tracked: false leaves no event."""

    name: str
    bot: bool = False
    tracked: bool = True


class Choice(msgspec.Struct, frozen=True):
    """Where the picture is, and for how many seconds the visitor's browser may remember that."""

    url: str
    image: str
    max_age: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Location": self.url, "Cache-Control": f"private, max-age={self.max_age}"}


def visitor(query: contract.BestQuery, headers: Mapping[str, str], ip: str | None) -> Visitor:
    """Who asks: the name that the site gives, else network and browser. ip: whole or cut; it is cut here."""
    from chalicelib.tracking import bots, privacy

    agent = headers.get("user-agent", "")
    name = f"{privacy.cut(ip)} {agent}" if isinstance(query.visitor, msgspec.UnsetType) else query.visitor
    return Visitor(name, bots.is_bot(agent), not privacy.opted_out(headers))


def choose(ranking: str, query: contract.BestQuery, seen_by: Visitor, now: float) -> Choice:
    """The picture for this visitor. now: Unix seconds.

    Raises NotFound for an unknown ranking and for one without an image that can be shown; BadRequest for operations
    that an address cannot have.
    """
    store = AccountStore(owner(ranking))
    start = int(now) - int(now) % SLICE_SECONDS
    seed = fingerprint(store.account, ranking, seen_by.name, start)
    for image in order(known_arms(store, ranking, start, now), seed):
        if (url := _address(store, image, query, now)) is not None:
            if seen_by.tracked:
                _record(impression(store.account, ranking, image, seed, start, now, bot=seen_by.bot))
            return Choice(url, image, start + SLICE_SECONDS - int(now))
    raise NotFound("None of this ranking's images can be shown.")


@lru_cache(maxsize=4096)
def owner(ranking: str) -> str:
    """The account of a ranking, which the route does not name and which never changes. Raises NotFound."""
    item = PUBLIC.get("ranking", ranking, "owner")
    if item is None:
        raise NotFound("There is no such ranking.")
    return str(item["account"])


def _address(store: AccountStore, image: str, query: contract.BestQuery, now: float) -> str | None:
    """Where the variant is; None when the image has failed or gone since the slice began."""
    from chalicelib.delivery import links

    item = store.get("image", image)
    if item is None or item["state"] != "ready":
        return None
    try:
        wanted = contract.NewUrl(source=image, operations=query.ops, format=query.format)
        return links.create(store, wanted, now).url
    except NotFound:
        return None


# The draw


def fingerprint(account: str, ranking: str, name: str, start: int) -> bytes:
    """10 bytes that are another for each ranking, visitor and slice, and tell nothing of the visitor."""
    from hashlib import blake2b

    return blake2b(f"{ranking}/{start}/{name}".encode(), digest_size=10, key=account.encode()).digest()


def order(arms: list[Arm], seed: bytes) -> list[str]:
    """The images by their draws, highest first. The same arms and seed give the same order."""
    from random import Random

    chance = Random(seed)
    drawn = [(chance.betavariate(arm.alpha, arm.beta), arm.image) for arm in arms]
    return [image for _, image in sorted(drawn, reverse=True)]


def posteriors(scores: Mapping[str, float], counts: Mapping[str, tuple[int, int]]) -> list[Arm]:
    """What is known of each image's click rate.

    scores: percentile by image, 0-100. counts: (impressions, clicks) by image, as far as there are any.
    """
    seen = [counts[image] for image in scores if image in counts]
    base = _base_rate(seen)
    return [_arm(image, prior_mean(score, base), *counts.get(image, (0, 0))) for image, score in scores.items()]


def _base_rate(seen: list[tuple[int, int]]) -> float:
    """The mean rate of the images: of the images, not of the views, most of which the best ones get."""
    usual = USUAL_RATE * USUAL_IMPRESSIONS
    rates = [(clicks + usual) / (max(impressions, clicks) + USUAL_IMPRESSIONS) for impressions, clicks in seen]
    return sum(rates) / len(rates) if rates else USUAL_RATE


def prior_mean(score: float, base: float) -> float:
    """The expected click rate of an image of this percentile, where the average image has the rate `base`."""
    from statistics import NormalDist

    normal = NormalDist().inv_cdf(min(max(score, 1.0), 99.0) / 100)
    return min(base * math.exp(LIFT * normal - LIFT**2 / 2), 0.5)


def _arm(image: str, mean: float, impressions: int, clicks: int) -> Arm:
    # A redirect that a cache answers is a view that nobody counts: there may be more clicks than impressions.
    missed = max(impressions - clicks, 0)
    return Arm(image, PRIOR_IMPRESSIONS * mean + clicks, PRIOR_IMPRESSIONS * (1 - mean) + missed)


# What a slice knows


class Known(msgspec.Struct, frozen=True):
    arms: list[Arm]
    start: int
    read_at: float


_known: dict[tuple[str, str], Known] = {}


def known_arms(store: AccountStore, ranking: str, start: int, now: float) -> list[Arm]:
    """The arms of this slice, as this process or the table knows them. Raises NotFound for an unknown ranking."""
    key = store.account, ranking
    known = _known.get(key)
    if known is None or known.start != start or now - known.read_at > KNOWN_SECONDS:
        _known.pop(key, None)
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        if store.get("ranking", ranking) is None:
            raise NotFound("There is no such ranking.")
        known = _known[key] = Known(_slice_arms(store, ranking, start, now), start, now)
    return known.arms


def counts_of(store: AccountStore, ranking: str, images: Collection[str], now: float) -> dict[str, tuple[int, int]]:
    """Impressions and clicks by image, as tracked in this ranking in the last WINDOW_DAYS and today."""
    from chalicelib.tracking import counts, stats
    from chalicelib.tracking.pages import DAY

    subjects = {counts.ranking_subject(ranking, image): image for image in images}
    today = int(now) - int(now) % DAY
    span = stats.Span(today - WINDOW_DAYS * DAY, today + DAY, DAY)
    found = stats.read(store, stats.Scope(frozenset(subjects), frozenset(images)), span)
    return {
        subjects[subject]: (sum(four[0] for four in days.values()), sum(four[1] for four in days.values()))
        for subject, days in found.items()
    }


def _slice_arms(store: AccountStore, ranking: str, start: int, now: float) -> list[Arm]:
    """As the first request of the slice wrote them down."""
    if (found := store.get(KEY, ranking, str(start))) is not None:
        return msgspec.json.decode(found["arms"], type=list[Arm])
    predicted = scores(store, ranking)
    if not predicted:  # not yet: the next look may find some
        return []
    arms = posteriors(predicted, counts_of(store, ranking, predicted, now))
    try:
        row = {"arms": msgspec.json.encode(arms), "expires": start + KEPT_SECONDS}
        store.put(KEY, ranking, row, sk=str(start), new=True)
    except ConditionFailed:  # another process was first
        return _slice_arms(store, ranking, start, now)
    return arms


def scores(store: AccountStore, ranking: str) -> dict[str, float]:
    """Percentile by image, of the images that have one."""
    rows = store.partition("ranking", ranking, "entry#")
    found = {row["image"]: msgspec.json.decode(row["entry"]) for row in rows}
    return {image: entry["score"] for image, entry in found.items() if "score" in entry}


# The impression


def impression(account: str, ranking: str, image: str, seed: bytes, start: int, now: float, *, bot: bool) -> Any:
    """The event of a choice; its id is a UUIDv7 in the slice, made of the seed alone."""
    from chalicelib.tracking.event import Event

    moment = start * 1000 + int.from_bytes(seed) % (SLICE_SECONDS * 1000)
    received = int(now * 1000)
    return Event(
        id=uuid7(moment, seed),
        type="track",
        account=account,
        key=KEY,
        received=received,
        at=received,
        frozen=moment,
        event="Image Impression",
        kind="i",
        image=image,
        ranking=ranking,
        bot=bot,
    )


def uuid7(milliseconds: int, entropy: bytes) -> str:
    """A UUID of version 7 (RFC 9562). entropy: 10 bytes, of which 74 bits are used."""
    bits = int.from_bytes(entropy)
    number = milliseconds << 80 | 7 << 76 | (bits >> 62 & 0xFFF) << 64 | 2 << 62 | bits & (1 << 62) - 1
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _record(event: Any) -> None:
    """Queue it; a visitor gets the picture even while the queue does not answer."""
    from chalicelib.tracking import envelope, queue
    from chalicelib.tracking.intake import Intake

    try:
        queue.send(envelope.pack(event.account, Intake([event], [])))
    except Exception:
        log.exception("impression not recorded", ranking=event.ranking)
