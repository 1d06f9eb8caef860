"""The third-party part of the bundle: downloaded by Chalice's packager, slimmed, compiled and zipped, once for each
set of versions.

It changes rarely and takes minutes; our own code changes always and takes a moment. So this part is kept, the wheels in
`build/wheels/` under a name that changes with the versions, and what the rules make of them in `build/libraries/`.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import chalice
import chalice.app
from chalice.deploy import packager
from chalice.utils import OSUtils

from tools import archive, byte_code, slim
from tools.stages import StageError, one_line

ABI = "cp312"
RULES = (slim, byte_code, archive)


def libraries(requirements: Path, build: Path) -> Path:
    """The zip of all third-party packages, made if the folder `build` has none for these versions and rules.

    Raises StageError when one cannot be had, or has no wheel that runs in Lambda.
    """
    versions = requirements.read_text() + installed()
    target = build / "libraries" / f"{digest(versions + rules())}.zip"
    if not target.exists():
        wheels = build / "wheels" / digest(versions)
        if not wheels.exists():
            download(requirements, wheels)
        make(wheels, target)
    return target


def make(wheels: Path, target: Path) -> None:
    """Slim, compile and zip a copy of `wheels`."""
    with workplace(target) as folder:
        tree = folder / "tree"
        shutil.copytree(wheels, tree)
        add_chalice(tree)
        for rule, mib in slim.slim(tree).items():
            print(f"  without {rule:16} {-mib:7.1f} MiB")
        before = slim.size(tree)
        byte_code.replace_sources(tree)
        print(f"  byte code for source {(slim.size(tree) - before) / 2**20:+.1f} MiB")
        archive.pack(tree, folder / "libraries.zip")
        (folder / "libraries.zip").replace(target)


def download(requirements: Path, target: Path) -> None:
    """Wheels for Lambda's Python and glibc, in the very versions that are installed here and were tested."""
    with workplace(target) as folder:
        (folder / "constraints.txt").write_text(installed())
        os.environ["PIP_CONSTRAINT"] = str(folder / "constraints.txt")
        build_site_packages(requirements, folder / "tree")
        del os.environ["PIP_CONSTRAINT"]
        if not target.exists():  # another stage may have been packaged at the same time
            (folder / "tree").rename(target)


@contextmanager
def workplace(target: Path) -> Iterator[Path]:
    """A folder beside `target`, which appears only when it is whole; what is left in the folder goes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="unfinished-") as folder:
        yield Path(folder).resolve()


def build_site_packages(requirements: Path, target: Path) -> None:
    try:
        packager.DependencyBuilder(OSUtils()).build_site_packages(ABI, str(requirements), str(target))
    except packager.MissingDependencyError as error:
        missing = ", ".join(sorted(package.identifier for package in error.missing))
        raise StageError(f"These packages have no wheel that runs in Lambda: {missing}.") from error
    except (packager.NoSuchPackageError, packager.PackageDownloadError) as error:
        raise StageError(f"The packages of {requirements.name} cannot be had: {one_line(error)}") from error


def add_chalice(tree: Path) -> None:
    """The two modules of Chalice that run in Lambda; the rest is its command line."""
    for module in (chalice, chalice.app):
        target = tree / "chalice" / Path(inspect.getfile(module)).name
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(inspect.getfile(module), target)


def installed() -> str:
    return "".join(sorted({f"{entry.name}=={entry.version}\n" for entry in metadata.distributions()}))


def rules() -> str:
    return "".join(inspect.getsource(module) for module in RULES)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
