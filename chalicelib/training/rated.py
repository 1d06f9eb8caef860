"""Rated photographs as feature vectors, by the very path that an uploaded photo takes.

The features of a photo and of its mirror image take about 0.4 s, so they are kept in a file that is named after
everything they depend on: the photos, the feature code and the network's weights.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from chalicelib import features, pixels
from chalicelib.features import schema
from chalicelib.images import working_copy
from chalicelib.training.fit import RatedSet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.features.photo import Photo

PROCESSES = 2
CACHE = Path("build")
ABSENT = """\
There are no rated photographs in {folder}. They are OASIS (Kurdi, Lozano and Banaji 2017; beauty: Brielmann and Pelli
2019): ratings.csv and images/ in the folder oasis/ of the one that PROOFSHEET_DATA names. They come with the papers
and with the public repository ColinConwell/AffectExMachina."""


class NoRatedPhotos(Exception):
    """The rated photographs are not where they should be; the message says how to get them."""


class PhotoUnusable(Exception):
    """A file is not an image within the limits; the message names it."""


@dataclass(frozen=True)
class Rating:
    photo: Path
    theme: str
    beauty: float


def oasis_folder() -> Path:
    """Raises NoRatedPhotos."""
    folder = Path(os.environ.get("PROOFSHEET_DATA", "../shared/data")) / "oasis"
    if not (folder / "ratings.csv").is_file():
        raise NoRatedPhotos(ABSENT.format(folder=folder))
    return folder


def ratings(folder: Path) -> list[Rating]:
    """The rows of ratings.csv: image, theme, beauty_mean (1-7)."""
    with (folder / "ratings.csv").open(newline="", encoding="utf-8") as file:
        return [
            Rating(folder / "images" / row["image"], row["theme"], float(row["beauty_mean"]))
            for row in csv.DictReader(file)
        ]


def load(folder: Path) -> RatedSet:
    """All rated photos of the folder, with the features of each and of its mirror image."""
    import numpy as np

    rows = ratings(folder)
    vectors = described([row.photo for row in rows])
    labels = np.array([row.beauty for row in rows])
    return RatedSet(vectors[:, 0], vectors[:, 1], labels, np.array([row.theme for row in rows]))


def described(photos: list[Path]) -> NDArray[np.float64]:
    """The feature vectors of each photo and of its mirror image, (n, 2, d); from the cache, where it has them.

    Raises PhotoUnusable.
    """
    import numpy as np

    kept = CACHE / f"rated-{_fingerprint(photos)}.npy"
    if not kept.is_file():
        CACHE.mkdir(exist_ok=True)
        unfinished = kept.with_suffix(f".{os.getpid()}.npy")
        np.save(unfinished, _extracted(photos))
        unfinished.replace(kept)
    return np.asarray(np.load(kept, allow_pickle=False), np.float64)


def _extracted(photos: list[Path]) -> NDArray[np.float32]:
    import numpy as np

    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        return np.stack(list(pool.map(describe, photos, chunksize=8)))


def describe(path: Path) -> NDArray[np.float32]:
    """The feature vectors of a photo and of its mirror image, (2, d). Raises PhotoUnusable."""
    import numpy as np

    from chalicelib.features.photo import Photo

    try:
        prepared = working_copy.prepare(path.read_bytes())
    except working_copy.Unusable as error:
        raise PhotoUnusable(f"{path} cannot be used: {error}") from error
    photo = Photo.open(prepared.jpeg, prepared.width, prepared.height)
    mirrored = Photo(np.ascontiguousarray(photo.rgb[:, ::-1]), photo.width, photo.height)
    return np.stack([vector(photo), vector(mirrored)])


def vector(photo: Photo) -> NDArray[np.float32]:
    """All features of a photo in the order of the schema."""
    return schema.vector({name: features.extract(name, photo) for name in schema.PROPERTIES})


def _fingerprint(photos: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in (*_code(), *photos):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _code() -> Iterator[Path]:
    """Every file that a feature's value depends on."""
    for package in (features.__file__, pixels.__file__):
        files = sorted(Path(package).parent.rglob("*"))
        yield from (path for path in files if path.suffix in (".py", ".npz"))
    yield Path(working_copy.__file__)
