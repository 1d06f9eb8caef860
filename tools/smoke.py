"""Prove that a bundle works: run it alone, and compare what it computes with what the tested environment computes.

`tools/smoke_probe.py` runs twice: in an interpreter that sees only the unpacked bundle (`python -I -S`, neither
site-packages nor this repository), and in this environment. Every number of the two must agree.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools import archive

ROOT = Path(__file__).parents[1]
PROBE = Path(__file__).with_name("smoke_probe.py")
ALONE = ("-I", "-S", "-B")  # -B: Lambda's code folder cannot be written
TOLERANCE = 1e-6
FORMATS = ("jpeg", "png", "webp", "avif", "gif", "tiff")


def run(bundle: Path, handlers: list[str], kind: str = "bundle") -> None:
    """Exits with the reason when the bundle does not do what the environment does. kind: of CHECKS in the probe."""
    with tempfile.TemporaryDirectory() as folder:
        photos, tree = Path(folder) / "photos", Path(folder) / "bundle"
        write_photos(photos)
        unpack(bundle, tree)
        before = archive.files(tree)
        found = probe(tree, photos, handlers, kind, alone=True)
        if archive.files(tree) != before:
            sys.exit("The bundle wrote into its own folder, which Lambda forbids.")
        differences = list(disagreements(found, probe(ROOT, photos, handlers, kind, alone=False)))
    if differences:
        sys.exit("The bundle computes otherwise than the tested environment:\n  " + "\n  ".join(differences))
    print(f"Smoke test passed: {len(handlers)} entry points, {', '.join(found)}.")


def write_photos(folder: Path) -> None:
    """A portrait in each format that people may upload."""
    import skimage
    from PIL import Image

    folder.mkdir()
    with Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png") as portrait:
        for name in FORMATS:
            encoded = io.BytesIO()
            portrait.convert("RGB").save(encoded, name)
            (folder / name).write_bytes(encoded.getvalue())


def unpack(bundle: Path, tree: Path) -> None:
    with zipfile.ZipFile(bundle) as contents:
        contents.extractall(tree)


def probe(tree: Path, photos: Path, handlers: list[str], kind: str = "bundle", *, alone: bool) -> dict[str, Any]:
    """What the probe finds with the code in `tree`, by check."""
    command = [sys.executable, *(ALONE if alone else ()), str(PROBE), str(tree), str(photos), kind, *handlers]
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(command, cwd=photos, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"The smoke test failed in {'the bundle' if alone else 'this environment'}:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def disagreements(found: Any, expected: Any, place: str = "") -> Iterator[str]:
    """A line for each value that is missing, new, or more than the tolerance apart."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in sorted(found.keys() | expected.keys()):
            yield from disagreements(found.get(name), expected.get(name), f"{place}/{name}")
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for index, pair in enumerate(zip(found, expected, strict=True)):
            yield from disagreements(*pair, f"{place}/{index}")
    elif not same(found, expected):
        yield f"{place}: {found} instead of {expected}"


def same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, float | int):
        return abs(found - expected) <= TOLERANCE
    return bool(found == expected)
