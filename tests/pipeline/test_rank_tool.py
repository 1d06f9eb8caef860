"""The command line tool against a running local cloud, and what it says when nothing can be ranked."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localcloud.run import Cloud
from tools import connection
from tools.client import Client
from tools.rank import main

Output = pytest.CaptureFixture[str]


@pytest.fixture
def running(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The cloud, found by the environment as `localcloud.run --once` sets it."""
    for name, value in cloud.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PROOFSHEET_URL", cloud.base_url)
    monkeypatch.delenv("PROOFSHEET_API_KEY", raising=False)
    return cloud


@pytest.fixture
def nothing_running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PROOFSHEET_URL", "PROOFSHEET_API_KEY", "PROOFSHEET_USER_POOL", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(connection, "NOTE", tmp_path / "no-note.json")


@pytest.fixture
def folder(tmp_path: Path, photos: Path) -> Path:
    chosen = tmp_path / "photos"
    chosen.mkdir()
    for name in ("coffee.png", "rocket.jpg", "chelsea.png"):
        shutil.copy(photos / name, chosen)
    (chosen / "notes.txt").write_text("no photo")
    return chosen


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., int]:
    """The tool with a sheet that stays out of the working tree."""
    return lambda *arguments: main([*map(str, arguments), "--sheet", str(tmp_path / "sheet.html")])


@pytest.mark.usefixtures("running")
def test_a_folder_is_ranked_end_to_end(run: Callable[..., int], folder: Path, tmp_path: Path, capsys: Output) -> None:
    code = run(folder, "--json")
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert code == 0
    assert {row["file"] for row in rows} == {"coffee.png", "rocket.jpg", "chelsea.png"}
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    assert [row["beats_next"] is None for row in rows] == [False, False, True]
    assert (tmp_path / "sheet.html").read_text(encoding="utf-8").count("<img ") == 3


def test_a_broken_photo_stands_last_with_its_reason(
    running: Cloud, run: Callable[..., int], folder: Path, capsys: Output
) -> None:
    (folder / "broken.jpg").write_bytes((folder / "rocket.jpg").read_bytes()[:3000])
    code = run(folder)
    last = [line for line in capsys.readouterr().out.splitlines() if line.strip()][-1]
    assert code == 1
    assert last.split()[:3] == ["4", "broken.jpg", "failed"]
    assert last.rstrip().endswith(".")


@pytest.mark.usefixtures("running")
def test_nothing_but_broken_photos_is_exit_code_2(run: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(b"<html>")
    (tmp_path / "empty.png").write_bytes(b"")
    assert run(tmp_path / "page.png", tmp_path / "empty.png") == 2


def test_what_was_uploaded_is_gone_afterwards_unless_kept(
    running: Cloud, run: Callable[..., int], folder: Path
) -> None:
    client = Client(running.base_url, connection.demo_token(running.env))
    run(folder, "--collection", "passing")
    run(folder / "rocket.jpg", "--collection", "kept", "--keep")
    assert list(client.images("passing")) == []
    assert [image.name for image in client.images("kept")] == ["rocket.jpg"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--model", "unheard-of"], "There is no model unheard-of; there is"),
        (["--key", "ps_forged"], "The API refused (401 unauthorized)"),
        (["--key", "not\na key"], "That is no API key and no token."),
    ],
)
@pytest.mark.usefixtures("running")
def test_a_refusal_is_one_line_and_exit_code_2(
    run: Callable[..., int], folder: Path, capsys: Output, arguments: list[str], complaint: str
) -> None:
    code = run(folder, *arguments)
    errors = capsys.readouterr().err
    assert code == 2
    assert errors.startswith(complaint)
    assert errors.count("\n") == 1


@pytest.mark.usefixtures("nothing_running")
def test_an_address_without_a_key_is_refused(run: Callable[..., int], folder: Path, capsys: Output) -> None:
    assert run(folder, "--url", "http://127.0.0.1:1") == 2
    assert capsys.readouterr().err == "http://127.0.0.1:1 needs an API key: --key, or PROOFSHEET_API_KEY.\n"


@pytest.mark.usefixtures("nothing_running")
def test_an_address_where_nothing_answers_is_told(run: Callable[..., int], folder: Path, capsys: Output) -> None:
    assert run(folder, "--url", "http://127.0.0.1:1", "--key", "ps_key") == 2
    assert capsys.readouterr().err == "http://127.0.0.1:1 cannot be reached: no connection.\n"


@pytest.mark.parametrize("given", ["empty", "missing"])
def test_no_photos_is_exit_code_2(run: Callable[..., int], tmp_path: Path, capsys: Output, given: str) -> None:
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / given) == 2
    assert capsys.readouterr().err.startswith("There ")


def test_a_note_of_a_cloud_that_is_gone_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "env.json"
    env = {"PROOFSHEET_USER_POOL": "pool", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    note.write_text(json.dumps({"base_url": "http://127.0.0.1:1", "env": env}))
    monkeypatch.setattr(connection, "NOTE", note)
    monkeypatch.delenv("PROOFSHEET_URL", raising=False)
    assert os.environ.get("PROOFSHEET_USER_POOL") is None
    assert connection.running(note) is not None
    with pytest.raises(connection.NoConnection), connection.connect("http://127.0.0.1:1", None):
        pass
