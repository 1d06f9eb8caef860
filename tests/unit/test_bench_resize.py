"""The arithmetic behind the numbers of `make bench-resize`."""

import shutil

import pytest

from bench import resize, resize_photos, resize_tools


def test_a_ratio_weighs_every_photo_and_width_alike():
    mine = {("small", 320): 1.0, ("large", 320): 400.0}
    sharp = {("small", 320): 2.0, ("large", 320): 200.0}
    assert resize.geometric_mean_ratio(mine, sharp) == 1.0


def test_a_difference_is_of_the_pictures_that_both_made():
    hq = {("a", 320): 70.0}
    sharp = {("a", 320): 64.5, ("a", 1600): 10.0}
    assert resize.mean_difference(hq, sharp) == 5.5


def test_engines_take_turns_in_the_reverse_order_every_second_round(tmp_path):
    asked = []

    class Engine:
        def __init__(self, name):
            self.name = name

        def ask(self, **request):
            if "save" not in request:
                asked.append(self.name)
            return {"cpu_ms": 1.0}

    race = resize.Race({name: Engine(name) for name in "ab"}, tmp_path, rounds=2)
    race.run(["a", "b"], tmp_path / "photo.jpg", [320], "jpg")
    assert asked in (["a", "b", "b", "a"], ["b", "a", "a", "b"])


def test_without_node_the_benchmark_says_so_in_one_line_and_exits_2(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    monkeypatch.setattr("sys.argv", ["bench.resize"])
    assert resize.main() == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_cannot_be_installed_is_said_in_one_line():
    with pytest.raises(resize_tools.Unavailable) as refused:
        resize_tools.run("the photos", ["sh", "-c", "echo one >&2; echo two >&2; exit 100"])
    assert str(refused.value).endswith("sh said: two")


def test_twelve_photos_two_with_a_profile_and_one_lying_on_its_side():
    changes = list(resize_photos.PHOTOS.values())
    assert (len(changes), changes.count("p3"), changes.count("rotated")) == (12, 2, 1)
