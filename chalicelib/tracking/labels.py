"""From tracked impressions and clicks to labels: how often an image is clicked, whatever place it was shown at.

Position-based model (Richardson, Dominowska and Ragno 2007; Craswell et al. 2008): a click needs a look at the place
and an image that is worth it,

    P(click on image i at place p) = propensity[p] x rate[i]

Propensities come from images that were shown at more than one place, and from nothing else, so that a good image at
the top is not mistaken for a good place (intervention harvesting: Agarwal et al. 2019). Given an image's clicks, their
split over its places depends on the propensities alone; the split is fitted by alternating steps of maximum
likelihood, each propensity drawn to 1 as by PRIOR_CLICKS clicks that show no bias:

    rate[i]       = clicks[i] / exposure[i],  exposure[i] = sum over p of impressions[i, p] x propensity[p]
    propensity[p] = (clicks[p] + k) / (sum over i of impressions[i, p] x rate[i] + k)

They are scaled so that the average impression has propensity 1: a rate is what the account's average place would give.
This is inverse-propensity weighting with the ratio estimator, which the model makes the one of maximum likelihood.

The interval is Wilson's (1927), 95 %, for the exposure, shortened for what is not known of the propensities.

Positions are not in the live counters. The daily compaction leaves one object a day with exact counts by image and
place, so labels lag by up to a day and are then as exact as the archive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from chalicelib import aws
from chalicelib.settings import settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.store import AccountStore

    Array = NDArray[np.float64]
    Places = NDArray[np.int64]

DAY = 86400
LAST_POSITION = 50  # farther down is one place
UNKNOWN_POSITION = -1  # events that do not say where; sites may call the first place 0
PRIOR_CLICKS = 10.0  # a propensity nothing is known of has a standard deviation of a third
STEPS, SETTLED = 500, 1e-7
NORMAL_95 = 1.959964
PARALLEL_READS = 16


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """What was counted of one image at one place on one day, each event once, bots left out.

    position: 0 or more, as the site counts; UNKNOWN_POSITION where the events do not say; at most LAST_POSITION.
    """

    image: str
    position: int
    impressions: int
    clicks: int


class Engagement(msgspec.Struct, frozen=True):
    """How often an image is clicked at the account's average place.

    rate: clicks for each impression at such a place, 0-1, or 0 where it was never shown. low, high: 95 % interval.
    exposure: impressions at the average place that are worth those it had. position_bias: exposure over impressions;
    above 1 its places were better than average, and the rate is corrected downwards. evidence: the exposure that a
    sample without doubt about propensities would need for an interval as narrow.
    """

    impressions: int
    clicks: int
    rate: float
    low: float
    high: float
    exposure: float
    position_bias: float
    evidence: float


class Label(msgspec.Struct, frozen=True):
    """A label for training.

    engagement: the rate, drawn to the mean of all as far as chance may have made the difference. weight: 0-1, the
    share of its own data in it (reliability); 0 where the rates differ no more than by chance.
    """

    image: str
    engagement: float
    weight: float


NEVER_SHOWN = Engagement(0, 0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0)


def engagement(store: AccountStore, image: str, window: tuple[int, int]) -> Engagement:
    """One image's; for many use `engagements`, since the propensities come from all of them anyway."""
    return engagements(store, window).get(image, NEVER_SHOWN)


def training_labels(store: AccountStore, images: Iterable[str], window: tuple[int, int]) -> list[Label]:
    """Labels of those of the images that were shown, in their order. window: as in `engagements`."""
    return shrink(engagements(store, window), images)


def engagements(store: AccountStore, window: tuple[int, int]) -> dict[str, Engagement]:
    """All images of the account that were shown. window: [begin, end) in Unix seconds; UTC days that begin in it."""
    return estimate(list(read(store.account, window)))


# The days in S3


def day_key(account: str, day: str) -> str:
    """Where the compaction leaves the cells of a day. day: YYYY-MM-DD."""
    return f"positions/account={account}/dt={day}/cells.json.gz"


def encode(cells: Sequence[Cell]) -> bytes:
    """The same cells give the same bytes."""
    import gzip

    ordered = sorted(cells, key=lambda cell: (cell.image, cell.position))
    return gzip.compress(msgspec.json.encode(ordered), mtime=0)


def decode(data: bytes) -> list[Cell]:
    import gzip

    return msgspec.json.decode(gzip.decompress(data), type=list[Cell])


