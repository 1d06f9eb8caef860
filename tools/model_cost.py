"""What a customer's model costs, for `make cost`: dollars of a training, and of 1,000 scores in each of its homes.

Fitting and scoring are measured here, on posts that are made up: time depends on how many there are, not on what they
show. What a training asks of AWS besides is measured in a local cloud (tools/cost.py). Nothing of
SageMaker is measured: its seconds are those of this machine, with what AWS adds taken from chalicelib/prices.json. What
is priced how is said, and done, in chalicelib/training/cost.py, for the reports of models too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from chalicelib.features import schema
from chalicelib.scoring.model import general
from chalicelib.training import cost, customer
from chalicelib.training.dataset import DataSet

POSTS = 5000
DAY = 86_400.0


@dataclass(frozen=True)
class Measured:
    """CPU seconds on one core: of a training on so many posts, and of one score by what it learned."""

    posts: int
    training: float
    score: float


def measure() -> Measured:
    """Train once, and score some photos one by one, as the worker does."""
    data, prior = made_up(POSTS), customer.Prior("general", general())
    began = time.process_time()
    outcome = customer.train(data, [prior], lambda *_: None)
    training = time.process_time() - began
    assert outcome.model is not None, outcome.report  # noqa: S101 - there are enough posts to fit one
    return Measured(POSTS, training, cost.score_seconds(outcome.model, data.vectors, time.process_time))


def made_up(posts: int) -> DataSet:
    """Posts an hour apart, whose engagement follows their first features and chance."""
    import numpy as np

    random = np.random.default_rng(6)
    vectors = random.normal(size=(posts, len(schema.FEATURES) + schema.EMBEDDING_SIZE)).astype(np.float32)
    targets = vectors[:, 0] + random.normal(size=posts)
    return DataSet(
        images=[f"{number:026d}" for number in range(posts)],
        vectors=vectors,
        targets=targets,
        engagement=np.exp(targets),
        weights=np.ones(posts),
        groups=np.arange(posts),
        posted_at=np.arange(posts) * DAY / 24,
    )
