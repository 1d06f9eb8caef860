"""What a training cost, in the report of its version: all workers' time, told once."""

from __future__ import annotations

import msgspec
import pytest

from chalicelib import contract
from chalicelib.store import AccountStore
from chalicelib.training import cost, customer, models, trainer, versions
from tests.pipeline.posted import posted, put
from tests.pipeline.world import Killed

NOW = 1_750_000_000.0
POSTS = posted(30)
ITEMS = msgspec.convert(POSTS.items(NOW), list[contract.NewPost])


class Hands:
    """A clock whose time passes while models learn alone."""

    def __init__(self, start):
        self.now = start

    def __call__(self):
        return self.now


@pytest.fixture
def hands(world):
    return Hands(world.now)


def begun(world, account, items=ITEMS):
    store = AccountStore(account)
    put(store, POSTS, NOW)
    source = contract.Posts(items)
    model = models.create(store, contract.NewModel(name="mine", source=source), world.now).id
    world.bag.messages.clear()
    return store, {"account": store.account, "model": model, "number": 1, "backend": "inline"}


def taking(seconds, hands, then):
    """A training that says once how far it is, after so many seconds, and then goes on as `then`."""

    def train(data, priors, progress, **live):
        hands.now += seconds
        progress("choose", 0, 1)
        return then(data, priors, progress, **live)

    return train


def killed(*_data, **_live):
    raise Killed


def broken(*_data, **_live):
    raise ValueError("a bug")


def cost_of(store, message):
    return models.view(store, message["model"]).report["cost"]


def test_the_time_of_workers_that_died_or_broke_off_is_counted(world, hands, monkeypatch):
    store, message = begun(world, "c000000000000001")
    learn = customer.train
    monkeypatch.setattr(customer, "train", taking(100, hands, killed))
    with pytest.raises(Killed):
        trainer.train(message, clock=hands)
    monkeypatch.setattr(customer, "train", taking(10, hands, broken))
    trainer.train(message, clock=hands)
    monkeypatch.setattr(customer, "train", taking(1, hands, learn))
    trainer.train(message, clock=hands)
    # The clock stands still while the model scores.
    assert cost_of(store, message) == cost.report(training=cost.training(111, len(ITEMS)), score=0)
    assert "spent" not in store.get("model", message["model"])


def test_a_cost_that_was_told_stays_when_the_end_is_told_again(world, hands, monkeypatch):
    store, message = begun(world, "c000000000000002")
    monkeypatch.setattr(customer, "train", taking(5, hands, customer.train))
    with monkeypatch.context() as dying:
        dying.setattr(trainer.release, "end", killed)
        with pytest.raises(Killed):
            trainer.train(message, clock=hands)
    hands.now += 1000
    trainer.train(message, clock=hands)
    assert cost_of(store, message)["training"] == round(cost.training(5, len(ITEMS)), 6)
    assert [version["spent"] for version in versions.every(store, message["model"])] == [5000]


def test_posts_that_show_nothing_cost_too_but_score_nothing(world, hands, monkeypatch):
    store, message = begun(world, "c000000000000003", ITEMS[:10])
    monkeypatch.setattr(customer, "train", taking(2, hands, customer.train))
    trainer.train(message, clock=hands)
    assert cost_of(store, message) == cost.report(training=cost.training(2, 10), score=None)


def test_a_version_that_is_taken_back_says_what_its_own_training_cost(world, hands, monkeypatch):
    store, message = begun(world, "c000000000000004")
    learn = customer.train
    monkeypatch.setattr(customer, "train", taking(7, hands, learn))
    trainer.train(message, clock=hands)
    first = cost_of(store, message)
    models.train(store, message["model"], contract.NewTraining(contract.Posts(ITEMS[:1])), hands.now)
    monkeypatch.setattr(
        customer, "train", taking(9, hands, lambda data, priors, progress, **_: learn(data, priors, progress))
    )
    trainer.train({**message, "number": 2}, clock=hands)
    second = cost_of(store, message)
    models.roll_back(store, message["model"], hands.now)
    assert (first["training"] < second["training"], cost_of(store, message)) == (True, first)
