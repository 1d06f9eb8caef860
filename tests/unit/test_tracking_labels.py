"""Labels from clicks: what an image is worth, told apart from where it was shown."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from chalicelib.tracking import labels
from chalicelib.tracking.labels import UNKNOWN_POSITION, Cell, Engagement

LOOKS = np.array([1.0, 0.6, 0.4, 0.3, 0.25])  # how often a place is looked at, best first
IMPRESSIONS = 2000


def simulate(seed: int, *, images: int = 40, best_lowest: bool = False) -> tuple[np.ndarray, list[Cell]]:
    """True rates, and what is counted when each image was shown at three places; the best ones lower, if asked."""
    chance = np.random.default_rng(seed)
    rates = np.sort(chance.uniform(0.03, 0.15, images))
    first = (np.arange(images) * 3 // images) if best_lowest else chance.integers(0, 3, images)
    cells = [
        Cell(f"{image:02d}", place + 1, IMPRESSIONS, int(chance.binomial(IMPRESSIONS, rates[image] * LOOKS[place])))
        for image in range(images)
        for place in range(first[image], first[image] + 3)
    ]
    return rates, cells


def rates_of(found: dict[str, Engagement]) -> list[float]:
    return [found[image].rate for image in sorted(found)]


def test_places_are_told_apart_from_images():
    _, cells = simulate(1)
    impressions, clicks = np.zeros((40, 5)), np.zeros((40, 5))
    for cell in cells:
        impressions[int(cell.image), cell.position - 1] = cell.impressions
        clicks[int(cell.image), cell.position - 1] = cell.clicks
    propensity, _ = labels.propensities(impressions, clicks)
    assert propensity / propensity[0] == pytest.approx(LOOKS, rel=0.08)


def test_good_images_shown_low_are_still_found_good():
    rates, cells = simulate(2, best_lowest=True)
    raw = [sum(cell.clicks for cell in cells if int(cell.image) == image) for image in range(len(rates))]
    corrected = spearmanr(rates, rates_of(labels.estimate(cells))).statistic
    assert spearmanr(rates, raw).statistic < 0.7
    assert corrected > 0.97


def test_the_interval_holds_the_true_rate_as_often_as_it_says():
    held = []
    for seed in range(20):
        rates, cells = simulate(seed)
        impressions = sum(cell.impressions * LOOKS[cell.position - 1] for cell in cells)
        average_place = impressions / sum(cell.impressions for cell in cells)
        found = labels.estimate(cells)
        held += [
            found[f"{n:02d}"].low <= rate * average_place <= found[f"{n:02d}"].high for n, rate in enumerate(rates)
        ]
    assert 0.93 <= np.mean(held) <= 0.99


def test_an_image_that_never_moved_says_nothing_of_its_place():
    always_there = [Cell("top", 1, 1000, 100), Cell("middle", 2, 1000, 50), Cell("bottom", 3, 1000, 10)]
    found = labels.estimate(always_there)
    assert [found[image].rate for image in ("top", "middle", "bottom")] == pytest.approx([0.1, 0.05, 0.01])
    assert {round(each.position_bias, 6) for each in found.values()} == {1.0}


def test_doubt_about_places_widens_the_interval():
    few = [Cell("a", 1, 200, 10), Cell("a", 2, 200, 5)]
    many_others = [Cell(f"o{n}", place, 2000, 160 // place) for n in range(50) for place in (1, 2)]
    alone, among = labels.estimate(few)["a"], labels.estimate(few + many_others)["a"]
    assert alone.evidence < among.evidence <= among.exposure


def test_days_add_up():
    one_day = [Cell("a", 1, 60, 6), Cell("b", 2, 40, 2)]
    halves = [Cell("a", 1, 30, 3), Cell("b", 2, 20, 1)] * 2
    assert labels.estimate(one_day) == labels.estimate(halves)


def test_clicks_without_a_position_count_for_the_image():
    cells = [Cell("a", 1, 500, 0), Cell("a", 2, 500, 0), Cell("a", UNKNOWN_POSITION, 0, 30)]
    found = labels.estimate(cells)["a"]
    assert (found.impressions, found.clicks) == (1000, 30)
    assert found.rate == pytest.approx(0.03)


def test_sites_may_count_places_from_zero():
    unknown = Cell("a", UNKNOWN_POSITION, 5, 2)
    cells = [Cell("a", 1, 500, 30), Cell("a", 2, 500, 10), Cell("b", 1, 300, 40)]
    from_zero = [Cell(cell.image, cell.position - 1, cell.impressions, cell.clicks) for cell in cells]
    found, expected = labels.estimate([*from_zero, unknown]), labels.estimate([*cells, unknown])
    assert {image: each.rate for image, each in found.items()} == pytest.approx(
        {image: each.rate for image, each in expected.items()}
    )


def test_more_clicks_than_impressions_are_a_rate_of_one():
    found = labels.estimate([Cell("a", 1, 3, 5)])["a"]
    assert found.rate == found.high == 1.0
    assert 0 < found.low < 1


def test_an_image_that_was_clicked_but_never_shown_has_no_rate():
    assert labels.estimate([Cell("a", 1, 0, 5)]) == {}


def test_without_clicks_the_rate_is_zero_and_the_interval_open():
    found = labels.estimate([Cell("a", 1, 100, 0), Cell("a", 2, 100, 0)])["a"]
    assert found.rate == found.low == 0
    assert found.high == pytest.approx(1.959964**2 / (200 + 1.959964**2), rel=1e-6)


def test_positions_beyond_the_last_are_one_place():
    assert labels.estimate([Cell("a", 1000, 10, 1)]) == labels.estimate([Cell("a", labels.LAST_POSITION, 10, 1)])


def test_labels_trust_an_image_as_far_as_its_own_data_goes():
    _, cells = simulate(3)
    seen = labels.estimate([*cells, Cell("new", 1, 10, 4)])
    found = {label.image: label for label in labels.shrink(seen, seen)}
    assert seen["new"].rate > 0.15
    assert found["new"].weight < 0.3 < 0.9 < found["39"].weight
    assert found["00"].engagement < found["new"].engagement < 0.07


def test_differences_that_chance_explains_weigh_nothing():
    alike = [Cell(f"{n}", 1, 1000, 50) for n in range(30)]
    found = labels.shrink(labels.estimate(alike), [str(n) for n in range(30)])
    assert {label.weight for label in found} == {0.0}
    assert {round(label.engagement, 9) for label in found} == {0.05}


def test_images_that_were_not_shown_have_no_label():
    found = labels.estimate([Cell("a", 1, 100, 5), Cell("b", 1, 100, 9)])
    assert [label.image for label in labels.shrink(found, ["b", "unseen", "a"])] == ["b", "a"]
    assert labels.shrink(found, ["unseen"]) == []


def test_cells_are_the_same_bytes_in_any_order():
    cells = [Cell("b", 2, 5, 1), Cell("a", 1, 7, 0), Cell("a", 0, 1, 1)]
    assert labels.encode(cells) == labels.encode(cells[::-1])
    assert labels.decode(labels.encode(cells)) == sorted(cells, key=lambda cell: (cell.image, cell.position))


def test_a_window_is_the_days_that_begin_in_it():
    midnight = 1_767_225_600  # 2026-01-01
    assert labels.days((midnight, midnight + 2 * 86400)) == ["2026-01-01", "2026-01-02"]
    assert labels.days((midnight + 1, midnight + 86401)) == ["2026-01-02"]
    assert labels.days((midnight + 1, midnight + 2)) == []
