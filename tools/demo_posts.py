"""Made-up posts to try a model with: python -m tools.demo_posts FOLDER [--url URL --key KEY]

The pictures are real: quarters of the photographs that come with scikit-image and scikit-learn. Their engagement is
made up here and says nothing of anybody's taste: these followers like quiet color, as most people do not, the spring
campaign reaches warmer ones, and chance does the rest. Uploads the pictures, waits until they are described, and writes

    posts.csv    the first 45 posts, and two rows that cannot be used
    newer.json   15 newer ones, as the body of POST /models/{id}/train
    noise.csv    the pictures of posts.csv with engagement by chance alone
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from chalicelib.features.color import colorfulness
from tools import demo
from tools.client import Client
from tools.connection import connect
from tools.progress import progress
from tools.send_posts import address
from tools.transport import ApiError

COLLECTION = "demo-posts"
ALSO = ("china.jpg", "flower.jpg")  # of scikit-learn
NEWER = 15
# Long past: models are told the hour and the weekday, so a run today must be the same as one tomorrow.
FIRST = datetime(2025, 3, 1, 9, tzinfo=UTC)
# Strong enough, and of some seeds the one, that 45 posts pass the gate and 15 newer ones do not speak against them.
RATE, TASTE, CAMPAIGN, CHANCE = 0.03, 0.8, 0.4, 0.3  # clicks of a view; the others in logs
SEED = 1
Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Upload the pictures and write the files. The exit code."""
    options = parse(arguments)
    try:
        with connect(options.url, options.key, keep=True) as connection, tempfile.TemporaryDirectory() as folder:
            pictures = cut(Path(folder))
            posts = made_up(upload(connection.client, pictures), [colors(picture) for picture in pictures])
        options.folder.mkdir(parents=True, exist_ok=True)
        write(options.folder, posts)
    except (ApiError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(posts)} posts with made-up engagement: {options.folder}/posts.csv, newer.json and noise.csv")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.demo_posts", description="Made-up posts to try a model with."
    )
    parser.add_argument("folder", type=Path, help="where the files are written")
    address(parser)
    return parser.parse_args(arguments)


# Pictures


def cut(folder: Path) -> list[Path]:
    """The four quarters of each photograph, as PNG files, shuffled."""
    pieces = [
        save(piece, folder / f"{path.stem}-{number}.png")
        for path in photographs()
        for number, piece in enumerate(quarters(path))
    ]
    return [pieces[place] for place in np.random.default_rng(SEED).permutation(len(pieces))]


def photographs() -> list[Path]:
    import sklearn

    folder = Path(sklearn.__file__).parent / "datasets" / "images"
    return [*(photo.path for photo in demo.samples()), *(folder / name for name in ALSO)]


def quarters(path: Path) -> Iterator[Image.Image]:
    with Image.open(path) as opened:
        whole = opened.convert("RGB")
    width, height = whole.width // 2, whole.height // 2
    for left in (0, width):
        for top in (0, height):
            yield whole.crop((left, top, left + width, top + height))


def save(piece: Image.Image, path: Path) -> Path:
    piece.save(path)
    return path


def colors(path: Path) -> float:
    """How strong and varied the colors of a picture are: what these followers do not care for."""
    with Image.open(path) as picture:
        return colorfulness(np.asarray(picture))


def upload(client: Client, pictures: Sequence[Path]) -> list[str]:
    """Ids of the pictures once all are described. Raises ApiError."""
    with progress("Uploading") as watch:
        sent = client.upload(pictures, COLLECTION, watch)
    images = [each.image for each in sent if each.image]
    if len(images) < len(pictures):
        raise ApiError(next(str(each.reason) for each in sent if not each.image))
    with progress("Describing") as watch:
        client.wait(images, watch=watch)
    return images


# Posts


def made_up(images: Sequence[str], vivid: Sequence[float]) -> list[Row]:
    """One post a day of each image, oldest first."""
    chance, count = np.random.default_rng(SEED), len(images)
    views = chance.integers(1000, 5000, count)
    spring = chance.random(count) < 0.5
    liked = (np.mean(vivid) - np.array(vivid)) / np.std(vivid)
    rates = RATE * np.exp(TASTE * liked + CAMPAIGN * spring + CHANCE * chance.normal(size=count))
    clicks = chance.binomial(views, np.minimum(rates, 1))
    moments = [(FIRST + timedelta(days=day, hours=int(chance.integers(10)))).isoformat() for day in range(count)]
    return [
        {"image": image, "engagement": int(click), "impressions": int(view), "posted_at": moment, "campaign": campaign}
        for image, click, view, moment, campaign in zip(
            images, clicks, views, moments, np.where(spring, "spring", "none").tolist(), strict=True
        )
    ]


def write(folder: Path, posts: Sequence[Row]) -> None:
    older, newer = posts[:-NEWER], posts[-NEWER:]
    write_csv(folder / "posts.csv", [*older, *unusable(older[0])])
    write_csv(folder / "noise.csv", noise(older))
    items = [{"metadata": {"campaign": post["campaign"]}, **_without_campaign(post)} for post in newer]
    (folder / "newer.json").write_text(json.dumps({"source": {"type": "posts", "items": items}}))


def unusable(post: Row) -> list[Row]:
    return [{**post, "image": "somebody-elses"}, {**post, "impressions": 0}]


def noise(posts: Sequence[Row]) -> list[Row]:
    """The same pictures, each with what another one earned."""
    order = np.random.default_rng(SEED).permutation(len(posts))
    return [{**posts[other], "image": post["image"]} for post, other in zip(posts, order, strict=True)]


def _without_campaign(post: Row) -> Row:
    return {name: value for name, value in post.items() if name != "campaign"}


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
