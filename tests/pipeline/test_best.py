"""The best image of a ranking: stable for a visitor, learning from clicks, and never one that is gone."""

from __future__ import annotations

import hashlib
from collections import Counter
from urllib.parse import urlsplit

import msgspec
import pytest

from chalicelib import contract, ids, ranking, settings
from chalicelib.delivery import keys, serve, signature, variant
from chalicelib.errors import BadRequest, NotFound
from chalicelib.images import record, removal
from chalicelib.store import PUBLIC, AccountStore
from chalicelib.tracking import best, consume, envelope, intake, queue, stats
from chalicelib.tracking.best import SLICE_SECONDS, Visitor
from chalicelib.tracking.event import Event

ACCOUNT = "a234567abcdefghij"


class Site:
    """A ranking and its visitors. The queue is a list, at the edge of AWS."""

    def __init__(self, world):
        self.world = world
        self.store = AccountStore(ACCOUNT)
        self.start = int(world.now) - int(world.now) % SLICE_SECONDS
        self.now = self.start + 5
        self.queued: list[str] = []

    def ask(self, operation, request):
        assert operation == "SendMessage"
        self.queued.append(request["MessageBody"])
        return {"MD5OfMessageBody": hashlib.md5(request["MessageBody"].encode(), usedforsecurity=False).hexdigest()}

    def image(self, data=b"pixels"):
        image = ids.new_id(self.world.now)
        self.store.put("image", image, {"id": image, "state": "ready", "etag": "x"})
        key = record.original_key(ACCOUNT, image)
        self.world.client("s3").put_object(Bucket=settings.settings().media_bucket, Key=key, Body=data)
        return image

    def ranking(self, scores):
        """A complete ranking with these scores by image."""
        identifier = ids.new_id(self.world.now)
        self.store.put("ranking", identifier, {"id": identifier, "state": "complete"})
        PUBLIC.put("ranking", identifier, {"account": ACCOUNT}, sk="owner")
        for image, score in scores.items():
            self.score(identifier, image, score)
        return identifier

    def score(self, identifier, image, score):
        entry = msgspec.json.encode({"score": score, "value": score} if score is not None else {"reason": "broken"})
        self.store.put_many("ranking", [(identifier, f"entry#{image}", {"image": image, "entry": entry})])

    def visit(self, identifier, name="anna", **query):
        return best.choose(identifier, contract.BestQuery(**query), Visitor(name), self.now)

    def shown(self, identifier, visitors=60):
        return Counter(self.visit(identifier, f"visitor {each}").image for each in range(visitors))

    def click(self, identifier, image, times):
        received = self.now * 1000
        events = [
            Event(ids.new_id(self.now), "track", ACCOUNT, "wk", received, received, received, kind=kind, image=image)
            for kind in "ic"
            for _ in range(times)
        ]
        events = [msgspec.structs.replace(event, ranking=identifier) for event in events]
        self.queued += envelope.pack(ACCOUNT, intake.Intake(events, []))

    def count(self):
        """The consumer takes what is queued."""
        bodies, self.queued = self.queued, []
        consume.count(bodies, [str(number) for number in range(len(bodies))], self.now)

    def impressions(self, identifier):
        return stats.stats(self.store, contract.StatsQuery(ranking=identifier), self.now).totals.impressions

    def another_process(self):
        best._known.clear()

    def later(self, seconds):
        self.now += seconds


@pytest.fixture
def site(world, monkeypatch):
    keys._kept.clear()
    best._known.clear()
    site = Site(world)
    monkeypatch.setattr(queue, "ask", site.ask)
    yield site
    world.emulator.on_call = lambda *_: None


def test_a_visitor_keeps_the_image_for_ten_minutes_in_every_process(site):
    identifier = site.ranking({site.image(): 50.0 for _ in range(5)})
    first = {name: site.visit(identifier, name).image for name in "abcdefgh"}
    for image in first.values():
        site.click(identifier, image, 30)
    site.count()
    site.later(SLICE_SECONDS - 10)
    site.another_process()
    assert {name: site.visit(identifier, name).image for name in "abcdefgh"} == first
    assert len(set(first.values())) > 1


def test_what_is_clicked_is_shown_more_from_the_next_slice_on(site):
    poor, good = site.image(), site.image()
    identifier = site.ranking({poor: 70.0, good: 30.0})
    before = site.shown(identifier)[good]
    site.click(identifier, good, 300)
    site.count()
    site.later(SLICE_SECONDS)
    assert site.shown(identifier)[good] == 60 > before


@pytest.mark.parametrize("fate", ["deleted", "failed"])
def test_an_image_that_is_gone_is_not_shown_from_that_moment_on(site, fate):
    lasting, going = site.image(), site.image()
    identifier = site.ranking({lasting: 1.0, going: 99.0})
    assert site.shown(identifier)[going] > 0
    if fate == "deleted":
        removal.delete(site.store, going)
    else:
        site.store.put("image", going, {"id": going, "state": "failed", "reason": "broken"})
    assert site.shown(identifier) == {lasting: 60}


def test_an_original_that_is_gone_is_passed_over(site):
    lasting, going = site.image(), site.image()
    identifier = site.ranking({lasting: 50.0, going: 50.0})
    key = record.original_key(ACCOUNT, going)
    site.world.client("s3").delete_object(Bucket=settings.settings().media_bucket, Key=key)
    assert site.shown(identifier) == {lasting: 60}


