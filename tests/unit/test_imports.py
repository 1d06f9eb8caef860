"""Who may import whom, and what `import app` may load: the rules that keep cold starts short and parts apart."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from chalicelib import later

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
# What every cold start loads of our own: the edge, and what routes are declared with. All else is loaded where it is
# needed, by app.py's `later.at_first_use` or inside a function.
COLD_START = {
    "chalicelib",
    *(f"chalicelib.{module}" for module in ("accounts", "auth", "aws", "bus", "contract", "errors", "http", "ids")),
    *(f"chalicelib.{module}" for module in ("later", "lean", "log", "settings", "statements", "store")),
    *("chalicelib.features", "chalicelib.features.schema"),
    *("chalicelib.images", "chalicelib.images.limits", "chalicelib.images.record"),
    # Audiences and the game's rules are in the contract, and the kinds of events in those.
    *("chalicelib.push", "chalicelib.push.audience", "chalicelib.push.game"),
    *("chalicelib.tracking", "chalicelib.tracking.event"),
}


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


def loaded_by_app() -> set[str]:
    code = "import app, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(loaded.stdout.split())


def test_importing_app_loads_nothing_heavy():
    assert loaded_by_app() & HEAVY == set()


def test_importing_app_loads_the_parts_that_all_requests_need_and_no_more():
    assert {module for module in loaded_by_app() if module.split(".")[0] == "chalicelib"} == COLD_START


def test_every_part_that_app_leads_to_is_there():
    import app

    parts = {part.__name__ for part in vars(app).values() if isinstance(part, later.Later)}
    assert {import_module(part).__name__ for part in parts} == parts != set()


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
