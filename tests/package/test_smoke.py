"""The smoke test fails for bundles that would fail in Lambda."""

from __future__ import annotations

import zipfile

import pytest

from tools import smoke, smoke_probe


def bundle(path, **modules):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in modules.items():
            archive.writestr(f"{name}.py", text)
    return path


def test_a_handler_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SystemExit, match="has no attribute 'color'"):
        smoke.run(bundle(tmp_path / "bundle.zip", app="quality = print"), ["app.quality", "app.color"])


def test_a_library_that_only_this_environment_has_is_missed(tmp_path):
    with pytest.raises(SystemExit, match="No module named 'numpy'"):
        smoke.run(bundle(tmp_path / "bundle.zip", app="import numpy"), ["app.app"])


def test_imports_inside_functions_are_found_and_those_for_type_checkers_are_not():
    module = smoke_probe.ast.parse(
        "if TYPE_CHECKING:\n    import mypy_boto3_s3\ndef f():\n    from skimage.color import rgb2gray\nimport json"
    )
    assert set(smoke_probe.imported(module)) == {("skimage.color", "rgb2gray"), ("json", "")}


def test_values_agree_within_a_millionth():
    assert list(smoke.disagreements({"blur": [0.5, 1]}, {"blur": [0.5 + 9e-7, 1]})) == []


@pytest.mark.parametrize("found", [{"blur": 0.5001}, {"blur": float("nan")}, {"blur": None}, {}, {"blur": 0.5, "x": 1}])
def test_values_that_differ_are_told(found):
    assert len(list(smoke.disagreements(found, {"blur": 0.5}))) == 1


def test_lists_of_other_lengths_are_told():
    assert list(smoke.disagreements({"boxes": []}, {"boxes": [1]})) == ["/boxes: [] instead of [1]"]
