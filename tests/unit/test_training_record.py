"""A training record survives its encoding, and nothing malformed becomes one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chalicelib.features import schema
from chalicelib.scoring.record import VECTOR_SIZE, TrainingRecord

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
records = st.builds(
    TrainingRecord,
    schema=st.just(schema.SCHEMA_VERSION),
    model=st.text(),
    image=st.text(),
    vector=arrays.arrays(np.float32, VECTOR_SIZE, elements=finite, fill=finite),
    label=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)


def valid(**changes: object) -> dict[str, object]:
    fields = {"schema": schema.SCHEMA_VERSION, "model": "general", "image": "i", "vector": np.zeros(VECTOR_SIZE)}
    return fields | {"label": 1.5} | changes


def broken(**changes: object) -> bytes:
    return json.dumps(json.loads(TrainingRecord(**valid()).encode()) | changes).encode()


@given(record=records)
def test_decoding_gives_back_what_was_encoded(record):
    again = TrainingRecord.decode(record.encode())
    assert (again.schema, again.model, again.image, again.label) == (
        record.schema,
        record.model,
        record.image,
        record.label,
    )
    np.testing.assert_array_equal(again.vector, record.vector)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", schema.SCHEMA_VERSION + 1),
        ("vector", np.zeros(VECTOR_SIZE - 1)),
        ("vector", np.full(VECTOR_SIZE, np.nan)),
        ("vector", np.full(VECTOR_SIZE, np.inf)),
        ("label", float("nan")),
    ],
)
def test_a_record_that_cannot_be_right_is_refused_by_the_name_of_its_field(field, value):
    with pytest.raises(ValueError, match=f"^{field}: "):
        TrainingRecord(**valid(**{field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", schema.SCHEMA_VERSION + 1),
        ("schema", "1"),
        ("vector", "not base64!"),
        ("vector", "é"),
        ("vector", "AAAA"),
        ("vector", None),
        ("label", "high"),
        ("image", 7),
        ("surprise", 1),
    ],
)
def test_bytes_that_no_record_encodes_to_are_refused_by_the_name_of_the_field(field, value):
    with pytest.raises(ValueError, match=field):
        TrainingRecord.decode(broken(**{field: value}))


@given(data=st.binary())
def test_arbitrary_bytes_are_refused(data):
    with pytest.raises(ValueError, match=r"^record: "):
        TrainingRecord.decode(data)


def test_a_checked_vector_cannot_be_changed():
    record = TrainingRecord(**valid())
    with pytest.raises(ValueError, match="read-only"):
        record.vector[0] = 1
