"""Models whose home is SageMaker: released when their endpoint serves, replaced without a gap, deleted with it."""

from __future__ import annotations

import time

import msgspec
import pytest

from chalicelib import aws, contract
from chalicelib.errors import Unavailable
from chalicelib.scoring import endpoint, scorers
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from chalicelib.training import cost, models, release, sagemaker, trainer, versions
from tests.pipeline.guard import Grant, Need, allows, arn
from tests.pipeline.posted import posted, put
from tools import sam_template
from tools.stages import ROOT

NOW = 1_750_000_000.0
POSTS = posted(42)
ITEMS = msgspec.convert(POSTS.items(NOW), list[contract.NewPost])


@pytest.fixture(autouse=True)
def stage(world, monkeypatch):
    """A stage that may use SageMaker."""
    monkeypatch.setenv("PROOFSHEET_SAGEMAKER_ROLE", "arn:aws:iam::000000000000:role/proofsheet-local-sagemaker")
    monkeypatch.setenv("PROOFSHEET_SAGEMAKER_IMAGE", "scikit-learn")
    monkeypatch.setattr(endpoint, "PAUSES", (0.0, 0.0))
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


def create(world, store):
    put(store, POSTS, NOW)
    request = contract.NewModel(name="mine", source=contract.Posts(ITEMS[:30]), backend="sagemaker")
    model = models.create(store, request, world.now).id
    world.drain()
    return model


def finish(world, store, model):
    """Let the sweeper come back until the training has ended; what callers saw meanwhile."""
    deadline, steps = time.monotonic() + 150, set()  # on a busy machine
    while (seen := models.view(store, model)).progress is not None:
        assert time.monotonic() < deadline, "the training does not end"
        steps.add(seen.progress.step)
        time.sleep(0.2)
        world.sweep(trainer.AGAIN_SECONDS + 60)
    return steps


def endpoints(world, model):
    return {
        number for number in (1, 2, 3) if sagemaker.endpoint_name(model, number) in world.emulator.app.state["Endpoint"]
    }


def value(store, model, number):
    return scorers.score(store, scorers.name(model, number), POSTS.vectors[:3])[0].value


def test_an_endpoint_serves_is_replaced_without_a_gap_and_goes_with_its_model(world, monkeypatch):
    store = AccountStore("s000000000000001")
    model = create(world, store)
    assert finish(world, store, model) == {"sagemaker"}
    seen = models.view(store, model)
    assert (seen.backend, endpoints(world, model)) == ("sagemaker", {1})
    assert seen.report["cost"]["training"] > cost.job(1)
    assert seen.report["cost"]["thousand_scores"] > cost.scores(0) + cost.asked(0, sagemaker.MEMORY_MB)
    served = value(store, model, 1)
    serving = []
    end = release.end
    monkeypatch.setattr(release, "end", lambda *ending: (serving.append(endpoints(world, model)), end(*ending)))
    models.train(store, model, contract.NewTraining(contract.Posts(ITEMS[30:])), world.now)
    world.drain()
    finish(world, store, model)
    world.drain()
    assert (models.view(store, model).version, serving, endpoints(world, model)) == (2, [{1, 2}], {2})
    # Who has pinned the first version is served by its arrays, which say the same.
    assert [version["backend"] for version in versions.every(store, model)] == ["inline", "sagemaker"]
    assert value(store, model, 1) == pytest.approx(served, abs=1e-6)
    models.roll_back(store, model, world.now)
    world.drain()
    assert (models.view(store, model).backend, endpoints(world, model)) == ("inline", set())
    models.delete(store, model, world.now)
    assert store.partition("model", model) == []


def test_a_model_deleted_while_sagemaker_trains_leaves_no_endpoint(world):
    store = AccountStore("s000000000000002")
    model = create(world, store)
    [waiting] = [models.view(store, model).progress]
    models.delete(store, model, world.now)
    for _ in range(3):
        world.sweep(trainer.AGAIN_SECONDS + 60)
    assert waiting.step == "sagemaker"
    assert endpoints(world, model) == set()
    assert store.partition("model", model) == []


