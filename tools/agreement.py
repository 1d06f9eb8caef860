"""How well a ranking agrees with known ratings: python -m tools.rank DIR --json | python -m tools.agreement RATINGS.csv

Prints Spearman's rank correlation of the scores with the ratings of the same files. The general model was trained on
rated photographs: its agreement with those is no measure of how good it is; docs/models has the held-out numbers.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("ratings", type=Path, help="CSV with a column `image` of file names and a column of ratings")
    parser.add_argument("--column", default="beauty_mean", help="the column of ratings (%(default)s)")
    options = parser.parse_args()
    try:
        with options.ratings.open(newline="", encoding="utf-8") as opened:
            ratings = {row["image"]: float(row[options.column]) for row in csv.DictReader(opened)}
        compared = pairs(json.load(sys.stdin), ratings)
        print(f"Spearman {spearman(compared):.3f} with {options.column}, {len(compared)} photos")
    except KeyError as error:
        print(f"{options.ratings} has no column {error}", file=sys.stderr)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
    else:
        return 0
    return 2


def pairs(ranked: Iterable[Mapping[str, Any]], ratings: Mapping[str, float]) -> list[tuple[float, float]]:
    """(score, rating) of each ranked file that has both; files are matched by name, whatever their folder."""
    scores = [(Path(row["file"]).name, row["score"]) for row in ranked]
    return [(score, ratings[name]) for name, score in scores if score is not None and name in ratings]


def spearman(compared: list[tuple[float, float]]) -> float:
    """-1 to 1. Raises ValueError for less than three photos, which say nothing."""
    from scipy.stats import spearmanr

    if len(compared) < 3:
        raise ValueError(f"Only {len(compared)} photos have both a score and a rating.")
    return float(spearmanr(*zip(*compared, strict=True)).statistic)


if __name__ == "__main__":
    sys.exit(main())
