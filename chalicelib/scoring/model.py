"""A trained model: feature vectors in, scores out.

An artifact is a numpy archive of plain arrays, named `part.field`, whose SHA-256 is kept beside it. Nothing is
unpickled, and scoring needs numpy alone.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from chalicelib.features import schema
from chalicelib.scoring import catalog
from chalicelib.scoring.domain import Domain, squared_distances
from chalicelib.scoring.explain import Companion, Reason
from chalicelib.scoring.percentile import PercentileScale, percent
from chalicelib.scoring.regression import Compression, KernelMachine, Scalars
from chalicelib.scoring.similar import Posts, Similar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARTS = {
    "scalars": Scalars,
    "compression": Compression,
    "machine": KernelMachine,
    "percentiles": PercentileScale,
    "domain": Domain,
    "companion": Companion,
}
EXACT = ("machine.weights", "machine.widths")  # large weights that cancel leave no digit to spare
DECIMALS = 6  # of a value: a row shall score alike alone and among others, where sums run in another order


class ModelDamaged(Exception):
    """The artifact is not the one that was registered, or not one that this version can read."""


@dataclass(frozen=True)
class Score:
    """What a model says of one image.

    value: predicted label, in its own unit; images rank by it. score: percentile among predictions for the training
    images, 0-100. low, high: 80 % interval of the image's true percentile. spread: of the model, for `odds.beats`.
    domain: how like the training images this one is. similar: the customer's own posts that look most like it; none of
    a model that ships.
    """

    value: float
    score: float
    low: float
    high: float
    spread: float
    domain: Literal["in", "edge", "out"]
    reasons: list[Reason]
    similar: list[Similar] = field(default_factory=list)


@dataclass(frozen=True)
class Model:
    """A regression with everything needed to say how far to trust it."""

    scalars: Scalars
    compression: Compression
    machine: KernelMachine
    percentiles: PercentileScale
    domain: Domain
    companion: Companion
    spread: float
    posts: Posts | None = None

    def score(self, vectors: NDArray[Any], values: NDArray[Any] | None = None) -> list[Score]:
        """vectors: (n, d), see `features.schema.vector`. values: (n,) predicted where the machine runs elsewhere.

        Raises ValueError for another d, another number of values, or numbers not finite.
        """
        import numpy as np

        rows = _checked(np.asarray(vectors, np.float64))
        scalars, components = self.scalars(rows), self.compression(rows)
        predicted = self.machine(components, scalars) if values is None else _checked_values(values, len(rows))
        rounded = np.round(predicted, DECIMALS)
        squares = squared_distances(self.compression.places(rows), self.domain.places)
        columns = (
            rounded.tolist(),
            self.percentiles.normal_scores(rounded).tolist(),
            self.domain.verdicts(squares, self.scalars.oddity(rows)),
            self.companion.reasons(scalars),
            self.posts.nearest(squares) if self.posts else [[] for _ in rows],
        )
        return [self._score(*each) for each in zip(*columns, strict=True)]

    def _score(self, value: float, normal: float, domain: Any, reasons: list[Reason], similar: list[Similar]) -> Score:
        low, high = self.percentiles.interval(normal)
        percentiles = round(percent(normal), 1), round(low, 1), round(high, 1)
        return Score(value, *percentiles, self.spread, domain, reasons, similar)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything the model is, by the names in its artifact. What a model does not have is not there."""
        import numpy as np

        arrays = {
            f"{part}.{each.name}": np.asarray(getattr(getattr(self, part), each.name))
            for part, kind in (PARTS | ({"posts": Posts} if self.posts else {})).items()
            for each in fields(kind)
            if getattr(getattr(self, part), each.name) is not None
        }
        return arrays | {"spread": np.asarray(self.spread), "schema": np.asarray(schema.SCHEMA_VERSION)}

    def dump(self) -> bytes:
        """The artifact. The same model gives the same bytes."""
        import numpy as np

        out = io.BytesIO()
        arrays = {name: each if name in EXACT else _compact(each) for name, each in self.arrays().items()}
        np.savez_compressed(out, allow_pickle=False, **arrays)
        return out.getvalue()


def _compact(array: NDArray[Any]) -> NDArray[Any]:
    """Single precision for what is large; the few numbers of the scales keep theirs."""
    import numpy as np

    return array.astype(np.float32) if array.dtype == np.float64 and array.size > 1000 else array


def _checked_values(values: NDArray[Any], count: int) -> NDArray[np.float64]:
    import numpy as np

    checked = np.asarray(values, np.float64)
    if checked.shape != (count,):
        raise ValueError(f"expected ({count},) values, not {checked.shape}")
    if not np.isfinite(checked).all():
        raise ValueError("values must be finite")
    return checked


def _checked(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    width = len(schema.FEATURES) + schema.EMBEDDING_SIZE
    if rows.ndim != 2 or rows.shape[1] != width:
        raise ValueError(f"expected (n, {width}) features, not {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError("features must be finite")
    return rows


def load(data: bytes, sha256: str) -> Model:
    """Read an artifact. Raises ModelDamaged when it is another than `sha256` tells or cannot be read."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelDamaged("the artifact's SHA-256 is not the registered one")
    try:
        return _model(_unpacked(data))
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ModelDamaged(f"the artifact cannot be read: {error}") from error


def _unpacked(data: bytes) -> dict[str, NDArray[Any]]:
    import numpy as np

    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _model(arrays: Mapping[str, NDArray[Any]]) -> Model:
    import numpy as np

    if int(arrays["schema"]) != schema.SCHEMA_VERSION:
        raise ValueError(f"schema version {arrays['schema']} is not {schema.SCHEMA_VERSION}")
    wide = {name: each.astype(np.float64) if each.dtype.kind == "f" else each for name, each in arrays.items()}
    kinds = PARTS | ({"posts": Posts} if "posts.images" in wide else {})
    parts = {part: kind(**_fields(part, kind, wide)) for part, kind in kinds.items()}
    return Model(**parts, spread=float(wide["spread"]))


def _fields(part: str, kind: Any, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The part's arrays; a field that has a default may be missing."""
    names = {each.name: f"{part}.{each.name}" for each in fields(kind)}
    optional = {each.name for each in fields(kind) if each.default is None}
    return {name: arrays[key] for name, key in names.items() if key in arrays or name not in optional}


@lru_cache(maxsize=8)
def load_model(model: str) -> Model:
    """A model that ships with the project. Raises KeyError for an unknown one, ModelDamaged for a damaged one."""
    entry = catalog.entries()[model]
    return load((catalog.folder() / f"{model}.npz").read_bytes(), entry["sha256"])


def general() -> Model:
    """General appeal, trained on openly rated photographs."""
    return load_model("general")
