"""Digests by page, and counts by subject."""

from __future__ import annotations

import random
import uuid

from chalicelib.tracking import counts, pages
from chalicelib.tracking.counts import Counted
from chalicelib.tracking.pages import Layout

ACCOUNT = "a234567abcdefghij"
IMAGE, OTHER, RANKING = (f"01kz{number:022d}" for number in range(3))
NOON = 1_795_348_800
LAYOUTS = [Layout()]
CHANCE = random.Random(4)


def uuid7(second):
    number = int(second * 1000) << 80 | 7 << 76 | CHANCE.getrandbits(12) << 64 | 2 << 62 | CHANCE.getrandbits(62)
    return str(uuid.UUID(int=number))


def shown(identifier, received=NOON, **more):
    return Counted(
        **{"id": identifier, "received": received * 1000, "frozen": received * 1000, "kind": "i", "image": IMAGE} | more
    )


def collect(*events):
    return counts.collect(ACCOUNT, events, LAYOUTS)


def sizes(collected):
    return {page.start: {name: len(each) for name, each in sets.items()} for page, sets in collected.pages.items()}


def test_an_event_goes_to_the_page_of_the_time_in_its_id():
    collected = collect(shown(uuid7(NOON - 130)), shown(uuid7(NOON - 61)), shown(uuid7(NOON - 1), kind="c"))
    assert sizes(collected) == {NOON - 180: {f"i{IMAGE}": 1}, NOON - 120: {f"i{IMAGE}": 1}, NOON - 60: {f"c{IMAGE}": 1}}


def test_the_same_id_is_one_digest_whenever_it_arrives():
    identifier = uuid7(NOON - 5)
    collected = collect(shown(identifier), shown(identifier, NOON + 3600), shown(identifier.upper(), NOON + 7200))
    assert sizes(collected) == {NOON - 60: {f"i{IMAGE}": 1}}
    assert collected.doubles == 2


def test_what_is_too_late_or_too_early_is_left_to_compaction():
    collected = collect(shown(uuid7(NOON - 49 * 3600)), shown(uuid7(NOON + 700)), shown(uuid7(NOON + 599)))
    assert collected.late == 2
    assert len(collected.pages) == 1


def test_bots_and_events_about_nothing_do_not_count():
    collected = collect(shown(uuid7(NOON), bot=True), shown(uuid7(NOON), image=None), shown(uuid7(NOON), kind=None))
    assert collected.pages == {}


def test_an_id_without_a_time_counts_where_it_was_claimed():
    identifier = str(uuid.UUID(int=7, version=4))
    collected = collect(shown(identifier, frozen=(NOON - 600) * 1000))
    proposed = counts.proposals(collected)
    assert list(proposed.values()) == [NOON - 600]
    counts.settle(collected, dict.fromkeys(proposed, NOON - 7200))
    assert sizes(collected) == {NOON - 7200: {f"i{IMAGE}": 1}}


def test_a_clock_that_is_far_off_does_not_matter_to_an_id_without_a_time():
    collected = collect(shown("x", frozen=0), shown("y", frozen=10**15))
    assert set(counts.proposals(collected).values()) == {NOON}


def test_pages_that_may_be_gone_are_not_written():
    collected = collect(shown(uuid7(NOON)), shown(uuid7(NOON)))
    counts.drop_expired(collected, NOON + pages.KEPT_SECONDS - pages.DAY)
    assert collected.late == 0
    counts.drop_expired(collected, NOON + pages.KEPT_SECONDS + 3600)
    assert (collected.pages, collected.late) == ({}, 2)


def test_parts_of_a_page_are_united():
    a, b, c = (CHANCE.randbytes(10) for _ in range(3))
    assert counts.united([{"i": {a, b}, "c": {a}}, {"i": {b, c}}]) == {"i": 3, "c": 1}


def test_an_event_counts_for_its_image_its_ranking_and_everything():
    tallies = counts.tally([(f"i{IMAGE}{RANKING}", 5), (f"c{IMAGE}", 2), (f"v{OTHER}{RANKING}", 1), (f"s{OTHER}", 3)])
    assert tallies == {
        counts.EVERYTHING: [5, 2, 3, 1],
        counts.image_subject(IMAGE): [5, 2, 0, 0],
        counts.image_subject(OTHER): [0, 0, 3, 1],
        counts.ranking_subject(RANKING): [5, 0, 0, 1],
        counts.ranking_subject(RANKING, IMAGE): [5, 0, 0, 0],
        counts.ranking_subject(RANKING, OTHER): [0, 0, 0, 1],
    }


def test_tallies_of_pages_add_up():
    into = counts.tally([(f"i{IMAGE}", 5)])
    counts.merge(into, counts.tally([(f"i{IMAGE}", 1), (f"c{OTHER}", 2)]))
    assert into == counts.tally([(f"i{IMAGE}", 6), (f"c{OTHER}", 2)])
