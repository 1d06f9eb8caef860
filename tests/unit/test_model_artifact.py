"""A model's artifact: the same bytes for the same model, and nothing else is loaded."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest

from chalicelib.features import schema
from chalicelib.scoring import catalog
from chalicelib.scoring.model import ModelDamaged, general, load


def packed(arrays) -> tuple[bytes, str]:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue(), hashlib.sha256(out.getvalue()).hexdigest()


def test_the_shipped_artifact_is_the_one_that_the_catalog_names():
    data = (catalog.folder() / "general.npz").read_bytes()
    assert hashlib.sha256(data).hexdigest() == catalog.entries()["general"]["sha256"]
    assert catalog.entries()["general"]["schema"] == schema.SCHEMA_VERSION


def test_a_model_that_is_read_and_written_has_the_same_bytes():
    data = (catalog.folder() / "general.npz").read_bytes()
    assert general().dump() == data


@pytest.mark.parametrize("position", [0, 1000, -1])
def test_a_single_changed_byte_is_refused(position):
    data = bytearray((catalog.folder() / "general.npz").read_bytes())
    data[position] ^= 1
    with pytest.raises(ModelDamaged, match="SHA-256"):
        load(bytes(data), catalog.entries()["general"]["sha256"])


@pytest.mark.parametrize("data", [b"", b"not an archive", b"PK\x03\x04 cut off"])
def test_what_is_no_archive_is_refused_even_under_its_own_digest(data):
    with pytest.raises(ModelDamaged, match="cannot be read"):
        load(data, hashlib.sha256(data).hexdigest())


def test_a_pickled_object_is_never_opened():
    class Explosive:
        def __reduce__(self):
            return pytest.fail, ("the artifact was unpickled",)

    explosive = np.empty(1, object)
    explosive[0] = Explosive()
    with pytest.raises(ModelDamaged, match="cannot be read"):
        load(*packed(general().arrays() | {"machine.support": explosive}))


def test_a_missing_array_is_refused():
    arrays = general().arrays()
    del arrays["machine.weights"]
    with pytest.raises(ModelDamaged, match=r"machine\.weights"):
        load(*packed(arrays))


def test_a_model_of_another_schema_is_refused():
    with pytest.raises(ModelDamaged, match="schema"):
        load(*packed(general().arrays() | {"schema": np.asarray(schema.SCHEMA_VERSION + 1)}))
