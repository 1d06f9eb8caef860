"""Which image of a ranking is shown: the draws, the prior, and the impression that a choice leaves."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest

from chalicelib.contract import BestQuery
from chalicelib.tracking import best, moments
from chalicelib.tracking.best import Arm

ACCOUNT = "a" + "b" * 16
RANKING = "01kb0000000000000000000000"
START = 1_767_225_600
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def seeds(number: int) -> list[bytes]:
    return [best.fingerprint(ACCOUNT, RANKING, f"visitor {each}", START) for each in range(number)]


def shares(arms: list[Arm], draws: int = 2000) -> dict[str, float]:
    won = Counter(best.order(arms, seed)[0] for seed in seeds(draws))
    return {arm.image: won[arm.image] / draws for arm in arms}


def test_a_visitor_sees_one_image_throughout_a_slice():
    arms = best.posteriors({"a": 60.0, "b": 50.0, "c": 40.0}, {})
    seed = best.fingerprint(ACCOUNT, RANKING, "visitor", START)
    assert best.order(arms, seed) == best.order(arms, best.fingerprint(ACCOUNT, RANKING, "visitor", START))


@pytest.mark.parametrize(
    "other",
    [
        (ACCOUNT, RANKING, "another", START),
        (ACCOUNT, RANKING, "visitor", START + best.SLICE_SECONDS),
        (ACCOUNT, RANKING[:-1] + "1", "visitor", START),
        ("a" + "c" * 16, RANKING, "visitor", START),
    ],
)
def test_others_draw_for_themselves(other):
    assert best.fingerprint(*other) != best.fingerprint(ACCOUNT, RANKING, "visitor", START)


def test_all_images_of_the_ranking_are_in_the_order_so_that_the_next_can_step_in():
    arms = best.posteriors({"a": 60.0, "b": 50.0, "c": 40.0}, {})
    assert {tuple(sorted(best.order(arms, seed))) for seed in seeds(20)} == {("a", "b", "c")}


def test_before_any_view_the_higher_score_is_shown_more_often_but_not_alone():
    found = shares(best.posteriors({"high": 95.0, "low": 5.0}, {}))
    assert 0.55 < found["high"] < 0.85


def test_clicks_overrule_the_score():
    found = shares(best.posteriors({"high": 95.0, "low": 5.0}, {"high": (1000, 10), "low": (1000, 50)}))
    assert found["low"] > 0.99


def test_an_image_without_views_of_its_own_is_still_tried():
    counts = {"seen": (1000, 30)}
    assert 0.1 < shares(best.posteriors({"seen": 50.0, "new": 50.0}, counts))["new"] < 0.7


def test_the_prior_is_worth_fifty_impressions_around_what_the_ranking_usually_gets():
    [arm] = best.posteriors({"a": 50.0}, {})
    assert arm.alpha + arm.beta == pytest.approx(best.PRIOR_IMPRESSIONS)
    assert arm.alpha / best.PRIOR_IMPRESSIONS == pytest.approx(best.USUAL_RATE, rel=0.05)
    busy = best.posteriors({"a": 50.0, "b": 50.0}, {"b": (10_000, 3000)})[0]
    assert busy.alpha / best.PRIOR_IMPRESSIONS == pytest.approx(0.3, rel=0.05)


def test_the_most_shown_image_does_not_set_the_expectation_of_the_others():
    few, many = (
        best.posteriors({"a": 50, "b": 50, "c": 50}, {"a": (n, n // 5), "b": (1000, 10)}) for n in (1000, 10**6)
    )
    assert few[2].alpha == pytest.approx(many[2].alpha, rel=0.1)


@pytest.mark.parametrize("score", [0.0, 100.0])
def test_the_ends_of_the_scale_have_a_prior_too(score):
    assert 0 < best.prior_mean(score, best.USUAL_RATE) < 2 * best.USUAL_RATE


def test_more_clicks_than_impressions_leave_a_distribution():
    [arm] = best.posteriors({"a": 50.0}, {"a": (3, 400)})
    assert arm.alpha > arm.beta > 0
    assert best.order([arm], b"seed") == ["a"]


def test_a_choice_twice_is_one_impression():
    seed = seeds(1)[0]
    first, again = (
        best.impression(ACCOUNT, RANKING, "i" * 26, seed, START, START + second, bot=False) for second in (1, 599)
    )
    assert first.id == again.id
    assert first.frozen == again.frozen


def test_the_impression_counts_for_its_image_in_its_ranking_at_its_slice():
    for seed in seeds(50):
        event = best.impression(ACCOUNT, RANKING, "i" * 26, seed, START, START + 7.5, bot=False)
        assert (event.kind, event.image, event.ranking, event.bot) == ("i", "i" * 26, RANKING, False)
        assert START * 1000 <= moments.id_time(event.id) < (START + best.SLICE_SECONDS) * 1000
        assert event.received == (START + 7) * 1000 + 500


def test_ids_are_uuids_of_version_7_that_keep_the_randomness():
    made = {best.uuid7(START * 1000, seed) for seed in seeds(500)}
    assert {UUID(each).version for each in made} == {7}
    assert {UUID(each).variant for each in made} == {UUID(int=2 << 62).variant}
    assert len(made) == 500


def test_a_visitor_without_a_name_is_a_network_and_a_browser():
    headers = {"user-agent": FIREFOX}
    same = best.visitor(BestQuery(), headers, "203.0.113.7"), best.visitor(BestQuery(), headers, "203.0.113.200")
    assert same[0] == same[1]
    assert "203.0.113.7" not in same[0].name
    assert best.visitor(BestQuery(), headers, "198.51.100.7") != same[0]


def test_the_name_that_the_site_gives_comes_first():
    assert best.visitor(BestQuery(visitor="anna"), {"user-agent": FIREFOX}, "203.0.113.7").name == "anna"


def test_a_crawler_and_who_opted_out_are_served_and_not_counted():
    crawler = best.visitor(BestQuery(), {"user-agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}, None)
    private = best.visitor(BestQuery(), {"user-agent": FIREFOX, "sec-gpc": "1"}, None)
    assert (crawler.bot, crawler.tracked) == (True, True)
    assert (private.bot, private.tracked) == (False, False)