def test_a_training_that_sagemaker_refuses_fails_with_its_words(world, monkeypatch):
    store = AccountStore("s000000000000003")

    def refused(*_where):
        raise sagemaker.TrainingFailed("The training job ended as Failed: no room.")

    monkeypatch.setattr(sagemaker, "advance", refused)
    seen = models.view(store, create(world, store))
    assert (seen.state, seen.version, seen.reason) == ("failed", None, "The training job ended as Failed: no room.")


def test_an_endpoint_that_cannot_go_yet_goes_later(world, monkeypatch):
    store, asked = AccountStore("s000000000000004"), []

    def refused(*_where):
        raise sagemaker.TrainingFailed("It took too long.")

    def busy_at_first(*where):
        asked.append(where)
        if len(asked) == 1:
            raise Unavailable("The model's endpoint is still being made; try again.")

    monkeypatch.setattr(sagemaker, "advance", refused)
    monkeypatch.setattr(sagemaker, "remove", busy_at_first)
    model = create(world, store)
    for _ in range(3):
        world.sweep(trainer.AGAIN_SECONDS + 60)
    assert asked == [(store.account, model, 1)] * 2
    assert models.view(store, model).state == "failed"


# Least privilege: no emulator enforces IAM

NAMED = {
    "TrainingJobName": "training-job",
    "ModelName": "model",
    "EndpointConfigName": "endpoint-config",
    "EndpointName": "endpoint",
}


class Asked:
    """SageMaker's clients, which note what each request needs. role: who asks now."""

    def __init__(self, world):
        self.world, self.role, self.needs = world, "TrainRole", []

    def client(self, service):
        client = self.world.client(service)
        return Noting(self, client) if service.startswith("sagemaker") else client

    def note(self, method, request):
        action = "sagemaker:" + "".join(word.capitalize() for word in method.split("_"))
        found = [Need(action, own_arn(f"{NAMED[field]}/{name}")) for field, name in request.items() if field in NAMED]
        passed = {request.get("RoleArn"), request.get("ExecutionRoleArn")} - {None}
        self.needs += [(self.role, need) for need in (*found, *(Need("iam:PassRole", role) for role in passed))]


class Noting:
    def __init__(self, asked, client):
        self.asked, self.client = asked, client

    def __getattr__(self, method):
        def call(**request):
            self.asked.note(method, request)
            return getattr(self.client, method)(**request)

        return call


def own_arn(named):
    return f"arn:aws:sagemaker:us-east-1:000000000000:{named}"


def granted():
    """Each role with what the stage's own policies for SageMaker let it do."""
    resources = sam_template.read_yaml(ROOT / "infra" / "functions.yaml")["Resources"].values()
    policies = [each["Properties"] for each in resources if at_home(each)]
    for policy in policies:
        for statement in policy["PolicyDocument"]["Statement"]:
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]):
                    target = arn(resource) if "Fn::Sub" in resource else settings().sagemaker_role
                    yield from ((role["Ref"], Grant(action, target)) for role in policy["Roles"])


def at_home(resource):
    return (resource.get("Type"), resource.get("Condition")) == ("AWS::IAM::Policy", "HasSageMaker")


def listed(found):
    return found if isinstance(found, list) else [found]


def test_the_roles_may_do_what_a_model_at_sagemaker_takes_and_no_more(world, monkeypatch):
    asked, store = Asked(world), AccountStore("s000000000000005")
    monkeypatch.setattr(aws, "client", asked.client)
    model = create(world, store)
    finish(world, store, model)
    for asked.role in ("ScoreRole", "ApiHandlerRole", "TrainRole"):
        value(store, model, 1)
    asked.role = "ApiHandlerRole"
    models.delete(store, model, world.now)
    asked.role = "TrainRole"
    unfinished = create(world, AccountStore("s000000000000006"))
    asked.role = "ApiHandlerRole"
    models.delete(AccountStore("s000000000000006"), unfinished, world.now)
    grants = set(granted())
    denied = [
        each for each in asked.needs if not any(each[0] == role and allows(grant, each[1]) for role, grant in grants)
    ]
    assert denied == []
    assert {need.action for _, need in asked.needs} == {grant.action for _, grant in grants}
