import subprocess
import sys

import numpy as np
import pytest

from chalicelib.features import schema
from tools import document_features


@pytest.fixture
def properties():
    found = {
        name: {feature: float(position) for position, feature in enumerate(schema.names(name))}
        for name in schema.PROPERTIES
    }
    found["content"]["embedding"] = np.arange(schema.EMBEDDING_SIZE, dtype=np.float16)
    return found


def test_no_feature_is_declared_twice():
    declared = [(feature.property, feature.name) for feature in schema.FEATURES]
    assert len(set(declared)) == len(declared)


def test_every_feature_belongs_to_a_property_and_properties_stand_in_order():
    in_order = list(dict.fromkeys(feature.property for feature in schema.FEATURES))
    assert tuple(in_order) == schema.PROPERTIES


def test_every_source_is_the_source_of_something():
    assert {feature.source for feature in schema.FEATURES} == set(schema.SOURCES)


def test_the_schema_loads_nothing_heavy():
    code = "import chalicelib.features.schema, sys; print({'numpy', 'scipy', 'PIL'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.strip() == "set()"


def test_the_handcrafted_properties_have_98_floats():
    assert sum(len(schema.names(name)) for name in ("quality", "color", "composition")) == 98


@pytest.mark.parametrize("feature", schema.FEATURES, ids=lambda feature: f"{feature.property}.{feature.name}")
def test_every_feature_says_its_unit_range_source_and_meaning(feature):
    assert feature.low < feature.high
    assert feature.unit
    assert feature.source in schema.SOURCES
    assert feature.text.endswith(".")
    assert "|" not in feature.text


def test_an_unknown_property_has_no_names():
    assert schema.names("smell") == ()


def test_the_vector_is_all_floats_in_order_and_then_the_embedding(properties):
    vector = schema.vector(properties)
    scalars = [properties[feature.property][feature.name] for feature in schema.FEATURES]
    assert vector.dtype == np.float32
    np.testing.assert_array_equal(vector[: len(scalars)], np.float32(scalars))
    np.testing.assert_array_equal(vector[len(scalars) :], np.arange(schema.EMBEDDING_SIZE))


def test_the_order_of_the_mapping_does_not_matter(properties):
    reordered = {name: dict(reversed(floats.items())) for name, floats in reversed(properties.items())}
    np.testing.assert_array_equal(schema.vector(reordered), schema.vector(properties))


def test_a_missing_float_is_an_error(properties):
    del properties["color"]["colorfulness"]
    with pytest.raises(KeyError, match="colorfulness"):
        schema.vector(properties)


def test_an_embedding_of_another_length_is_an_error(properties):
    properties["content"]["embedding"] = [0.0] * 1279
    with pytest.raises(ValueError, match="1280"):
        schema.vector(properties)


def test_the_feature_document_is_current():
    assert document_features.PAGE.read_text(encoding="utf-8") == document_features.page(), (
        "run python -m tools.document_features"
    )
