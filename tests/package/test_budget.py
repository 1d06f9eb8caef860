"""What the bundle may weigh, and who is named when it weighs more."""

from __future__ import annotations

import pytest

from tools import archive, budget


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("app.py", "proofsheet"),
        ("__pycache__/app.cpython-312.pyc", "proofsheet"),
        ("chalicelib/features/weights/effnet_lite0.npz", "proofsheet"),
        ("numpy.libs/libopenblas.so", "numpy"),
        ("numpy-2.5.5.dist-info/METADATA", "numpy"),
        ("pillow.libs/libavif.so.16", "PIL"),
        ("scikit_learn-1.9.1.dist-info/METADATA", "sklearn"),
        ("six.pyc", "six"),
        ("_cffi_backend.cpython-312-x86_64-linux-gnu.so", "cffi"),
    ],
)
def test_every_file_belongs_to_a_library(path, name):
    assert budget.library(path) == name


def test_sizes_are_summed_by_library(tmp_path):
    for path in ("numpy/a.so", "numpy.libs/b.so", "app.py"):
        (tmp_path / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / path).write_bytes(bytes(2**19))
    archive.pack(tmp_path / "tree", tmp_path / "bundle.zip")
    assert budget.sizes(tmp_path / "bundle.zip") == {"numpy": 1.0, "proofsheet": 0.5}


def test_the_library_that_grew_is_named_in_one_line():
    line = budget.excess({"scipy": 76.0, "numpy": 39.0}, {"scipy": 75.0, "numpy": 39.0})
    assert line.startswith("The bundle has grown: scipy from 75.00 to 76.00 MiB.")


def test_a_library_that_is_new_has_grown_from_nothing():
    assert "pandas from 0.00 to 40.00 MiB" in budget.excess({"scipy": 75.0, "pandas": 40.0}, {"scipy": 75.0})


def test_a_little_growth_and_any_shrinking_pass():
    assert budget.excess({"scipy": 75.2, "numpy": 30.0}, {"scipy": 75.0, "numpy": 39.0}) is None


def test_no_accepted_budget_lifts_the_limit():
    assert budget.excess({"scipy": 242.5}, {"scipy": 300.0}) == "The bundle has 242.5 MiB unzipped; it may have 242."


def test_the_recorded_budget_is_within_the_limit():
    assert 150 < sum(budget.recorded("bundle").values()) <= budget.LIMITS["bundle"]


def test_the_compaction_has_no_library_for_images():
    recorded = budget.recorded("compaction")
    assert 60 < sum(recorded.values()) <= budget.LIMITS["compaction"]
    assert recorded.keys().isdisjoint({"numpy", "scipy", "skimage", "sklearn", "PIL"})
    assert "duckdb" not in budget.recorded("bundle")
