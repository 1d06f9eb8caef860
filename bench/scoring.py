"""How well models rank what they have not seen, and what it costs.

`oasis` is the evaluation that `make train-general` writes into the model's card, done anew by the same code.
`customers`: see `bench.customers`; beside them the figures of the prototypes. `score_1000_s` is CPU seconds of the
general model for 1,000 stored vectors, `score_1000_customer_s` those of a model of 5,000 posts.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import customers
from chalicelib.scoring.model import general
from chalicelib.training import evaluation, rated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.scoring.model import Model

    Array = NDArray[np.float64]

REPETITIONS = 5
# Spearman at 20, 50, 100 and 200 posts of a first sketch with one fixed weight, on splits of its own.
SKETCH = {"blend": [0.367, 0.430, 0.465, 0.513], "own_only": [0.325, 0.412, 0.456, 0.511]}
# Published and earlier figures for OASIS beauty, Pearson's r: Conwell et al. 2025, leave-one-out ridge on ConvNeXt-L.
PUBLISHED = {"oasis_pearson_convnext_l": 0.868, "oasis_pearson_random_network": 0.315}
ABSENT = """\
There are no raters in {folder}: ratings.csv and images/ of Vessel's stimuli, in the folder vessel/ of the one that
PROOFSHEET_DATA names. They come with the public repository ColinConwell/AffectExMachina."""


def score_1000_s(model: Model, vectors: Array) -> float:
    import numpy as np

    asked = np.resize(vectors, (1000, vectors.shape[1]))
    model.score(asked)
    return round(statistics.median(_cpu_seconds(lambda: model.score(asked)) for _ in range(REPETITIONS)), 3)


def _cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def of_customers(people: customers.Panel) -> dict[str, Any]:
    large = customers.train_large(people)
    table, coverage = customers.customers(people)
    return {
        "customers": table,
        "coverage_80_customers": coverage,
        "noise_released_of_100": customers.noise_released(people),
        "train_5000_s": large.seconds,
        "train_5000_mb": large.peak_mb,
        "score_1000_customer_s": score_1000_s(large.model, people.vectors[:, 0]),
    }


def main() -> int:
    vessel = Path(os.environ.get("PROOFSHEET_DATA", "../shared/data")) / "vessel"
    try:
        folder = rated.oasis_folder()
    except rated.NoRatedPhotos as absent:
        print(absent, file=sys.stderr)
        return 2
    if not (vessel / "ratings.csv").is_file():
        print(ABSENT.format(folder=vessel), file=sys.stderr)
        return 2
    found = of_customers(customers.panel(vessel))
    photos = rated.load(folder)
    found = {"oasis": evaluation.evaluate(photos).rounded(), **found}
    found |= {"score_1000_s": score_1000_s(general(), photos.vectors), "sketch": SKETCH, "published": PUBLISHED}
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
