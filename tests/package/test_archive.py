"""The same files make the same archive."""

from __future__ import annotations

import os
import zipfile

from tools import archive


def plant(tree, names, time):
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(f"the text of {name}")
        os.utime(tree / name, (time, time))
    return tree


def test_neither_dates_nor_order_change_the_bytes(tmp_path):
    names = ["b.py", "a/c.py", "a/b.py"]
    archive.pack(plant(tmp_path / "one", names, 1e9), tmp_path / "one.zip")
    archive.pack(plant(tmp_path / "two", reversed(names), 1.5e9), tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_an_archive_can_be_extended(tmp_path):
    archive.pack(plant(tmp_path / "tree", ["library.pyc"], 1e9), tmp_path / "bundle.zip")
    archive.extend(tmp_path / "bundle.zip", {"b.py": b"2", "app.py": b"1"}.items())
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        assert bundle.namelist() == ["library.pyc", "app.py", "b.py"]
        assert bundle.read("app.py") == b"1"


def test_anyone_may_read_what_is_unpacked(tmp_path):
    archive.pack(plant(tmp_path / "tree", ["a.py"], 1e9), tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        assert bundle.getinfo("a.py").external_attr >> 16 & 0o777 == 0o644
