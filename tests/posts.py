"""Made-up posts for models of customers: vectors of full width as they might come from photographs, and a taste."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chalicelib.scoring.model import Model, general
from chalicelib.training import calibration
from chalicelib.training.choice import Examples, fit
from chalicelib.training.customer import Prior
from chalicelib.training.dataset import DataSet
from chalicelib.training.fit import normal_ranks
from chalicelib.training.pipeline import Recipe, Space, expansion


def photos(seed: int, count: int, center: float = 0.0) -> np.ndarray:
    """(count, d): scalars and embedding spread as the general model's training images are.

    center: standard deviations that the embedding lies off theirs.
    """
    chance, scalars, compression = np.random.default_rng(seed), general().scalars, general().compression
    spread = np.where(scalars.scale > 0, 1 / np.where(scalars.scale > 0, scalars.scale, 1), 0)
    columns = scalars.mean + chance.normal(size=(count, len(scalars.mean))) * spread
    components = chance.normal(center, size=(count, compression.axes.shape[1]))
    roots = compression.mean + components @ np.linalg.pinv(compression.axes)
    return np.hstack([columns, np.maximum(roots, 0) ** 2]).astype(np.float32)


def taste(vectors: np.ndarray) -> np.ndarray:
    """What a customer's followers like in photos, (n,), of variance about 1."""
    components = general().compression(vectors.astype(np.float64))
    return components[:, :4].sum(1) / 2


def posts(vectors: np.ndarray, engagement: np.ndarray, **columns: np.ndarray) -> DataSet:
    """One post an hour, each of an image of its own."""
    count = len(engagement)
    images = [f"{number:026d}" for number in range(count)]
    given = {
        "targets": normal_ranks(engagement) if count else engagement,
        "engagement": engagement,
        "weights": np.ones(count),
        "groups": np.arange(count),
        "posted_at": 3600.0 * np.arange(count),
    }
    return DataSet(images, vectors, **given | columns)


def liked(seed: int, count: int, noise: float = 0.7) -> DataSet:
    """Posts whose engagement is taste and chance."""
    vectors = photos(seed, count)
    return posts(vectors, taste(vectors) + noise * np.random.default_rng(seed).normal(size=count))


def believer(vectors: np.ndarray, labels: np.ndarray, name: str = "market") -> Prior:
    """A market model of these labels, in whose domain these photos lie."""
    space = Space.of(general())
    fitted = fit(Recipe(), None, Examples(space.inputs(vectors), labels, np.ones(len(labels))))
    domain = calibration.domain_of(vectors, space.scalars, space.compression)
    return Prior(name, replace(general(), machine=expansion(space, fitted), domain=domain))


def values(model: Model, vectors: np.ndarray) -> np.ndarray:
    return np.array([score.value for score in model.score(vectors)])


def silent(step: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""
