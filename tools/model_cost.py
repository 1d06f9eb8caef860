"""What a customer's model costs, for `make cost`: dollars of a training, and of 1,000 scores in each of its homes.

Fitting and scoring are measured here, on posts that are made up: time depends on how many there are, not on what they
show. What a training reads besides is measured in a local cloud (tools/cost.py) and grows with the posts. Nothing of
SageMaker is measured: its seconds are those of this machine, with what AWS adds taken from tools/prices.json.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.features import schema
from chalicelib.scoring.model import general
from chalicelib.training import customer, sagemaker
from chalicelib.training.dataset import DataSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.scoring.model import Model

POSTS = 5000
DAY = 86_400.0
SCORES = 1000
TRIALS = 20


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
    return Measured(POSTS, training, score_seconds(outcome.model, data))


def score_seconds(model: Model, data: DataSet) -> float:
    began = time.process_time()
    for row in range(TRIALS):
        model.score(data.vectors[row : row + 1])
    return (time.process_time() - began) / TRIALS


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


def job(measured: Measured, prices: Mapping[str, Any]) -> dict[str, float]:
    """Dollars of a training job on sagemaker.INSTANCE, on top of the training that found the recipe."""
    hours = (prices["training_start_seconds"] + measured.training) / 3600
    return {"sagemaker": hours * prices["training_hour"]}


def asked(measured: Measured, prices: Mapping[str, Any]) -> dict[str, float]:
    """Dollars that 1,000 scores at a serverless endpoint add to those of the worker that asks it, one by one."""
    seconds = measured.score + prices["serverless_request_seconds"]
    gb = SCORES * prices["serverless_record_kb"] / 2**20
    computed = SCORES * seconds * sagemaker.MEMORY_MB / 1024 * prices["serverless_gb_second"]
    return {"sagemaker": computed + gb * prices["serverless_gb"]}
