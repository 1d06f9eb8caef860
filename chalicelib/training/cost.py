"""What a training cost, and what 1,000 scores by its model cost: estimates in US dollars, for the report of a version.

Prices are those of chalicelib/prices.json, which `make cost` reads too: list prices of one region and date, from memory
and without free tiers, whatever region a stage is in.

| counted                                        | as                                                                |
|------------------------------------------------|-------------------------------------------------------------------|
| the function `train`                           | the seconds that it ran for this training, restarts and waits for |
|                                                | SageMaker included, as its workers noted them every other second: |
|                                                | what a worker did after its last note and before it died is lost  |
| its reads                                      | POST_READS for each post; its other requests are too few to tell  |
| a training job                                 | the seconds that SageMaker bills                                  |
| a score                                        | the model's own seconds as measured at the end of its training,   |
|                                                | and what the function `score` does around it, see below           |
| a serverless endpoint                          | the model's seconds there too, with what prices.json adds to them |

Not counted: start-up of functions, storage, logs and traces, and whatever was done to describe the images.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.scoring.model import Model

# Of the functions, as infra/functions.yaml has it.
TRAIN_MB, SCORE_MB = 3008, 512
TRIALS = 10
SCORES = 1000
# An image's row and that of its embedding, read consistently, each below 4 KB.
POST_READS = 2
# One score apart from its model: the worker's seconds, with 10 ms for each request, and what it asks of AWS. As
# `make cost` found it in 2026-11.
SCORE_SECONDS = 0.065
SCORE_READS, SCORE_WRITES, SCORE_PUTS, SCORE_EVENTS, SCORE_MESSAGES = 2, 3, 1, 1, 3


@cache
def prices() -> dict[str, Any]:
    from pathlib import Path

    path = Path(__file__).parents[1] / "prices.json"
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])


def report(*, training: float | None, score: float | None, endpoint_mb: int = 0) -> dict[str, Any]:
    """What a report says: dollars of the training and of 1,000 scores, and where and when these are list prices.

    training: dollars; None where they are not known. score: seconds of one, by the model alone; None for one that
    scores nothing. endpoint_mb: memory of the endpoint that serves it; 0 without.
    """
    thousand = None if score is None else scores(score) + (asked(score, endpoint_mb) if endpoint_mb else 0.0)
    return {
        "training": _rounded(training),
        "thousand_scores": _rounded(thousand),
        "prices": f"{prices()['region']}, {prices()['as_of']}",
    }


def _rounded(dollars: float | None) -> float | None:
    """To a millionth."""
    return None if dollars is None else round(dollars, 6)


def training(seconds: float, posts: int) -> float:
    """Dollars of the function `train`."""
    return _computed(seconds, TRAIN_MB) + reads(posts)


def reads(posts: int) -> float:
    """Dollars of reading what is known of the posts' images."""
    return float(posts * POST_READS * prices()["dynamodb"]["read_unit"])


def job(seconds: float) -> float:
    """Dollars of a training job on sagemaker.INSTANCE that is billed for so long."""
    return float(seconds / 3600 * prices()["sagemaker"]["training_hour"])


def scores(seconds: float) -> float:
    """Dollars of 1,000 scores of images that are described, by the function `score`. seconds: of the model, for one."""
    each = prices()
    requests = (
        SCORE_READS * each["dynamodb"]["read_unit"]
        + SCORE_WRITES * each["dynamodb"]["write_unit"]
        + SCORE_PUTS * each["s3"]["put"]
        + SCORE_EVENTS * each["events"]["event"]
        + SCORE_MESSAGES * each["sqs"]["request"]
    )
    return float(SCORES * (_computed(SCORE_SECONDS + seconds, SCORE_MB) + requests))


def asked(seconds: float, megabytes: int) -> float:
    """Dollars that 1,000 scores at a serverless endpoint add to those of the worker that asks it, one by one."""
    each = prices()["sagemaker"]
    gb = SCORES * each["serverless_record_kb"] / 2**20
    computed = (seconds + each["serverless_request_seconds"]) * megabytes / 1024 * each["serverless_gb_second"]
    return float(SCORES * computed + gb * each["serverless_gb"])


def _computed(seconds: float, megabytes: int) -> float:
    return float(seconds * megabytes / 1024 * prices()["lambda"]["gb_second"])


def score_seconds(model: Model, vectors: NDArray[np.floating[Any]], clock: Callable[[], float]) -> float:
    """Seconds of one score by a model, of the rows one by one as the worker asks it. vectors: (n, d), n at least 1."""
    began = clock()
    for trial in range(TRIALS):
        row = trial % len(vectors)
        model.score(vectors[row : row + 1])
    return (clock() - began) / TRIALS
