"""Track, train, rank differently: clicks as a site's visitors send them become a model that knows their taste."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pytest

from chalicelib import aws, ids
from chalicelib.features import schema
from chalicelib.scoring.model import general
from chalicelib.store import AccountStore
from chalicelib.tracking import compaction, consume, envelope, intake, labels
from chalicelib.tracking.pages import DAY
from chalicelib.training import evaluation, fit
from tests.pipeline.world import World

ACCOUNT = "a222222222222222t"
IMAGES, UNSEEN = 90, 60
VIEWS = 50  # of each image at each place
LOOKS = (1.0, 0.5, 0.3)  # how often a place is looked at
WIDTH = len(schema.FEATURES) + schema.EMBEDDING_SIZE


def catalogue(seed, count):
    """Features that show two hidden causes, and the rate at which visitors of this site click: by the first cause."""
    chance = np.random.default_rng(seed)
    causes = chance.normal(size=(count, 2))
    mixing = np.random.default_rng(0).normal(size=(2, WIDTH))
    vectors, mirrored = (np.abs(3 + causes @ mixing + chance.normal(size=(count, WIDTH))) for _ in range(2))
    return vectors, mirrored, 0.25 / (1 + np.exp(-1.5 * causes[:, 0]))


def track(rates, images, now):
    """What a page's script sends: the better half of the images was never at the top, the other never at the end."""
    chance = np.random.default_rng(7)
    low = np.argsort(np.argsort(rates)) >= len(rates) // 2
    events = []
    for image, rate, is_low in zip(images, rates, low, strict=True):
        for place in (2, 3) if is_low else (1, 2):
            about = {"image": image, "position": place}
            clicks = int(chance.binomial(VIEWS, rate * LOOKS[place - 1]))
            events += [("Image Viewed", about)] * VIEWS + [("Image Clicked", about)] * clicks
    order = chance.permutation(len(events))
    return [message(*events[number], now) for number in order]


def message(name, about, now):
    return {
        "messageId": ids.new_id(now),
        "type": "track",
        "event": name,
        "anonymousId": "somebody",
        "properties": about,
    }


def deliver(messages, now):
    """Through intake and queue message to the consumer, each tenth batch twice."""
    bodies = []
    for start in range(0, len(messages), 500):
        body = json.dumps({"batch": messages[start : start + 500]}).encode()
        source = intake.Source(ACCOUNT, "wk", "203.0.113.7", "Firefox", int(now * 1000))
        taken = intake.read_batch(body, source)
        assert taken.rejected == []
        bodies += envelope.pack(ACCOUNT, taken)
    for bunch in (bodies, bodies[::10]):
        consume.count(bunch, [hashlib.sha256(each.encode()).hexdigest() for each in bunch], now)


class Files:
    """S3 for compaction, which sends files; the emulator's quick client takes bytes alone."""

    def __init__(self, s3):
        self.s3 = s3

    def __getattr__(self, method):
        return getattr(self.s3, method)

    def put_object(self, *, Body, **request):  # noqa: N803 - boto3's own name
        return self.s3.put_object(Body=Body.read() if hasattr(Body, "read") else Body, **request)


@dataclass(frozen=True)
class Tracked:
    """A catalogue whose visitors were tracked for a day that is over and compacted."""

    store: AccountStore
    images: list[str]
    vectors: np.ndarray
    mirrored: np.ndarray
    rates: np.ndarray
    events: int
    window: tuple[int, int]


@pytest.fixture(scope="module")
def tracked(emulator):
    vectors, mirrored, rates = catalogue(1, IMAGES)
    world = World(emulator)
    yesterday = world.now - DAY
    images = [ids.new_id(yesterday) for _ in range(IMAGES)]
    messages = track(rates, images, yesterday)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            aws, "client", lambda service: Files(emulator.client("s3")) if service == "s3" else world.client(service)
        )
        deliver(messages, yesterday)
        compaction.run(world.now, ACCOUNT)
        window = int(world.now) - 7 * DAY, int(world.now)
        yield Tracked(AccountStore(ACCOUNT), images, vectors, mirrored, rates, len(messages), window)


def engagements(tracked):
    return labels.engagements(tracked.store, tracked.window)


def test_every_event_is_in_the_labels_once(tracked):
    assert sum(each.impressions + each.clicks for each in engagements(tracked).values()) == tracked.events


def test_clicks_on_a_site_make_a_model_that_ranks_for_it(tracked):
    found = labels.training_labels(tracked.store, tracked.images, tracked.window)
    engagement = np.array([label.engagement for label in found])
    assert [label.image for label in found] == tracked.images
    rated = fit.RatedSet(tracked.vectors, tracked.mirrored, engagement, np.array(tracked.images))
    new, _, truth = catalogue(2, UNSEEN)
    ours, everybodys = (values(model.score(new)) for model in (fit.fit_model(rated), general()))
    assert evaluation.spearman(truth, ours) > 0.7
    assert evaluation.spearman(truth, everybodys) < 0.5
    assert list(np.argsort(ours)) != list(np.argsort(everybodys))


def values(scores):
    return np.array([score.value for score in scores])


def test_the_place_is_taken_out_of_the_label(tracked):
    seen = [engagements(tracked)[image] for image in tracked.images]
    raw = evaluation.spearman(tracked.rates, np.array([each.clicks / each.impressions for each in seen]))
    corrected = evaluation.spearman(tracked.rates, np.array([each.rate for each in seen]))
    assert corrected > 0.75
    assert corrected > raw + 0.1


def test_compacting_again_changes_no_label(tracked):
    before = engagements(tracked)
    compaction.run(tracked.window[1] + DAY, ACCOUNT)
    assert engagements(tracked) == before
    assert labels.engagement(tracked.store, tracked.images[0], tracked.window) == before[tracked.images[0]]


def test_an_account_that_tracked_nothing_has_no_labels(tracked):
    nobody = AccountStore("a222222222222222u")
    assert labels.training_labels(nobody, tracked.images, tracked.window) == []
    assert labels.engagement(nobody, tracked.images[0], tracked.window) == labels.NEVER_SHOWN
