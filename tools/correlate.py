"""How well a ranking agrees with ratings: Spearman's rank correlation.

make rank PHOTOS=../shared/data/oasis/images ARGS=--json > ranking.json
.venv/bin/python -m tools.correlate ranking.json ../shared/data/oasis/ratings.csv
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path


def paired(ranking: list[dict[str, object]], ratings: dict[str, float]) -> list[tuple[float, float]]:
    """(score, rating) of every file that has both."""
    scores = {Path(str(entry["file"])).name: entry.get("score") for entry in ranking}
    return [
        (float(score), ratings[name])
        for name, score in scores.items()
        if isinstance(score, int | float) and name in ratings
    ]


def read_ratings(path: Path, column: str) -> dict[str, float]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["image"]: float(row[column]) for row in csv.DictReader(file)}


def main(arguments: list[str] | None = None) -> int:
    from scipy.stats import spearmanr

    parser = argparse.ArgumentParser(description="Spearman correlation of a ranking with ratings")
    parser.add_argument("ranking", type=argparse.FileType(), help="what `make rank ARGS=--json` printed; - for stdin")
    parser.add_argument("ratings", type=Path, help="a CSV file with the columns image and --column")
    parser.add_argument("--column", default="beauty_mean")
    options = parser.parse_args(arguments)
    pairs = paired(json.load(options.ranking), read_ratings(options.ratings, options.column))
    if len(pairs) < 3:
        print(f"Only {len(pairs)} ranked files have a rating; three are needed.", file=sys.stderr)
        return 2
    correlation = float(spearmanr(*zip(*pairs, strict=True)).statistic)
    print(json.dumps({"n": len(pairs), "spearman": round(correlation, 4)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
