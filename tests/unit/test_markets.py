"""Market models: honest beside the general model, and the whole path of the command on small made-up data sets."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chalicelib.features import schema
from chalicelib.scoring import catalog, model
from chalicelib.scoring.regression import KernelMachine
from chalicelib.training import evaluation, fit, markets, rated
from chalicelib.training.markets import Line, Market
from tools import market_card, market_data, train_market

PHOTOS = 20
DIMENSIONS = len(schema.FEATURES) + schema.EMBEDDING_SIZE


def made_up(labels: np.ndarray, causes: np.ndarray, themes: np.ndarray, noise: float = 1.0) -> fit.RatedSet:
    """Images that show hidden causes, (n, c), with noise."""
    random = np.random.default_rng(7)
    mixing = random.normal(size=(causes.shape[1], DIMENSIONS))
    vectors, mirrored = (
        np.abs(3 + causes @ mixing + noise * random.normal(size=(len(labels), DIMENSIONS))) for _ in range(2)
    )
    return fit.RatedSet(vectors, mirrored, labels, themes)


@pytest.fixture(scope="module")
def photos() -> fit.RatedSet:
    """90 photos in 30 themes; what pleases in the first 40 is another thing than in the rest."""
    causes = np.random.default_rng(1).normal(size=(90, 3))
    labels = np.where(np.arange(90) < 40, causes[:, 0], causes[:, 1])
    return made_up(labels, causes, np.array([f"theme {row // 3}" for row in range(90)]))


@pytest.fixture(scope="module")
def market(photos) -> Market:
    return Market(photos, np.arange(90) < 40, fit.fit_core)


@pytest.fixture(autouse=True)
def one_calibration(monkeypatch):
    monkeypatch.setattr(fit, "CALIBRATION_SEEDS", (101,))
    monkeypatch.setattr(markets, "RESAMPLES", 200)


def test_a_fold_asks_about_the_market_alone_and_trains_without_its_themes(market):
    folds = list(market.folds(0))
    assert sorted(np.concatenate([asked for _, asked in folds])) == list(range(40))
    assert all(
        not set(training.photos.themes) & set(market.photos.themes[asked]) and len(training.photos.labels) > 60
        for training, asked in folds
    )


def test_a_market_with_a_taste_of_its_own_is_better_served_by_its_own_model(market):
    shuffle = markets.shuffle(market, 0)
    ours = evaluation.spearman(shuffle.unseen.labels, shuffle.unseen.values)
    assert ours > evaluation.spearman(shuffle.unseen.labels, shuffle.general) + 0.1
    assert min(shuffle.weights) > 0


def test_nothing_is_remembered_of_a_theme_that_is_asked_about():
    """Photos of a theme look alike and are rated alike, by chance: whoever has seen the theme knows the answer."""
    random = np.random.default_rng(2)
    theme = np.arange(90) // 3
    chance = made_up(random.normal(size=30)[theme], random.normal(size=(30, 20))[theme], theme.astype(str), 0.2)
    shuffle = markets.shuffle(Market(chance, theme < 15, fit.fit_core), 0)
    truth = shuffle.unseen.labels
    told = [evaluation.spearman(truth, each) for each in (shuffle.unseen.values, shuffle.general, shuffle.own)]
    assert evaluation.spearman(chance.labels, fit.fit_core(chance).predict(chance.vectors)) > 0.9
    assert max(told) < 0.3


def test_the_blend_is_the_weighted_sum_of_both(market):
    general = fit.fit_core(market.photos)
    own = markets.own_core(market.own, general)
    blended = replace(general, machine=markets.blend(own.machine, general.machine, Line(2, 1), 0.3))
    expected = 0.3 * own.predict(market.photos.vectors) + 0.7 * (2 * general.predict(market.photos.vectors) + 1)
    assert blended.predict(market.photos.vectors) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_machine_without_weight_is_left_out(weight):
    machine = KernelMachine(np.ones((2, 3)), np.ones(2), np.asarray(0.0), np.asarray(1.0), np.asarray(1.0))
    assert len(markets.blend(machine, machine, Line(1, 0), weight).weights) == 2


def test_of_weights_that_rank_alike_the_general_model_gets_the_most():
    labels = np.arange(20.0)
    assert markets.choose_weight(labels[None], labels[None], labels) == 0
    assert markets.choose_weight(labels[None], -labels[None], labels) == 0.6


def test_a_general_model_that_is_wrong_of_the_market_is_not_turned_around():
    labels = np.arange(20.0)
    line = markets.fit_line(-labels[None], labels)
    assert 0 < line.slope < 0.1
    assert line(-labels).mean() == pytest.approx(labels.mean())


def test_the_same_predictions_gain_nothing(market):
    same = np.stack([market.own.labels] * 2)
    assert markets.gain_interval(market.own, same, same) == (0, 0)


def test_a_gain_in_a_few_themes_alone_is_uncertain(market):
    labels, random = market.own.labels, np.random.default_rng(0)
    theirs = labels + random.normal(size=(2, 40))
    lucky = np.where(market.own.themes == "theme 0", labels, theirs)
    low, high = markets.gain_interval(market.own, lucky, theirs)
    assert low <= 0 < high


@pytest.mark.parametrize(("gain", "low", "ships"), [(0.1, 0.01, True), (0.1, -0.01, False), (0.0, 0.0, False)])
def test_a_market_ships_when_the_whole_interval_of_its_gain_is_above_zero(gain, low, ships):
    assert markets.Verdict(None, 0.5, 0.6, 0.5, gain, low, 0.2, 0.5).ships is ships


@pytest.mark.parametrize(
    ("rows", "labels", "reason"),
    [(18, range(18), "18 photos of 6 themes"), (40, [1, 2] * 20, "only 2 different values")],
)
def test_too_little_is_refused_with_the_reason(photos, rows, labels, reason):
    few = replace(photos.take(np.arange(rows)), labels=np.array(labels, float))
    with pytest.raises(markets.TooLittle, match=reason):
        markets.check(Market(few, np.ones(rows, bool), fit.fit_core))


# The command


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Photos drawn in themes of two. Skies are liked better than stripes, other than the general model thinks."""
    folder = tmp_path_factory.mktemp("data") / "drawn"
    (folder / "images").mkdir(parents=True)
    for number in range(PHOTOS):
        Image.fromarray(drawn(number)).save(folder / "images" / f"{number}.png")
    random = np.random.default_rng(4)
    rows = [
        {
            "image": f"{number}.png",
            "motif": number // 2,
            "kind": "drawn",
            "appeal": round(sky(number) + random.normal(0, 0.1), 3),
            "chance": round(random.normal(), 3),
            "clicks": int(30 + 40 * sky(number) + random.integers(0, 9)) * (1 + 9 * (number % 2)),
            "broken": number - 1,
            "impressions": 1000,
            "posted_at": f"2026-03-{number + 1:02}T10:00:00Z",
            "shop": f"shop {number % 2}",
        }
        for number in range(PHOTOS)
    ]
    with (folder / "ratings.csv").open("w", newline="") as file:
        lines = csv.DictWriter(file, rows[0])
        lines.writeheader()
        lines.writerows(rows)
    return folder.parent