def read(account: str, window: tuple[int, int]) -> Iterator[Cell]:
    """The cells of every compacted day of the window; days without events have no object."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        keys = [day_key(account, day) for day in days(window)]
        for data in pool.map(partial(aws.read_object, settings().events_bucket), keys):
            yield from decode(data) if data else []


def days(window: tuple[int, int]) -> list[str]:
    from datetime import UTC, datetime

    first, last = -(-window[0] // DAY), -(-window[1] // DAY)
    return [datetime.fromtimestamp(day * DAY, UTC).date().isoformat() for day in range(first, last)]


# The estimate


def estimate(cells: Sequence[Cell]) -> dict[str, Engagement]:
    """Engagement of every image that was shown, from cells in any order, of any number of days."""
    import numpy as np

    if not cells:
        return {}
    images, rows = np.unique([cell.image for cell in cells], return_inverse=True)
    places = np.array([min(cell.position, LAST_POSITION) for cell in cells])
    grid = _grid(rows, places, [cell.impressions for cell in cells], len(images))
    clicked = _grid(rows, places, [cell.clicks for cell in cells], len(images))
    propensity, doubt = propensities(grid, clicked)
    exposure = grid @ propensity
    # Relative variance of the exposure: that of a weighted mean of the propensities.
    variance = (grid * propensity / np.maximum(exposure, 1e-12)[:, None]) ** 2 @ doubt
    numbers = zip(grid.sum(1), clicked.sum(1), exposure, variance, strict=True)
    found = zip(images.tolist(), numbers, strict=True)
    return {image: _engagement(*map(float, each)) for image, each in found if each[0] > 0}


def _grid(rows: Places, places: Places, counts: list[int], images: int) -> Array:
    import numpy as np

    grid = np.zeros((images, LAST_POSITION - UNKNOWN_POSITION + 1))
    np.add.at(grid, (rows, places - UNKNOWN_POSITION), counts)
    return grid


def propensities(impressions: Array, clicks: Array) -> tuple[Array, Array]:
    """How much a place adds to or takes from a click rate, and the relative variance of that; both (places,).

    impressions, clicks: (images, places).
    """
    import numpy as np

    # A click whose own place saw no impression tells nothing of places.
    moved = (impressions > 0).sum(1) > 1
    shown = impressions[moved]
    clicked = np.where(shown > 0, clicks[moved], 0)
    each, of_place = clicked.sum(1), clicked.sum(0)
    propensity = np.ones(impressions.shape[1])
    for _ in range(STEPS):
        rate = each / (shown @ propensity)
        step = (of_place + PRIOR_CLICKS) / (rate @ shown + PRIOR_CLICKS)
        settled = np.abs(step - propensity).max() < SETTLED
        propensity = step
        if settled:
            break
    mean = (impressions @ propensity).sum() / max(impressions.sum(), 1)
    return propensity / (mean or 1.0), 1 / (of_place + PRIOR_CLICKS)


def _engagement(impressions: float, clicks: float, exposure: float, variance: float) -> Engagement:
    evidence = exposure / (1 + clicks * variance)
    rate = min(clicks / exposure, 1.0)
    low, high = wilson(rate, evidence)
    return Engagement(int(impressions), int(clicks), rate, low, high, exposure, exposure / impressions, evidence)


def wilson(rate: float, n: float) -> tuple[float, float]:
    """95 % score interval of a proportion. rate: 0-1. n: trials, above 0, not necessarily whole."""
    square = NORMAL_95**2
    middle = (rate + square / (2 * n)) / (1 + square / n)
    half = NORMAL_95 / (1 + square / n) * math.sqrt(rate * (1 - rate) / n + square / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def shrink(found: dict[str, Engagement], images: Iterable[str]) -> list[Label]:
    """Empirical Bayes: Poisson clicks, rates by a Gamma whose mean and variance are estimated by moments."""
    wanted = [(image, found[image]) for image in images if image in found]
    evidence = sum(each.evidence for _, each in wanted)
    if not evidence:
        return []
    mean = sum(each.evidence * each.rate for _, each in wanted) / evidence
    scatter = sum(each.evidence * (each.rate - mean) ** 2 for _, each in wanted)
    spare = evidence - sum(each.evidence**2 for _, each in wanted) / evidence
    # What remains of the scatter when chance, mean / evidence each, has had its part (DerSimonian and Laird 1986).
    between = max(0.0, (scatter - (len(wanted) - 1) * mean) / spare) if spare > 0 else 0.0
    return [_label(image, each, mean, between) for image, each in wanted]


def _label(image: str, seen: Engagement, mean: float, between: float) -> Label:
    weight = seen.evidence * between / (seen.evidence * between + mean) if mean else 0.0
    return Label(image, mean + weight * (seen.rate - mean), weight)
