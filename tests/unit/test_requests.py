"""Reading requests: whatever is sent becomes a checked struct or one of our errors that names the field."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import app
from chalicelib import contract, http
from chalicelib.errors import BadRequest, ProofsheetError
from chalicelib.features import schema
from chalicelib.images import record

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["files", "name", "images", "model", "collection", "limit", "cursor", "state", "properties"])
BODIES = [endpoint.body for endpoint in app.api.endpoints if endpoint.body]
QUERIES = [endpoint.query for endpoint in app.api.endpoints if endpoint.query]


def body_of(kind, raw):
    endpoint = http.Endpoint("POST", "/x", lambda call: None, body=kind)
    request = SimpleNamespace(raw_body=raw, headers={"content-type": "application/json"})
    return http.read_body(endpoint, request)


def outcome(read, *arguments):
    """What is read, or our refusal; anything else that is raised is a bug."""
    try:
        return read(*arguments)
    except ProofsheetError as refusal:
        return refusal


def is_refused(found):
    return isinstance(found, ProofsheetError) and found.STATUS_CODE in (400, 422) and bool(found.message)


@given(st.sampled_from(BODIES), JSON | st.dictionaries(FIELDS, JSON, max_size=4))
def test_any_json_is_a_valid_body_or_refused(kind, value):
    found = outcome(body_of, kind, msgspec.json.encode(value))
    assert isinstance(found, kind) or is_refused(found)


@given(st.sampled_from(BODIES), st.binary(max_size=60))
def test_any_bytes_are_a_valid_body_or_refused(kind, raw):
    found = outcome(body_of, kind, raw)
    assert isinstance(found, kind) or is_refused(found)


@given(st.sampled_from(QUERIES), st.dictionaries(FIELDS, st.text(max_size=30), max_size=4))
def test_any_query_is_valid_or_refused(kind, values):
    found = outcome(http.read_query, http.Endpoint("GET", "/x", lambda call: None, query=kind), values)
    assert isinstance(found, kind) or is_refused(found)


@given(JSON)
def test_whole_numbers_keep_their_value_and_nothing_else_changes(value):
    assert http.whole(value) == value
    assert not isinstance(http.whole(5.0), float)


@given(st.text(max_size=300))
def test_an_idempotency_key_is_printable_and_of_bounded_length(key):
    found = outcome(http.idempotency_key, key)
    assert (found == key) == (key.isprintable() and 1 <= len(key) <= 200)


def test_the_field_of_a_refusal_is_the_path_in_the_body():
    with pytest.raises(BadRequest) as refusal:
        body_of(contract.NewImages, b'{"files": [{"name": "a", "content_type": "image/png", "size": "x"}]}')
    assert refusal.value.field == "files[0].size"


@given(st.sampled_from(schema.PROPERTIES), st.data())
def test_packed_floats_come_back_to_six_digits(prop, data):
    floats = {name: data.draw(st.floats(-1e6, 1e6, width=32)) for name in schema.names(prop)}
    unpacked = record.unpack(prop, record.pack(prop, floats))
    assert unpacked == pytest.approx(floats, rel=1e-5, abs=1e-30)


@given(st.sampled_from(schema.PROPERTIES), st.binary(min_size=1, max_size=300))
def test_floats_of_another_version_or_length_are_no_floats(prop, packed):
    right = 1 + struct.calcsize(f"<{len(schema.names(prop))}f")
    found = record.unpack(prop, packed)
    assert (found is not None) == (packed[0] == schema.SCHEMA_VERSION and len(packed) == right)