def sky(number: int) -> int:
    return number // 2 % 2


def drawn(number: int) -> np.ndarray:
    random = np.random.default_rng(number // 2)
    across = np.linspace(0, 1, 96)
    tone = across * random.choice((-1, 1)) if sky(number) else np.sin(across * random.uniform(40, 60))
    colored = 128 + 90 * tone[None, :, None] * random.uniform(0.3, 1, 3)
    grain = np.random.default_rng(number).normal(0, 2, (96, 96, 3))
    return np.clip(colored + grain, 0, 255).astype(np.uint8)


RATED = {
    "id": "skies",
    "name": "Skies",
    "labels": "rated",
    "folder": "drawn",
    "label": "appeal",
    "theme": "motif",
    "where": {"kind": ["drawn"]},
    "predicts": "how well a drawing pleases",
    "trained_on": "{n} drawings",
    "licence": "Drawn by the test.",
}
SHOPS = RATED | {"id": "shops", "name": "Shops", "labels": "engagement", "label": "clicks", "account": "shop"}


class Desk:
    """An operator's: a catalog of markets, and folders for what ships."""

    def __init__(self, folder: Path) -> None:
        self.catalog, self.models, self.cards = folder / "markets.json", folder / "models", folder / "cards"

    def train(self, *markets: dict, named: tuple[str, ...] = ()) -> int:
        self.catalog.parent.mkdir(exist_ok=True)
        self.catalog.write_text(json.dumps(markets))
        places = ("--markets", self.catalog, "--models", self.models, "--cards", self.cards)
        return train_market.main([*named, *map(str, places)])

    def entries(self) -> dict:
        return {entry["id"]: entry for entry in json.loads((self.models / "catalog.json").read_text())}

    def index(self) -> str:
        return (self.cards / "README.md").read_text()

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (*self.models.iterdir(), *self.cards.iterdir())}


def be_quick(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    monkeypatch.setenv("PROOFSHEET_DATA", str(data))
    monkeypatch.setattr(rated, "CACHE", data / "cache")
    monkeypatch.setattr(fit, "CALIBRATION_SEEDS", (101,))
    monkeypatch.setattr(evaluation, "SEEDS", (0, 1))
    monkeypatch.setattr(markets, "RESAMPLES", 200)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("trained") / "desk")
    with pytest.MonkeyPatch.context() as monkeypatch:
        be_quick(monkeypatch, data)
        assert desk.train(RATED, SHOPS) == 0
    return desk


