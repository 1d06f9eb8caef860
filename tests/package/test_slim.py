"""What leaves a tree of third-party packages, and what must stay."""

from __future__ import annotations

import importlib.util
import inspect
import re
import shutil
from pathlib import Path

import pytest

from chalicelib import aws
from tools import slim


@pytest.fixture
def tree(tmp_path):
    """A function that puts small files into a tree."""

    def grow(*paths: str) -> Path:
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text("text")
        return tmp_path

    return grow


def left(tree: Path) -> set[str]:
    return {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}


def test_services_that_are_never_called_go(tree):
    packages = tree("botocore/data/s3/x.gz", "botocore/data/ec2/x.gz", "boto3/data/ec2/x.json")
    slim.slim(packages)
    assert left(packages) == {"botocore/data/s3/x.gz"}


def test_what_describes_all_services_stays(tree):
    packages = tree("botocore/data/endpoints.json", "botocore/data/partitions.json")
    slim.slim(packages)
    assert left(packages) == {"botocore/data/endpoints.json", "botocore/data/partitions.json"}


def test_every_service_that_the_app_has_a_client_for_stays():
    asked = re.findall(r'client\("([a-z0-9-]+)"', inspect.getsource(aws))
    assert len(asked) >= 7
    assert slim.SERVICES.issuperset(asked)


def test_tests_and_sources_go_at_any_depth(tree):
    packages = tree("scipy/a.py", "scipy/linalg/tests/test_a.py", "scipy/linalg/b.pyx", "numpy/c/d.h")
    slim.slim(packages)
    assert left(packages) == {"scipy/a.py"}


def test_stubs_that_are_read_at_run_time_stay(tree):
    packages = tree("skimage/filters/__init__.pyi", "numpy/__init__.pyi")
    slim.slim(packages)
    assert left(packages) == {"skimage/filters/__init__.pyi"}


def test_the_face_cascade_stays_when_sample_photos_go(tree):
    packages = tree("skimage/data/lbpcascade_frontalface_opencv.xml", "skimage/data/astronaut.png")
    slim.slim(packages)
    assert left(packages) == {"skimage/data/lbpcascade_frontalface_opencv.xml"}


def test_licenses_stay_when_records_go(tree):
    packages = tree("numpy-2.5.5.dist-info/RECORD", "numpy-2.5.5.dist-info/licenses/LICENSE.txt")
    slim.slim(packages)
    assert left(packages) == {"numpy-2.5.5.dist-info/licenses/LICENSE.txt"}


def test_what_was_saved_is_told_in_mebibytes(tree):
    packages = tree("scipy/tests/a.py")
    (packages / "scipy/tests/a.py").write_bytes(bytes(2**20))
    assert slim.slim(packages)["tests"] == 1.0


def test_symbols_leave_extension_modules_but_not_patched_libraries(tmp_path):
    extension = Path(importlib.util.find_spec("msgspec._core").origin)
    for folder in ("msgspec", "numpy.libs"):
        (tmp_path / folder).mkdir()
        shutil.copyfile(extension, tmp_path / folder / "module.so")
    slim.strip_symbols(tmp_path)
    assert (tmp_path / "msgspec/module.so").stat().st_size < extension.stat().st_size
    assert (tmp_path / "numpy.libs/module.so").read_bytes() == extension.read_bytes()