def test_an_image_that_failed_in_the_ranking_is_not_shown(site):
    fine, failed = site.image(), site.image()
    assert site.shown(site.ranking({fine: 10.0, failed: None})) == {fine: 60}


def test_reloading_counts_one_impression(site):
    identifier = site.ranking({site.image(): 50.0, site.image(): 60.0})
    for _ in range(3):
        site.shown(identifier, visitors=40)
        site.later(100)
    assert len(site.queued) == 120
    site.count()
    assert site.impressions(identifier) == 40


def test_the_next_slice_counts_again(site):
    identifier = site.ranking({site.image(): 50.0})
    site.visit(identifier)
    site.later(SLICE_SECONDS)
    site.visit(identifier)
    site.count()
    assert site.impressions(identifier) == 2


def test_who_opted_out_gets_the_same_picture_and_leaves_nothing(site):
    identifier = site.ranking({site.image(): 50.0, site.image(): 50.0})
    tracked = site.visit(identifier)
    site.queued.clear()
    untracked = best.choose(identifier, contract.BestQuery(), Visitor("anna", tracked=False), site.now)
    assert untracked == tracked
    assert site.queued == []


def test_crawlers_are_archived_and_not_counted(site):
    identifier = site.ranking({site.image(): 50.0})
    best.choose(identifier, contract.BestQuery(), Visitor("crawler", bot=True), site.now)
    assert len(site.queued) == 1
    site.count()
    assert site.impressions(identifier) == 0


def test_the_address_is_a_signed_variant_as_asked(site):
    image = site.image()
    choice = site.visit(site.ranking({image: 50.0}), ops="w80,fit:cover", format="webp")
    found = serve.parse_key(urlsplit(choice.url).path.partition("/v/")[2].join(("v/", "")))
    assert (found.original, found.operations.w, found.format) == (variant.Original(ACCOUNT, image=image), 80, "webp")
    signature.verify(keys.key_ring(), ACCOUNT, found.signature, variant.signed_text(found))


def test_the_browser_may_remember_it_for_the_rest_of_the_slice(site):
    identifier = site.ranking({site.image(): 50.0})
    site.now = site.start + 590
    choice = site.visit(identifier)
    assert choice.headers == {"Location": choice.url, "Cache-Control": "private, max-age=10"}


@pytest.mark.parametrize("operations", ["w0", "shout", "exp:1", "v:abcdef01"])
def test_operations_that_no_address_can_have_are_refused_and_leave_nothing(site, operations):
    identifier = site.ranking({site.image(): 50.0})
    with pytest.raises(BadRequest):
        site.visit(identifier, ops=operations)
    assert site.queued == []


def test_an_unknown_ranking_is_not_found(site):
    for path in (ids.new_id(1), f"{ACCOUNT}.{ids.new_id(1)}", "../x"):
        with pytest.raises(NotFound):
            best.choose(path, contract.BestQuery(), Visitor("anna"), site.now)


def test_a_deleted_ranking_is_soon_not_found(site):
    identifier = site.ranking({site.image(): 50.0})
    site.visit(identifier)
    ranking.delete(site.store, identifier)
    site.later(best.KNOWN_SECONDS + 1)
    with pytest.raises(NotFound):
        site.visit(identifier)


def test_a_ranking_without_scores_is_looked_at_again_soon(site):
    image = site.image()
    identifier = site.ranking({})
    with pytest.raises(NotFound):
        site.visit(identifier)
    site.score(identifier, image, 50.0)
    site.later(best.KNOWN_SECONDS + 1)
    assert site.visit(identifier).image == image


def test_two_processes_that_begin_a_slice_together_agree(site):
    """The rival has counted clicks that this process has not seen; whoever writes first decides for both."""
    identifier = site.ranking({site.image(): 50.0 for _ in range(4)})
    chosen = []

    def rival(_service, operation, when):
        if operation == "PutItem" and when == "before":
            site.world.emulator.on_call = lambda *_: None
            site.click(identifier, next(iter(best.scores(site.store, identifier))), 40)
            site.count()
            chosen.extend(site.visit(identifier, name).image for name in "abcdefgh")
            site.another_process()

    site.world.emulator.on_call = rival
    mine = site.visit(identifier, "a").image
    assert [mine, *(site.visit(identifier, name).image for name in "bcdefgh")] == chosen


def test_the_picture_comes_while_the_queue_does_not_answer(site, monkeypatch, capsys):
    def silent(_operation, _request):
        raise queue.Refused("TimeoutError", again=False)

    monkeypatch.setattr(queue, "ask", silent)
    image = site.image()
    assert site.visit(site.ranking({image: 50.0})).image == image
    assert "impression not recorded" in capsys.readouterr().out


def test_a_known_slice_costs_one_look_at_the_image_and_one_at_its_original(site):
    identifier = site.ranking({site.image(): 50.0, site.image(): 50.0})
    site.visit(identifier)
    calls = []
    site.world.emulator.on_call = lambda service, operation, when: when == "before" and calls.append(operation)
    site.visit(identifier, "berta")
    assert calls == ["GetItem", "HeadObject"]
