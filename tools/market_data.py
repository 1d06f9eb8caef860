"""The markets of `tools/markets.json`, and their photos as feature vectors with labels.

A data set is a folder below PROOFSHEET_DATA with a CSV file and `images/`. Rated: a row is a photo with its label.
Engagement: a row is a post (image, engagement, impressions, posted_at), read as the service reads a customer's file;
every further column is metadata, whose share in the engagement is taken out.
"""

from __future__ import annotations

import csv
import io
import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from PIL import Image

from chalicelib.images import working_copy
from chalicelib.images.fingerprint import fingerprint
from chalicelib.scoring import model
from chalicelib.training import dataset, fit, post, rated, resemblance
from chalicelib.training.fit import Core, RatedSet
from chalicelib.training.markets import Market

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = dict[str, str]

ABSENT = """\
There is no {file}. The data set of the market {id!r} is a folder with a CSV file and images/, below the folder that
PROOFSHEET_DATA names."""


class NoData(Exception):
    """The market's data set is not there or cannot be read; the message says what is wrong."""


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A market of the catalog file.

    labels: "rated" by people who were asked, or "engagement" of posts; a prior of customers' models must be the
    former. folder, file: below PROOFSHEET_DATA. label: the column to learn. theme: the column whose equals are near
    duplicates; without one, near duplicates are found by their looks. account: the column of whose post it is, without
    one all are one account's. where: columns and the values that a row of this market has. shared_with_general: the
    general model learned from the same file and label. predicts, trained_on, licence: for the card; trained_on may
    say {n}.
    """

    id: str
    name: str
    labels: Literal["rated", "engagement"]
    folder: str
    label: str
    predicts: str
    trained_on: str
    licence: str
    file: str = "ratings.csv"
    theme: str | None = None
    account: str | None = None
    where: dict[str, list[str]] = {}
    shared_with_general: bool = False

    @property
    def columns(self) -> set[str]:
        """What the file must have."""
        optional = [column for column in (self.theme, self.account) if column]
        return {"image", self.label, *self.where, *optional}

    def has(self, row: Row) -> bool:
        return all(row[column] in values for column, values in self.where.items())


def listed(path: Path) -> dict[str, Listed]:
    return {each.id: each for each in msgspec.json.decode(path.read_bytes(), type=list[Listed])}


def load(market: Listed) -> Market:
    """Raises NoData."""
    import numpy as np

    folder = Path(os.environ.get("PROOFSHEET_DATA", "../shared/data")) / market.folder
    rows = _rows(market, folder / market.file)
    if market.shared_with_general:
        return Market(_rated(market, folder, rows), np.array([market.has(row) for row in rows]), fit.fit_core)
    rows = [row for row in rows if market.has(row)]
    if not rows:
        raise NoData(f"no row of {folder / market.file} is of this market")
    photos = (_rated if market.labels == "rated" else _engagement)(market, folder, rows)
    return Market(photos, np.ones(len(photos.labels), bool), lambda _: shipped_general())


def shipped_general() -> Core:
    general = model.general()
    return Core(general.scalars, general.compression, general.machine)


def _rows(market: Listed, file: Path) -> list[Row]:
    if not file.is_file():
        raise NoData(ABSENT.format(file=file, id=market.id))
    with file.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        missing = market.columns - set(reader.fieldnames or ())
        if missing:
            raise NoData(f"{file} has no column {', '.join(sorted(missing))}")
        return list(reader)


def _rated(market: Listed, folder: Path, rows: list[Row]) -> RatedSet:
    import numpy as np

    photos = [folder / "images" / row["image"] for row in rows]
    vectors = _described(photos)
    themes = [row[market.theme] for row in rows] if market.theme else _resembling(photos, _hashes(photos))
    return RatedSet(vectors[:, 0], vectors[:, 1], np.array([_number(market, row) for row in rows]), np.array(themes))


def _number(market: Listed, row: Row) -> float:
    try:
        number = float(row[market.label])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise NoData(f"{market.label} of {row['image']} is not a number: {row[market.label]!r}")
    return number


def _described(photos: list[Path]) -> NDArray[np.float64]:
    absent = [photo for photo in photos if not photo.is_file()]
    if absent:
        raise NoData(f"{len(absent)} of {len(photos)} photos are not there; the first is {absent[0]}")
    try:
        return rated.described(photos)
    except rated.PhotoUnusable as error:
        raise NoData(str(error)) from error


def _hashes(photos: Iterable[Path]) -> dict[Path, int]:
    return {photo: _hash(photo) for photo in sorted(set(photos))}


def _hash(photo: Path) -> int:
    with Image.open(io.BytesIO(working_copy.prepare(photo.read_bytes()).jpeg)) as image:
        return int.from_bytes(fingerprint(image))


def _resembling(photos: list[Path], hashes: dict[Path, int]) -> list[str]:
    """A name for each photo; near duplicates share one."""
    groups = resemblance.groups([photo.name for photo in photos], [hashes[photo] for photo in photos])
    return [str(group) for group in groups.tolist()]


def _engagement(market: Listed, folder: Path, rows: list[Row]) -> RatedSet:
    """Targets are within an account, as a customer's own are."""
    import numpy as np

    photos = {row["image"]: folder / "images" / row["image"] for row in rows}
    vectors = dict(zip(photos, _described(list(photos.values())), strict=True))
    hashes = _hashes(photos.values())
    known = {
        image: dataset.Known(vectors[image][0].astype(np.float32), hashes[photo], 0.0)
        for image, photo in photos.items()
    }
    prepared = [_prepared(market, rows, known) for rows in _accounts(market, rows)]
    images = [image for each in prepared for image in each.images]
    given = {row["image"]: row[market.theme] for row in rows} if market.theme else {}
    themes = [given[image] for image in images] if given else _resembling([photos[image] for image in images], hashes)
    both = np.stack([vectors[image] for image in images])
    return RatedSet(both[:, 0], both[:, 1], np.concatenate([each.targets for each in prepared]), np.array(themes))


def _accounts(market: Listed, rows: list[Row]) -> Iterator[list[Row]]:
    accounts = defaultdict(list)
    for row in rows:
        accounts[row[market.account] if market.account else ""].append(row)
    yield from accounts.values()


def _prepared(market: Listed, rows: list[Row], known: Mapping[str, dataset.Known]) -> dataset.DataSet:
    """One account's posts. What cannot be used is told."""
    posts, unread = post.from_csv(_as_posts(market, rows), time.time())
    prepared, unusable = dataset.prepare(posts, known)
    for problem in (*unread, *unusable):
        print(f"not used: {problem.image}: {problem.reason}", file=sys.stderr)
    return prepared


def _as_posts(market: Listed, rows: list[Row]) -> bytes:
    """The rows as a customer's file has them, without the columns that are no metadata."""
    others = {market.theme, market.account, *market.where}
    names = {column: "engagement" if column == market.label else column for column in rows[0] if column not in others}
    out = io.StringIO()
    lines = csv.writer(out)
    lines.writerow(names.values())
    lines.writerows([row[column] for column in names] for row in rows)
    return out.getvalue().encode()
