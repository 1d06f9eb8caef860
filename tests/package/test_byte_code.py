"""Byte code in the bundle imports as its source would, and is the same whenever it is made."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tools import byte_code

SOURCE = '''"""A docstring."""


def double(number):
    """Twice the number."""
    assert number > 0
    return 2 * number
'''


def python(tree, code: str, *, hash_seed: str = "0") -> str:
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", code],
        cwd=tree,
        env={"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + done.stderr).strip()


@pytest.fixture(params=["numpy", "jwt"])
def package(request, tmp_path):
    """The name of a package whose only source has become byte code, in tmp_path."""
    (tmp_path / request.param).mkdir()
    (tmp_path / request.param / "__init__.py").write_text(SOURCE)
    byte_code.replace_sources(tmp_path)
    return request.param


def test_a_package_without_its_source_can_be_imported(package, tmp_path):
    assert not list(tmp_path.rglob("*.py"))
    assert python(tmp_path, f"import {package}; print({package}.double(4))") == "8"


def test_only_the_large_packages_lose_docstrings_and_assertions(package, tmp_path):
    printed = python(tmp_path, f"import {package}; print({package}.__doc__); {package}.double(-1)")
    assert printed.startswith("None" if package == "numpy" else "A docstring.")
    assert ("AssertionError" in printed) == (package == "jwt")


def test_our_own_trace_shows_the_line_that_failed(tmp_path):
    (tmp_path / "chalicelib" / "__pycache__").mkdir(parents=True)
    name = "chalicelib/scores.py"
    (tmp_path / name).write_text(SOURCE)
    (tmp_path / byte_code.cached_path(name)).write_bytes(byte_code.cached(SOURCE.encode(), name))
    assert "assert number > 0" in python(tmp_path, "from chalicelib import scores; scores.double(-1)")


def test_our_own_byte_code_is_read_and_not_compiled_again(tmp_path):
    other = SOURCE.replace("2 *", "3 *").encode()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "app.py").write_text(SOURCE)
    (tmp_path / byte_code.cached_path("app.py")).write_bytes(byte_code.cached(other, "app.py"))
    assert python(tmp_path, "import app; print(app.double(4))") == "12"


def test_the_same_source_makes_the_same_bytes_in_any_process(tmp_path):
    code = f"""
import hashlib, sys
sys.path.insert(0, {str(byte_code.Path(byte_code.__file__).parents[1])!r})
from tools import byte_code
print(hashlib.sha256(byte_code.cached(open(byte_code.__file__, "rb").read(), "x.py")).hexdigest())
"""
    assert len({python(tmp_path, code, hash_seed=seed) for seed in ("1", "2", "3")}) == 1
