"""An account that has posted: images as the pipeline leaves them, and the engagement that they had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chalicelib.features import schema
from chalicelib.images import lifecycle, record
from chalicelib.scoring.model import general
from chalicelib.store import AccountStore

DAY = 86_400
SPREAD = 0.3  # of a scalar feature, in standard deviations


@dataclass(frozen=True)
class Posted:
    """images: n ids. vectors: (n, d). appeal: (n,), what this account's followers look for."""

    images: list[str]
    vectors: np.ndarray
    appeal: np.ndarray

    def items(self, now: float, noise: float = 0.2) -> list[dict[str, Any]]:
        """Posts as a request has them, one a day, with engagement that follows the appeal."""
        chance = np.random.default_rng(len(self.images))
        likes = np.exp(4 + self.appeal + noise * chance.normal(size=len(self.images))).round()
        first = now - DAY * (len(self.images) + 1)
        moments = [record.timestamp(first + DAY * day) for day in range(len(self.images))]
        rows = zip(self.images, likes.tolist(), moments, strict=True)
        return [{"image": image, "engagement": like, "posted_at": moment} for image, like, moment in rows]


def posted(count: int, *, seed: int = 0, peculiar: bool = False) -> Posted:
    """Images that lie where the general model's training images do.

    They are liked as those are, which few posts show; or, where the taste is peculiar, for something else.
    """
    chance, model = np.random.default_rng(seed), general()
    places = chance.permutation(model.domain.places)[:count]
    roots = model.compression.mean + places @ np.linalg.pinv(model.compression.axes)
    scale = np.where(model.scalars.scale > 0, model.scalars.scale, np.inf)
    scalars = model.scalars.mean + SPREAD * chance.normal(size=(len(places), len(scale))) / scale
    vectors = np.hstack([scalars, np.maximum(roots, 0) ** 2]).astype(np.float32)
    images = [f"{number:026d}" for number in range(1, len(places) + 1)]
    appeal = places[:, 0] - places[:, 1] if peculiar else np.array([score.value for score in model.score(vectors)])
    return Posted(images, vectors, (appeal - appeal.mean()) / appeal.std())


def put(store: AccountStore, found: Posted, now: float) -> None:
    """The images in the table, ready, scored by nobody and in no list."""
    rows = [row for each in zip(found.images, found.vectors, strict=True) for row in image_rows(*each, now)]
    store.put_many("image", rows)


def image_rows(image: str, vector: np.ndarray, now: float, **item: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """The rows of an image that has these features. item: what is other than usual."""
    numbers = dict(zip(((each.property, each.name) for each in schema.FEATURES), vector.tolist(), strict=False))
    packed = {
        prop: record.pack(prop, {name: numbers[prop, name] for name in schema.names(prop)})
        for prop in schema.PROPERTIES
    }
    row = {"id": image, "name": image, "state": "ready", "etag": "e", "created_at": record.timestamp(now)}
    embedding = vector[-schema.EMBEDDING_SIZE :].astype("<f2").tobytes()
    return [
        (image, "image", {**row, **packed, "attempts": 0, "scores": {}, **item}),
        (image, lifecycle.embedding_row("e"), {"embedding": embedding}),
    ]
