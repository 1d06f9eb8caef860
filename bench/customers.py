"""Customers' models, measured on people: each of nine raters' mean ratings of an image stand for its engagement.

Vessel's images; 150 held out for each rater and split. The posts' order in time is the split's random order, since the
ratings come from several sessions in which every image was shown again. The prior of the same kind is fitted, in the
general model's space, to the other raters' mean ratings of the images that are not held out; so it has seen the
customer's own images, though not the customer's ratings, and its weight is chosen on them a little too trustingly.
"""

from __future__ import annotations

import csv
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalicelib.scoring.model import Model, Score, general
from chalicelib.training import calibration, fit, rated
from chalicelib.training.customer import Outcome, Prior, train
from chalicelib.training.dataset import DataSet
from chalicelib.training.evaluation import pair_accuracy, spearman

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Rows = NDArray[np.int64]

SEEDS = (0, 1, 2)
HELD_OUT = 150
SIZES = (20, 50, 100, 200)
NOISE_RUNS, NOISE_SIZES = 100, (30, 60, 120, 240)
LARGE = 5000


@dataclass(frozen=True)
class Panel:
    """vectors: (n, 2, d) of the images and their mirror images. ratings: (raters, n), mean of each rater's, 1-7."""

    vectors: Array
    ratings: Array


@dataclass(frozen=True)
class Split:
    """One rater as a customer. rest: rows that are not held out, in the order of their posts."""

    panel: Panel
    rater: int
    rest: Rows
    held_out: Rows

    @property
    def own(self) -> Array:
        import numpy as np

        return np.asarray(self.panel.ratings[self.rater])

    @property
    def new(self) -> Array:
        """Vectors of the images that are held out."""
        import numpy as np

        return np.asarray(self.panel.vectors[self.held_out, 0])


def panel(folder: Path) -> Panel:
    """folder: of images/ and ratings.csv with the columns rater, image, rating."""
    import numpy as np

    given = defaultdict(list)
    with (folder / "ratings.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            given[row["rater"], row["image"]].append(float(row["rating"]))
    raters, images = (sorted({key[part] for key in given}) for part in (0, 1))
    ratings = np.array([[statistics.mean(given[rater, image]) for image in images] for rater in raters])
    return Panel(rated.described([folder / "images" / image for image in images]), ratings)


def splits(people: Panel, seeds: tuple[int, ...]) -> Iterator[Split]:
    import numpy as np

    raters, count = people.ratings.shape
    for seed in seeds:
        for rater in range(raters):
            order = np.random.default_rng([seed, rater]).permutation(count)
            yield Split(people, rater, order[HELD_OUT:], order[:HELD_OUT])


def same_kind(split: Split) -> Model:
    """What the other raters think of the images that are not held out."""
    import numpy as np

    rest, space = split.rest, general()
    others = np.delete(split.panel.ratings, split.rater, axis=0).mean(0)[rest]
    photos = fit.RatedSet(
        split.panel.vectors[rest, 0], split.panel.vectors[rest, 1], others, np.arange(len(rest)).astype(np.str_)
    )
    return replace(
        space,
        machine=fit.fit_machine(photos, space.scalars, space.compression),
        domain=calibration.domain_of(photos.vectors, space.scalars, space.compression),
    )


def posts(vectors: Array, engagement: Array) -> DataSet:
    """One post an hour, each of an image of its own. vectors: (n, d). engagement: (n,)."""
    import numpy as np

    count = len(engagement)
    return DataSet(
        [f"{number:026d}" for number in range(count)],
        vectors.astype(np.float32),
        fit.normal_ranks(engagement),
        engagement,
        np.ones(count),
        np.arange(count),
        3600.0 * np.arange(count, dtype=np.float64),
    )


def silent(step: str, done: int, total: int) -> None:
    pass


def learned(split: Split, size: int, priors: list[Prior]) -> Outcome:
    rows = split.rest[:size]
    return train(posts(split.panel.vectors[rows, 0], split.own[rows]), priors, silent)


def row(split: Split, size: int, priors: list[Prior]) -> dict[str, float]:
    """What one customer's model of so many posts is worth on the images that are held out."""
    outcome = learned(split, size, priors)
    models = {"blend": outcome.model, "own_only": learned(split, size, []).model}
    models |= {f"{prior.id}_only": prior.model for prior in priors}
    said = {name: model.score(split.new) for name, model in models.items() if model is not None}
    truth, scores = split.own[split.held_out], said["blend"]
    return {
        **{name: spearman(truth, _values(each)) for name, each in said.items()},
        "pair_accuracy": pair_accuracy(truth, _values(scores)),
        "coverage_80": covered(scores, truth, split.own[split.rest[:size]]),
        "prior_weight": outcome.recipe.prior_weight,
        "released": float(outcome.released),
    }


def _values(scores: list[Score]) -> Array:
    import numpy as np

    return np.array([score.value for score in scores])


def covered(scores: list[Score], truth: Array, own: Array) -> float:
    """Share of images whose percentile lies in the interval: the percentile (Blom) that each would have as one post
    more among the customer's own.
    """
    import numpy as np

    rank = 1 + (truth[:, None] > own).sum(1) + (truth[:, None] == own).sum(1) / 2
    percentiles = 100 * (rank - 0.375) / (len(own) + 1.25)
    inside = [score.low <= each <= score.high for score, each in zip(scores, percentiles.tolist(), strict=True)]
    return float(np.mean(inside))


def customers(people: Panel, seeds: tuple[int, ...] = SEEDS) -> tuple[list[dict[str, Any]], float]:
    """The table by size, means over raters and splits, and the coverage of all its intervals."""
    found: dict[int, list[dict[str, float]]] = {size: [] for size in SIZES}
    for split in splits(people, seeds):
        priors = [Prior("general", general()), Prior("prior", same_kind(split))]
        for size in SIZES:
            found[size].append(row(split, size, priors))
    table = [{"n": size, **_means(rows)} for size, rows in found.items()]
    return table, round(statistics.mean(each["coverage_80"] for rows in found.values() for each in rows), 4)


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.mean(each[name] for each in rows), 4) for name in rows[0]}


def noise_released(people: Panel) -> int:
    """How many of NOISE_RUNS customers whose engagement is pure chance get a model all the same."""
    import numpy as np

    released = 0
    for run in range(NOISE_RUNS):
        chance = np.random.default_rng([2026, run])
        rows = chance.permutation(len(people.vectors))[: NOISE_SIZES[run % len(NOISE_SIZES)]]
        data = posts(people.vectors[rows, 0], chance.lognormal(size=len(rows)))
        released += train(data, [Prior("general", general())], silent).released
    return released


@dataclass(frozen=True)
class Large:
    """seconds: CPU of the training. peak_mb: of the process after it."""

    model: Model
    seconds: float
    peak_mb: int


def train_large(people: Panel) -> Large:
    """A training on LARGE posts.

    The images are made up between two real ones each; their engagement is half taste, half chance.
    """
    import numpy as np

    chance = np.random.default_rng(5)
    first, second = people.vectors[chance.integers(0, len(people.vectors), (2, LARGE)), 0]
    vectors = (first + second) / 2 * chance.uniform(0.8, 1.2, first.shape)
    model = general()
    taste = model.machine(model.compression(vectors), model.scalars(vectors))
    data = posts(vectors, taste / taste.std() + chance.normal(size=LARGE))
    del first, second, vectors
    start = time.process_time()
    trained = train(data, [Prior("general", model)], silent).model or model
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Large(trained, round(seconds, 2), round(peak))
