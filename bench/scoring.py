"""How well the general-appeal model ranks photos of themes it has not seen, and how quickly it scores.

`oasis` is the evaluation that `make train-general` writes into the model's card, done anew by the same code.
`score_1000_s` is CPU seconds of the shipped model for 1,000 stored vectors.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from chalicelib.scoring.model import general
from chalicelib.training import evaluation, rated

if TYPE_CHECKING:
    from chalicelib.training.fit import RatedSet

REPETITIONS = 5


def score_1000_s(photos: RatedSet) -> float:
    import numpy as np

    model, vectors = general(), np.resize(photos.vectors, (1000, photos.vectors.shape[1]))
    model.score(vectors)
    return statistics.median(_cpu_seconds(lambda: model.score(vectors)) for _ in range(REPETITIONS))


def _cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> int:
    try:
        folder = rated.oasis_folder()
    except rated.NoRatedPhotos as absent:
        print(absent, file=sys.stderr)
        return 2
    photos = rated.load(folder)
    quality = evaluation.evaluate(photos)
    print(json.dumps({"oasis": quality.rounded(), "score_1000_s": round(score_1000_s(photos), 3)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