@pytest.fixture
def desk(data, trained, tmp_path, monkeypatch) -> Desk:
    """After the markets were trained."""
    be_quick(monkeypatch, data)
    shutil.copytree(trained.catalog.parent, tmp_path / "desk")
    return Desk(tmp_path / "desk")


@pytest.mark.parametrize("market", [RATED, SHOPS], ids=["rated", "engagement"])
def test_a_market_that_beats_the_general_model_ships_with_its_card(desk, data, market):
    entry = desk.entries()[market["id"]]
    artifact = (desk.models / f"{market['id']}.npz").read_bytes()
    pictures = [data / "drawn" / "images" / f"{number}.png" for number in range(PHOTOS)]
    scores = model.load(artifact, entry["sha256"]).score(rated.described(pictures)[:, 0])
    assert catalog.view(entry).kind == "market"
    assert entry["report"]["gain_low"] > 0
    assert scores[2].value > scores[0].value
    assert (desk.cards / f"{market['id']}.md").read_text() == market_card.card(entry)
    assert f"[{market['name']}]({market['id']}.md)" in desk.index()


def test_training_again_gives_the_same_bytes(desk, trained):
    assert desk.train(RATED, SHOPS, named=("skies",)) == 0
    assert desk.files() == trained.files()


def test_a_market_that_does_not_beat_the_general_model_is_taken_away_and_the_index_says_so(desk):
    assert desk.train(RATED | {"label": "chance"}, SHOPS, named=("skies",)) == 0
    assert set(desk.entries()) == {"shops"}
    assert set(desk.files()) == {"catalog.json", "shops.npz", "README.md", "shops.md", "tried.json"}
    assert [row[-6:] for row in desk.index().splitlines() if row.startswith("| Skies")] == ["| no |"]


def test_engagement_is_judged_within_an_account(desk):
    """The second shop is seen by far more people; the targets do not show it."""
    targets = market_data.load(market_data.Listed(**SHOPS)).own.labels
    assert targets.reshape(2, -1).mean(1) == pytest.approx([0, 0], abs=0.05)


def test_posts_that_cannot_be_used_are_told_and_left_out(desk, capsys):
    market = market_data.load(market_data.Listed(**SHOPS | {"label": "broken"}))
    assert len(market.own.labels) == PHOTOS - 1
    assert "0.png: engagement is negative." in capsys.readouterr().err


def test_without_a_column_of_themes_near_duplicates_are_found_by_their_looks(desk):
    columns = {name: value for name, value in RATED.items() if name != "theme"}
    themes = market_data.load(market_data.Listed(**columns)).own.themes
    assert (themes[::2] == themes[1::2]).mean() > 0.8
    assert len(set(themes)) > 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"folder": "elsewhere"}, "PROOFSHEET_DATA"),
        ({"label": "beauty"}, "no column beauty"),
        ({"label": "kind"}, "kind of 0.png is not a number: 'drawn'"),
        ({"where": {"kind": ["painted"]}}, "no row"),
        ({"theme": "kind"}, "20 photos of 1 themes"),
    ],
)
def test_a_data_set_that_cannot_be_used_is_refused_with_the_reason(desk, capsys, change, reason):
    assert desk.train(RATED | change) == 2
    assert reason in capsys.readouterr().err


def test_an_unknown_market_is_refused_with_those_there_are(desk, capsys):
    assert desk.train(RATED, named=("cats",)) == 2
    assert "has skies" in capsys.readouterr().err


# What ships


def test_every_market_of_the_catalog_file_was_tried_and_the_index_is_of_its_numbers():
    shelf = train_market.Shelf(catalog.folder(), train_market.CARDS)
    assert set(shelf.tried()) == set(market_data.listed(train_market.MARKETS))
    assert (train_market.CARDS / "README.md").read_text() == market_card.index(shelf.entries(), shelf.tried())


def test_the_markets_that_ship_are_those_that_beat_the_general_model():
    shelf = train_market.Shelf(catalog.folder(), train_market.CARDS)
    shipped = {name: entry for name, entry in shelf.entries().items() if entry["kind"] == "market"}
    assert set(shipped) == {market for market, verdict in shelf.tried().items() if verdict["ships"]}
    assert all(entry["space"] == shelf.entries()["general"]["sha256"] for entry in shipped.values())


def test_nothing_that_ships_was_trained_on_what_is_for_the_benchmark_only():
    assert "vessel" not in train_market.MARKETS.read_text().lower()
