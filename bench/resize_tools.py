"""What `bench.resize` measures against, set up in build/bench-resize: an environment with pyvips, sharp, the photos.

Exact versions, in no requirements file: nothing but this benchmark may come to need them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench import resize_photos

FOLDER = Path("build/bench-resize")
PYTHON_PACKAGES = (
    "numpy==2.5.5",
    "pillow==13.0.0",
    "pyvips[binary]==3.2.0",
    "pyvips-binary==8.18.7",
    "scipy==1.18.1",
    "simplejpeg==1.9.0",
    "ssimulacra2==0.3.0",
)
NODE_PACKAGES = ("sharp@0.35.5",)
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}  # bytes


class Unavailable(Exception):
    """Something that cannot be had on this machine, in one line."""


def prepared() -> Path:
    """The folder, with everything in it. Raises Unavailable."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Unavailable("bench-resize compares with sharp: it needs Node.js 20.9 or newer, node and npm on the PATH.")
    if absent := resize_photos.obstacle():
        raise Unavailable(f"bench-resize: {absent}.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    _once("python", PYTHON_PACKAGES, _install_python_packages)
    _once("node", NODE_PACKAGES, _install_node_packages)
    if not resize_photos.made(FOLDER / "photos"):
        run("the photos", python("bench.resize_photos", str(FOLDER / "photos")))
    return FOLDER.absolute()


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module in the benchmark's own environment."""
    return [str(FOLDER.absolute() / "venv" / "bin" / "python"), "-m", module, *arguments]


def environment(*, judging: bool = False) -> dict[str, str]:
    """For workers: sharp is found, and nobody starts threads of its own.

    SSIMULACRA2 frees and takes large arrays again and again: without giving them back it takes a third less time.
    """
    threads = {"VIPS_CONCURRENCY": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {
        **os.environ,
        **threads,
        **(KEEP_MEMORY if judging else {}),
        "NODE_PATH": str(FOLDER.absolute() / "node_modules"),
    }


def _once(name: str, packages: tuple[str, ...], install: Callable[[], None]) -> None:
    """Install unless these very versions are there already."""
    installed = FOLDER / f"{name}-packages.txt"
    wanted = "\n".join(packages)
    if not installed.exists() or installed.read_text() != wanted:
        install()
        installed.write_text(wanted)


def _install_python_packages() -> None:
    run("an environment for Python", [sys.executable, "-m", "venv", str(FOLDER / "venv")])
    options = ["install", "-qq", "--disable-pip-version-check"]
    run("pyvips and SSIMULACRA2", python("pip", *options, *PYTHON_PACKAGES))


def _install_node_packages() -> None:
    # Without --prefix npm would look for a package.json further up.
    options = ["--prefix", str(FOLDER), "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    run("sharp", ["npm", "install", *options, *NODE_PACKAGES])


def run(what: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        raise Unavailable(f"bench-resize could not set up {what}; {Path(command[0]).name} said: {said}")
