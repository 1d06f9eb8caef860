"""A trained model: feature vectors in, scores out.

An artifact is a numpy archive of plain arrays, named `part.field`, whose SHA-256 is kept beside it. Nothing is
unpickled, and scoring needs numpy alone.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from chalicelib.features import schema
from chalicelib.scoring import catalog
from chalicelib.scoring.domain import Domain
from chalicelib.scoring.explain import Companion, Reason
from chalicelib.scoring.percentile import PercentileScale, percent
from chalicelib.scoring.regression import Compression, KernelMachine, Scalars

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
DECIMALS = 6  # of a value: a row shall score alike alone and among others, where sums run in another order


class ModelDamaged(Exception):
    """The artifact is not the one that was registered, or not one that this version can read."""


@dataclass(frozen=True)
class Score:
    """What a model says of one image.

    value: predicted label, in its own unit; images rank by it. score: percentile among predictions for the training
    images, 0-100. low, high: 80 % interval of the image's true percentile. spread: of the model, for `odds.beats`.
    domain: how like the training images this one is.
    """

    value: float
    score: float
    low: float
    high: float
    spread: float
    domain: Literal["in", "edge", "out"]
    reasons: list[Reason]


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

    def score(self, vectors: NDArray[Any]) -> list[Score]:
        """vectors: (n, d), see `features.schema.vector`. Raises ValueError for another d or numbers not finite."""
        import numpy as np

        rows = _checked(np.asarray(vectors, np.float64))
        scalars, components = self.scalars(rows), self.compression(rows)
        values = np.round(self.machine(components, scalars), DECIMALS)
        normal = self.percentiles.normal_scores(values)
        domains = self.domain(self.compression.places(rows), self.scalars.oddity(rows))
        reasons = self.companion.reasons(scalars)
        return [self._score(*each) for each in zip(values.tolist(), normal.tolist(), domains, reasons, strict=True)]

    def _score(self, value: float, normal: float, domain: Any, reasons: list[Reason]) -> Score:
        low, high = self.percentiles.interval(normal)
        return Score(value, round(percent(normal), 1), round(low, 1), round(high, 1), self.spread, domain, reasons)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything the model is, by the names in its artifact."""
        import numpy as np

        arrays = {
            f"{part}.{field.name}": np.asarray(getattr(getattr(self, part), field.name))
            for part, kind in PARTS.items()
            for field in fields(kind)
        }
        return arrays | {"spread": np.asarray(self.spread), "schema": np.asarray(schema.SCHEMA_VERSION)}

    def dump(self) -> bytes:
        """The artifact. The same model gives the same bytes."""
        import numpy as np

        out = io.BytesIO()
        np.savez_compressed(out, allow_pickle=False, **{name: _compact(each) for name, each in self.arrays().items()})
        return out.getvalue()


def _compact(array: NDArray[Any]) -> NDArray[Any]:
    """Single precision for what is large; the few numbers of the scales keep theirs."""
    import numpy as np

    return array.astype(np.float32) if array.dtype == np.float64 and array.size > 1000 else array


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
    parts: dict[str, Any] = {
        part: kind(**{field.name: wide[f"{part}.{field.name}"] for field in fields(kind)})
        for part, kind in PARTS.items()
    }
    return Model(**parts, spread=float(wide["spread"]))


@lru_cache(maxsize=8)
def load_model(model: str) -> Model:
    """A model that ships with the project. Raises KeyError for an unknown one, ModelDamaged for a damaged one."""
    entry = catalog.entries()[model]
    return load((catalog.folder() / f"{model}.npz").read_bytes(), entry["sha256"])


def general() -> Model:
    """General appeal, trained on openly rated photographs."""
    return load_model("general")
