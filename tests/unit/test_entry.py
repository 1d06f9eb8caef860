"""The entry script: what it may import, that it reads what is written for it, and that it says what its arrays say."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import chalicelib
from chalicelib.features import schema
from chalicelib.scoring.model import general
from chalicelib.scoring.record import VECTOR_SIZE, TrainingRecord
from chalicelib.training import entry, sagemaker
from chalicelib.training.pipeline import Recipe, Space, machine, pipeline

PACKAGE = Path(chalicelib.__file__).parent
OTHERS = {"numpy", "sklearn", "joblib"}
SHIPPED = {f"chalicelib.{path.removesuffix('.py').replace('/', '.')}" for path in sagemaker.SOURCES.values()}


def tree(path: str) -> ast.Module:
    # As the oldest container that may get it would read it.
    return ast.parse((PACKAGE / path).read_text(), feature_version=(3, 8))


def imported(nodes: list[ast.stmt]) -> set[str]:
    """Modules that these statements and those within them import, but for what only a type checker reads."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
        found |= imported([each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt)])
    return found


@pytest.mark.parametrize("path", sagemaker.SOURCES.values())
def test_what_goes_into_the_archive_imports_only_what_the_container_has(path):
    for module in imported(tree(path).body):
        root = module.split(".")[0]
        assert module in SHIPPED or root in OTHERS or root in sys.stdlib_module_names, module


def test_the_container_can_import_the_script_before_the_modules_beside_it():
    loaded = imported([node for node in tree("training/entry.py").body if not isinstance(node, ast.FunctionDef)])
    assert {module for module in loaded if module.split(".")[0] not in sys.stdlib_module_names} == set()


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(1).gamma(0.5, size=(40, VECTOR_SIZE)).astype(np.float32)


@pytest.fixture
def trained(tmp_path, monkeypatch, vectors):
    """trained(recipe, prior): what model_fn gives after main has run, and the same function in plain arrays."""
    channel, model = tmp_path / "training", tmp_path / "model"
    channel.mkdir()
    model.mkdir()
    monkeypatch.setenv("SM_CHANNEL_TRAINING", str(channel))
    monkeypatch.setenv("SM_MODEL_DIR", str(model))

    def train(recipe, prior):
        space, targets, weights = Space.of(general()), np.linspace(-2, 2, 40), np.linspace(0.5, 1, 40)
        arrays = entry.packed(space, prior)
        np.savez(channel / entry.ARRAYS, vectors=vectors, targets=targets, weights=weights, **arrays)
        order = {"name": "m-1", "schema": schema.SCHEMA_VERSION, "recipe": recipe.to_dict()}
        (channel / entry.ORDER).write_text(json.dumps(order))
        entry.main()
        fitted = pipeline(space, recipe, prior).fit(vectors, targets, model__sample_weight=weights)
        return entry.model_fn(str(model)), machine(fitted)

    return train


def ask(model, vectors, kind="application/jsonlines"):
    records = [TrainingRecord(schema.SCHEMA_VERSION, "m-1", "", row).encode() for row in vectors]
    answer, accept = entry.output_fn(entry.predict_fn(entry.input_fn(b"\n".join(records), kind), model), kind)
    assert accept == "application/json"
    return json.loads(answer)


@pytest.mark.parametrize("recipe", [Recipe(width=0.01), Recipe("nystroem", width=0.01, points=20, prior_weight=0.5)])
@pytest.mark.parametrize("prior", [None, general().machine], ids=["alone", "with a prior"])
def test_it_answers_with_the_values_of_the_arrays(trained, vectors, recipe, prior):
    model, arrays = trained(recipe, prior)
    answer, core = ask(model, vectors), general()
    rows = vectors.astype(np.float64)
    assert answer["model"] == "m-1"
    assert np.abs(answer["values"] - arrays(core.compression(rows), core.scalars(rows))).max() < 1e-9


def test_it_answers_nothing_to_nothing(trained):
    model, _ = trained(Recipe(), None)
    assert ask(model, []) == {"model": "m-1", "values": []}


def test_records_of_another_schema_or_another_type_are_refused(trained, vectors):
    model, _ = trained(Recipe(), None)
    with pytest.raises(ValueError, match="for a model of schema 0"):
        ask(model | {"schema": 0}, vectors[:1])
    with pytest.raises(ValueError, match="not as text/csv"):
        ask(model, vectors[:1], "text/csv")


def test_the_text_of_records_reads_like_their_bytes():
    line = TrainingRecord(schema.SCHEMA_VERSION, "m-1", "", np.zeros(VECTOR_SIZE)).encode()
    kind = "application/jsonlines"
    assert entry.input_fn(line.decode() + "\n", kind) == entry.input_fn(line, kind)
