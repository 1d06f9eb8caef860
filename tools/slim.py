"""What of the third-party packages Lambda never needs, and how it is taken out of a tree of them.

| rule             | why it may go                                                                               |
|------------------|---------------------------------------------------------------------------------------------|
| unused services  | botocore describes 400 services; `SERVICES` lists ours                                      |
| tests            | never imported                                                                              |
| sources          | C, Cython, Fortran and type stubs serve building and type checking                          |
| samples          | pictures and data sets of tutorials                                                         |
| optional         | parts that our calls never load; `tools.smoke` proves it                                    |
| records          | pip's own lists of installed files; licenses and versions stay                              |

What must stay although it looks idle: scikit-image's `.pyi` files, which its lazy loader reads; `numpy.f2py` and
`numpy.testing`, which scipy loads by copying every name that numpy has; and every byte of the shared libraries in
`*.libs`, whose patched headers `strip` would break.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

#: Every service that `chalicelib.aws` may be asked for, now or by a later part, and sts, which signs in.
SERVICES = frozenset({
    "cloudwatch", "cognito-idp", "dynamodb", "events", "lambda", "logs", "s3", "sagemaker", "sagemaker-runtime",
    "secretsmanager", "sns", "sqs", "sts",
})  # fmt: skip

SOURCES = ("pyi", "pyx", "pxd", "pxi", "tp", "h", "hpp", "c", "cc", "cpp", "in", "build", "f", "f90", "a")
SAMPLES = ("png", "jpg", "jpeg", "tif", "tiff", "gif", "npz", "npy", "csv", "txt")

RULES: dict[str, tuple[str, ...]] = {
    "tests": ("**/tests", "**/conftest.py", "numpy/_core/_*_tests.*.so"),
    "sources": tuple(f"**/*.{suffix}" for suffix in SOURCES),
    "samples": (
        *(f"skimage/data/*.{suffix}" for suffix in SAMPLES),
        "sklearn/datasets/data",
        "sklearn/datasets/images",
        "sklearn/datasets/descr",
        "scipy/datasets",
        "boto3/examples",
    ),
    "optional": (
        "networkx*",
        "imageio*",
        "tifffile*",
        "pycparser*",
        "cffi",
        "scipy/io/_fast_matrix_market/*.so",
        "scipy/odr/*.so",
        "scipy/stats/_unuran/*.so",
        "PIL/_imagingtk*.so",
        "numpy/_core/lib",
        "numpy/random/lib",
        "bin",
        "share",
    ),
    "records": ("*.dist-info/RECORD", "*.dist-info/sboms", "*.data"),
}
READ_AT_RUN_TIME = ("skimage/**/*.pyi",)


def slim(tree: Path) -> dict[str, float]:
    """Apply every rule to `tree`; MiB that each has saved."""
    saved = {"unused services": remove(unused_services(tree))}
    for rule, patterns in RULES.items():
        saved[rule] = remove(matches(tree, patterns) - matches(tree, READ_AT_RUN_TIME))
    saved["symbols"] = strip_symbols(tree)
    return saved


def matches(tree: Path, patterns: tuple[str, ...]) -> set[Path]:
    return {path for pattern in patterns for path in tree.glob(pattern)}


def unused_services(tree: Path) -> set[Path]:
    described = [*tree.glob("botocore/data/*"), *tree.glob("boto3/data/*")]
    return {path for path in described if path.is_dir() and path.name not in SERVICES}


def remove(paths: set[Path]) -> float:
    """Delete files and folders; the MiB that they took."""
    before = 0
    for path in sorted(paths):
        if path.is_dir():
            before += size(path)
            shutil.rmtree(path)
        elif path.exists():
            before += path.stat().st_size
            path.unlink()
    return before / 2**20


def strip_symbols(tree: Path) -> float:
    """Take symbols that only debuggers read out of extension modules; MiB saved."""
    modules = [path for path in sorted(tree.rglob("*.so")) if not path.parent.name.endswith(".libs")]
    before = size(tree)
    if modules:
        subprocess.run(["strip", "--strip-unneeded", *map(str, modules)], check=True)
    return (before - size(tree)) / 2**20


def size(tree: Path) -> int:
    """Bytes of all files below `tree`."""
    return sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
