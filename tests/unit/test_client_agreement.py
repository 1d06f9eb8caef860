"""The agreement of a ranking with known ratings."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tools import agreement

RANKED = [
    {"file": "a.jpg", "score": 90.0},
    {"file": "below/b.jpg", "score": 50.0},
    {"file": "c.jpg", "score": 10.0},
    {"file": "unrated.jpg", "score": 99.0},
    {"file": "failed.jpg", "score": None},
]


@pytest.mark.parametrize(("ratings", "correlation"), [("5 4 3", "1.000"), ("3 4 5", "-1.000"), ("4 5 3", "0.500")])
def test_scores_are_compared_with_the_ratings_of_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ratings: str, correlation: str
) -> None:
    a, b, c = ratings.split()
    (tmp_path / "r.csv").write_text(f"image,beauty_mean\na.jpg,{a}\nb.jpg,{b}\nc.jpg,{c}\nfailed.jpg,1\n")
    monkeypatch.setattr(sys, "argv", ["agreement", str(tmp_path / "r.csv")])
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(RANKED)))
    assert agreement.main() == 0
    assert capsys.readouterr().out == f"Spearman {correlation} with beauty_mean, 3 photos\n"


@pytest.mark.parametrize(
    ("column", "ranked", "complaint"),
    [
        ("arousal", "[]", "has no column 'arousal'"),
        ("beauty", "[]", "Only 0 photos"),
        ("beauty", "no JSON", "Expecting"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    column: str,
    ranked: str,
    complaint: str,
) -> None:
    (tmp_path / "r.csv").write_text("image,beauty\na.jpg,5\n")
    monkeypatch.setattr(sys, "argv", ["agreement", str(tmp_path / "r.csv"), "--column", column])
    monkeypatch.setattr(sys, "stdin", io.StringIO(ranked))
    assert agreement.main() == 2
    errors = capsys.readouterr().err
    assert complaint in errors
    assert errors.count("\n") == 1
