"""Packaging says in one line why it cannot be done."""

from __future__ import annotations

import zipfile

import pytest

from tools import archive, libraries, package, stages


@pytest.mark.parametrize("name", ["Dev", "", "a_b", "../x"])
def test_a_stage_that_cannot_be_named_so_is_refused(name, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["package", "--stage", name])
    assert package.main() == 1
    assert capsys.readouterr().err.startswith(f"{name!r} cannot be a stage")


def test_another_system_is_refused(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(stages.StageError, match="Packaging needs Linux on x86-64"):
        package.require_linux()


def test_packages_that_cannot_be_downloaded_are_told_in_one_line(monkeypatch, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("nowhere==1.0\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(stages.StageError, match=r"The packages of requirements\.txt cannot be had: .*nowhere"):
        libraries.libraries(requirements, tmp_path)


def test_a_failed_download_leaves_nothing_that_counts_as_done(monkeypatch, tmp_path):
    (tmp_path / "requirements.txt").write_text("nowhere==1.0\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(stages.StageError):
        libraries.libraries(tmp_path / "requirements.txt", tmp_path)
    assert not list(tmp_path.glob("*/*"))


def test_a_bundle_that_has_grown_is_not_printed_as_good(monkeypatch, tmp_path):
    (tmp_path / "pandas").mkdir()
    (tmp_path / "pandas" / "a.so").write_bytes(bytes(2**20))
    archive.pack(tmp_path / "pandas", tmp_path / "bundle.zip")
    with pytest.raises(SystemExit, match="The bundle has grown"):
        package.measure(tmp_path / "bundle.zip", "bundle", accept=False)


def test_our_files_bring_their_byte_code_and_leave_the_cache(tmp_path):
    for name in ("app.py", "chalicelib/web/docs.html", "chalicelib/__pycache__/old.cpython-312.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w"):
        archive.extend(tmp_path / "bundle.zip", package.own_files(tmp_path))
    assert zipfile.ZipFile(tmp_path / "bundle.zip").namelist() == [
        "__pycache__/app.cpython-312.pyc",
        "app.py",
        "chalicelib/web/docs.html",
    ]
