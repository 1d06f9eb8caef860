"""What an endpoint receives and the archive keeps: one image as a model sees it, and its label when that is known."""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.features import schema

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VECTOR_SIZE = len(schema.FEATURES) + schema.EMBEDDING_SIZE


class Wire(msgspec.Struct, forbid_unknown_fields=True):
    """A record in JSON: `vector` is base64 of little-endian float32."""

    schema: int
    model: str
    image: str
    vector: str
    label: float | None


@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """One image for one model, in the columns of `features.schema`.

    vector: (VECTOR_SIZE,), kept as read-only float32. label: the engagement or rating, None when unknown.
    Raises ValueError, which begins with the field's name, for another schema version, another length and for numbers
    that are not finite.
    """

    schema: int
    model: str
    image: str
    vector: NDArray[np.float32]
    label: float | None = None

    def __post_init__(self) -> None:
        if self.schema != schema.SCHEMA_VERSION:
            raise ValueError(f"schema: version {self.schema} is not {schema.SCHEMA_VERSION}")
        object.__setattr__(self, "vector", _vector(self.vector))
        if self.label is not None and not math.isfinite(self.label):
            raise ValueError("label: not a finite number")

    def encode(self) -> bytes:
        vector = base64.b64encode(self.vector.astype("<f4").tobytes()).decode()
        return msgspec.json.encode(Wire(self.schema, self.model, self.image, vector, self.label))

    @classmethod
    def decode(cls, data: bytes) -> TrainingRecord:
        """Raises ValueError, naming the field, for anything that `encode` does not write."""
        try:
            wire = msgspec.json.decode(data, type=Wire)
        except msgspec.MsgspecError as error:
            raise ValueError(f"record: {error}") from None
        return cls(wire.schema, wire.model, wire.image, _floats(wire.vector), wire.label)


def _floats(encoded: str) -> NDArray[np.float32]:
    import numpy as np

    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("vector: not base64") from None
    if len(data) != 4 * VECTOR_SIZE:
        raise ValueError(f"vector: {len(data)} bytes, not {4 * VECTOR_SIZE}")
    return np.frombuffer(data, "<f4")


def _vector(values: Any) -> NDArray[np.float32]:
    """A read-only copy, so that nobody can change a record after it was checked."""
    import numpy as np

    vector = np.array(values, np.float32)
    if vector.shape != (VECTOR_SIZE,):
        raise ValueError(f"vector: shape {vector.shape}, not ({VECTOR_SIZE},)")
    if not np.isfinite(vector).all():
        raise ValueError("vector: not all numbers are finite")
    vector.setflags(write=False)
    return vector
