"""Who may import whom, and what `import app` may load: the rules that keep cold starts short and parts apart."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([ROOT / "app.py", *ROOT.glob("chalicelib/**/*.py")])
HEAVY = {"numpy", "scipy", "skimage", "sklearn", "PIL", "boto3", "botocore", "joblib", "jwt", "cryptography"}
CHALICE = {"app.py", "chalicelib/http.py", "chalicelib/errors.py", "chalicelib/auth.py"}
# What knows no AWS.
FOLDERS = ("chalicelib/features/", "chalicelib/pixels/")
INGEST = ("chalicelib/images/working_copy.py", "chalicelib/images/sniff.py")
RENDERING = ("animation", "encode", "focus", "geometry", "linear", "opening", "pages", "paint", "render", "resampling")
GRAMMAR = ("negotiation", "operations", "signature", "similarity", "source", "variant")
PURE = (*FOLDERS, *INGEST, *(f"chalicelib/delivery/{module}.py" for module in (*RENDERING, *GRAMMAR)))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> set[str]:
    """Every module that the file imports anywhere, as a dotted name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def packages(path: Path) -> set[str]:
    return {module.split(".")[0] for module in imported(path)}


def test_importing_app_loads_nothing_heavy():
    code = f"import app, sys; print(sorted({HEAVY!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_only_the_edge_imports_chalice(path):
    assert "chalice" not in packages(path) or name(path) in CHALICE


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_only_aws_imports_boto3(path):
    assert not {"boto3", "botocore"} & packages(path) or name(path) == "chalicelib/aws.py"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_nobody_imports_app(path):
    assert "app" not in packages(path)


@pytest.mark.parametrize("path", [path for path in SOURCES if name(path).startswith(PURE)], ids=name)
def test_pixels_know_no_aws(path):
    assert not {"chalicelib.aws", "chalicelib.store", "chalicelib.bus", "chalicelib.settings"} & imported(path)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_module_is_named_for_nothing(path):
    assert path.stem not in {"utils", "helpers", "common", "manager", "misc"}
