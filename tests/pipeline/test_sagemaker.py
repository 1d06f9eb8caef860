"""A version at SageMaker: trained and served by its archive, whatever fails on the way; and gone when it shall go."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from chalicelib import aws, ids
from chalicelib.errors import Unavailable
from chalicelib.scoring import endpoint
from chalicelib.scoring.model import general
from chalicelib.scoring.record import VECTOR_SIZE
from chalicelib.settings import settings
from chalicelib.training import sagemaker, storage
from chalicelib.training.customer import Outcome
from chalicelib.training.dataset import DataSet
from chalicelib.training.pipeline import Recipe, Space, machine, pipeline
from chalicelib.training.sagemaker import TrainingFailed
from localcloud.sagemaker import SageMaker
from tests.pipeline.world import Killed, World

ACCOUNT = "a234567abcdefghij"
# Learns nothing and says 0 of everything; without numpy it starts in no time.
SCRIPT = """
import json, os

def model_fn(folder):
    with open(folder + "/name") as file:
        return file.read()

def input_fn(content, content_type):
    return content.splitlines()

def predict_fn(records, name):
    return {"model": name, "values": [0.0] * len(records)}

def output_fn(prediction, accept):
    return json.dumps(prediction), accept

if __name__ == "__main__":
    with open(os.environ["SM_CHANNEL_TRAINING"] + "/order.json") as file:
        order = json.load(file)
    if "hang" in order:
        import time
        time.sleep(60)
    with open(os.environ["SM_MODEL_DIR"] + "/name", "w") as file:
        file.write(order["name"])
"""


@dataclass(frozen=True)
class Version:
    world: World
    model: str
    number: int = 1

    @property
    def endpoint(self) -> str:
        return sagemaker.endpoint_name(self.model, self.number)

    def put(self, name: str, data: bytes) -> None:
        storage.write(storage.folder(ACCOUNT, self.model, self.number) + name, data)

    def advance(self) -> str:
        return sagemaker.advance(ACCOUNT, self.model, self.number)

    def remove(self) -> None:
        sagemaker.remove(ACCOUNT, self.model, self.number)

    def finish(self, meanwhile: Callable[[], Any] = lambda: None, pause: float = 0.03) -> None:
        deadline = time.monotonic() + 150  # on a busy machine
        while self.advance() != "ready":
            assert time.monotonic() < deadline, "the endpoint does not come"
            meanwhile()
            time.sleep(pause)

    def exists(self) -> list[str]:
        """What of it SageMaker has, but for its training job."""
        state = self.world.emulator.app.state
        return [kind for kind in ("Model", "EndpointConfig", "Endpoint") if self.endpoint in state[kind]]


def on(world: World, operation: str, moment: str, act: Callable[[], None]) -> None:
    """Do something at the next request of that name, once."""

    def on_call(_service: str, name: str, when: str) -> None:
        if (name, when) == (operation, moment):
            world.emulator.on_call = lambda *_: None
            act()

    world.emulator.on_call = on_call


@pytest.fixture(autouse=True)
def stage(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stage that may use SageMaker, and pauses that no test has time for."""
    monkeypatch.setenv("PROOFSHEET_SAGEMAKER_ROLE", "arn:aws:iam::000000000000:role/proofsheet-local-sagemaker")
    monkeypatch.setenv("PROOFSHEET_SAGEMAKER_IMAGE", "scikit-learn")
    monkeypatch.setattr(endpoint, "PAUSES", (0.0, 0.0))
    settings.cache_clear()
    yield
    world.emulator.on_call = lambda *_: None
    monkeypatch.undo()
    settings.cache_clear()


def archive(script: str = SCRIPT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("entry.py")
        member.size = len(script)
        tar.addfile(member, io.BytesIO(script.encode()))
    return packed.getvalue()


@pytest.fixture
def make_plain(world: World) -> Iterator[Callable[..., Version]]:
    """make_plain(): a version whose script says 0 of everything, ready to be trained."""
    made = []

    def make(script: str = SCRIPT, model: str = "", number: int = 1, **order: Any) -> Version:
        version = Version(world, model or ids.new_id(), number)
        known = io.BytesIO()
        np.savez(known, vectors=np.zeros((2, VECTOR_SIZE), np.float32), values=np.zeros(2))
        version.put("sagemaker/sourcedir.tar.gz", archive(script))
        version.put("sagemaker/agreement.npz", known.getvalue())
        version.put("training/order.json", json.dumps({"name": version.endpoint, **order}).encode())
        made.append(version)
        return version

    yield make
    world.emulator.on_call = lambda *_: None
    for version in made:
        version.remove()


@pytest.fixture
def plain(make_plain: Callable[..., Version]) -> Version:
    return make_plain()


@pytest.fixture
def served(plain: Version) -> Version:
    plain.finish()
    return plain


def posts(count: int) -> DataSet:
    chance = np.random.default_rng(1)
    vectors = chance.gamma(0.5, size=(count, VECTOR_SIZE)).astype(np.float32)
    return DataSet(
        images=[f"{number:026}" for number in range(count)],
        vectors=vectors,
        targets=chance.normal(size=count),
        engagement=np.ones(count),
        weights=chance.uniform(0.5, 1, count),
        groups=np.arange(count),
        posted_at=np.arange(count, dtype=np.float64),
    )


# Both homes


def test_an_endpoint_gives_the_values_of_the_models_arrays(world):
    data, space, prior = posts(60), Space.of(general()), general().machine
    recipe = Recipe("svr", prior_weight=0.3, width=0.01)
    fitted = pipeline(space, recipe, prior).fit(data.vectors, data.targets, model__sample_weight=data.weights)
    model = replace(general(), machine=machine(fitted))
    version = Version(world, ids.new_id())
    sagemaker.stage_input(
        ACCOUNT, version.model, 1, data, Outcome(True, model, {}, recipe, "general", data), space, prior
    )
    version.finish(pause=0.3)
    asked = posts(80).vectors[20:]
    values = endpoint.predict(version.endpoint, asked)
    inline = model.machine(model.compression(asked.astype(float)), model.scalars(asked.astype(float)))
    assert np.abs(values - inline).max() < 1e-6
    assert values.std() > 0.05
    version.remove()


def test_the_archive_of_the_code_is_always_the_same_and_holds_the_modules_of_this_repository():
    first = sagemaker.source()
    assert first == sagemaker.source()
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        assert set(tar.getnames()) == set(sagemaker.SOURCES)


def test_an_endpoint_that_does_not_agree_with_the_arrays_never_serves(plain):
    known = io.BytesIO()
    np.savez(known, vectors=np.zeros((2, VECTOR_SIZE), np.float32), values=np.array([0, 2e-6]))
    plain.put("sagemaker/agreement.npz", known.getvalue())
    with pytest.raises(TrainingFailed, match="2e-06 away"):
        plain.finish()


def test_many_rows_go_in_parts(served, monkeypatch):
    monkeypatch.setattr(endpoint, "ROWS", 2)
    assert endpoint.predict(served.endpoint, np.zeros((5, VECTOR_SIZE))).tolist() == [0.0] * 5


# What passes, and what does not


def refusal(code: str, message: str = "", **members: Any) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}, **members}, "InvokeEndpoint")


PASSING = {
    "throttled": refusal("ThrottlingException"),
    "cold": refusal("ModelNotReadyException"),
    "unavailable": refusal("ServiceUnavailable"),
    "internal": refusal("InternalFailure"),
    "gateway": refusal("503"),
    "model error": refusal("ModelError", OriginalStatusCode=500),
    "no answer": refusal("ModelError", OriginalStatusCode=0),
    "vanished": refusal("ValidationError", "Endpoint proofsheet of account 0 not found."),
    "slow": ReadTimeoutError(endpoint_url="endpoint"),
    "unreachable": ConnectTimeoutError(endpoint_url="endpoint"),
}


def failing(world: World, error: Exception, times: int) -> list[str]:
    """The next requests to an endpoint fail; the list grows by each."""
    asked: list[str] = []

    def on_call(_service: str, name: str, when: str) -> None:
        if (name, when) == ("InvokeEndpoint", "before"):
            asked.append(name)
            if len(asked) <= times:
                raise error

    world.emulator.on_call = on_call
    return asked


@pytest.fixture(scope="module")
def row() -> Any:
    return np.zeros((1, VECTOR_SIZE))


def test_what_passes_is_tried_again_and_then_told_as_503(served, row):
    for name, error in PASSING.items():
        asked = failing(served.world, error, times=2)
        assert endpoint.predict(served.endpoint, row).tolist() == [0.0], name
        assert len(asked) == 3
        failing(served.world, error, times=3)
        with pytest.raises(Unavailable) as refused:
            endpoint.predict(served.endpoint, row)
        assert (refused.value.STATUS_CODE, refused.value.retry_after) == (503, endpoint.RETRY_AFTER)


def test_what_does_not_pass_is_not_tried_again(served, row):
    for error in (refusal("AccessDeniedException"), refusal("ModelError", OriginalStatusCode=415)):
        asked = failing(served.world, error, times=1)
        with pytest.raises(ClientError):
            endpoint.predict(served.endpoint, row)
        assert len(asked) == 1


def test_no_try_begins_that_could_end_after_the_budget(served, row, monkeypatch):
    monkeypatch.setattr(endpoint, "BUDGET_SECONDS", 8.9)
    asked = failing(served.world, PASSING["throttled"], times=9)
    with pytest.raises(Unavailable):
        endpoint.predict(served.endpoint, row)
    assert len(asked) == 1


def test_an_endpoint_that_was_deleted_is_a_503(served, row):
    aws.sagemaker().delete_endpoint(EndpointName=served.endpoint)
    with pytest.raises(Unavailable):
        endpoint.predict(served.endpoint, row)


def test_an_endpoint_whose_process_died_comes_back(served, row):
    container = served.world.emulator.app.running["Endpoint", served.endpoint]
    container.process.kill()
    container.process.wait()
    assert endpoint.predict(served.endpoint, row).tolist() == [0.0]


WRONG = {
    "too few": '{"model": "name", "values": [1.0]}',
    "too many": '{"model": "name", "values": [1.0, 2.0, 3.0]}',
    "not a number": '{"model": "name", "values": [1.0, NaN]}',
    "infinite": '{"model": "name", "values": [1.0, 1e999]}',
    "null": '{"model": "name", "values": [1.0, null]}',
    "another version": '{"model": "other", "values": [1.0, 2.0]}',
    "no model": '{"values": [1.0, 2.0]}',
    "html": "<html>",
}


class Runtime:
    def __init__(self, answer: str):
        self.answer = answer

    def invoke_endpoint(self, **_: Any) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.answer.encode())}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_no_score(monkeypatch, answer):
    monkeypatch.setattr(aws, "client", lambda _: Runtime(answer))
    with pytest.raises(Unavailable):
        endpoint.predict("name", np.zeros((2, VECTOR_SIZE)))


# The way there

WRITES = ("CreateTrainingJob", "CreateModel", "CreateEndpointConfig", "CreateEndpoint")
READS = ("DescribeEndpoint", "DescribeTrainingJob", "InvokeEndpoint", "GetObject")


@pytest.mark.parametrize("operation", [*WRITES, *READS])
def test_a_worker_that_dies_at_any_request_goes_on_afterwards(make_plain, world, operation):
    for moment in ("before", "after") if operation in WRITES else ("before",):
        version, died = make_plain(), []

        def kill(died: list[str] = died, moment: str = moment) -> None:
            died.append(moment)
            raise Killed

        on(world, operation, moment, kill)
        with pytest.raises(Killed):
            version.finish()
        version.finish()
        assert died == [moment]
        assert version.exists() == ["Model", "EndpointConfig", "Endpoint"]


@pytest.mark.parametrize("operation", WRITES)
def test_two_workers_at_once_make_one_of_each(plain, world, operation):
    on(world, operation, "before", plain.advance)
    plain.finish()
    assert plain.exists() == ["Model", "EndpointConfig", "Endpoint"]


def test_throttled_requests_only_take_longer(make_plain, world):
    version, throttled = make_plain(), []

    def on_call(_service: str, name: str, when: str) -> None:
        if when == "before" and name in {*WRITES, *READS} - {"GetObject", *throttled}:
            throttled.append(name)
            raise refusal("ThrottlingException")

    world.emulator.on_call = on_call
    version.finish()
    assert set(throttled) == {*WRITES, *READS} - {"GetObject"}


def test_a_job_that_fails_says_why(make_plain):
    version = make_plain(script="raise ValueError('there are no posts')")
    with pytest.raises(TrainingFailed, match="there are no posts"):
        version.finish()


def test_a_request_that_aws_refuses_ends_the_training(plain, world):
    def refuse() -> None:
        raise refusal("ResourceLimitExceeded", "The account-level service limit is 5 endpoints.")

    on(world, "CreateEndpoint", "before", refuse)
    with pytest.raises(TrainingFailed, match="service limit is 5 endpoints"):
        plain.finish()


def test_what_aws_says_names_nothing_of_ours(plain, world):
    def refuse() -> None:
        role = "arn:aws:sts::123456789012:assumed-role/proofsheet-dev-train/x"
        raise refusal("AccessDeniedException", f"User: {role} is not authorized to perform: sagemaker:CreateModel")

    on(world, "CreateModel", "before", refuse)
    with pytest.raises(TrainingFailed) as failed:
        plain.finish()
    assert str(failed.value) == (
        "AWS refused a request: User: (ours) is not authorized to perform: sagemaker:CreateModel"
    )


def test_an_endpoint_that_does_not_start_says_why(make_plain):
    version = make_plain(script=SCRIPT.replace("def model_fn(folder):", "def model_fn(folder):\n    raise OSError"))
    with pytest.raises(TrainingFailed, match="did not pass the ping health check"):
        version.finish()


# Another version, and none


def test_a_new_version_answers_before_the_old_one_goes(make_plain, row):
    old = make_plain()
    old.finish()
    new = make_plain(model=old.model, number=2)
    serving, answers = [old.endpoint], []

    def ask() -> None:
        answers.append(endpoint.predict(serving[0], row).tolist())

    new.finish(meanwhile=ask)
    serving[0] = new.endpoint
    ask()
    old.remove()
    ask()
    assert len(answers) > 3
    assert answers == [[0.0]] * len(answers)


def test_a_version_can_be_removed_twice_and_at_any_step(make_plain, world):
    for operation in WRITES:
        version = make_plain()

        def kill() -> None:
            raise Killed

        on(world, operation, "after", kill)
        with pytest.raises(Killed):
            version.finish()
        version.remove()
        version.remove()
        assert version.exists() == []


def test_a_worker_that_dies_while_it_removes_leaves_the_rest_to_the_next(make_plain, world):
    for operation in ("DescribeTrainingJob", "DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"):
        version = make_plain()
        version.finish()

        def kill() -> None:
            raise Killed

        on(world, operation, "after", kill)
        with pytest.raises(Killed):
            version.remove()
        version.remove()
        assert version.exists() == []


def test_removing_stops_a_job_that_runs(make_plain):
    version = make_plain(hang=True)
    version.advance()
    version.remove()
    with pytest.raises(TrainingFailed, match="ended as Stopped"):
        version.advance()


def test_an_endpoint_that_aws_still_makes_is_removed_later(served, world):
    def refuse() -> None:
        raise refusal("ValidationException", 'Cannot update in-progress endpoint "arn".')

    on(world, "DeleteEndpoint", "before", refuse)
    with pytest.raises(Unavailable):
        served.remove()
    served.remove()
    assert served.exists() == []


# The emulator's own life


def test_an_endpoint_serves_again_after_a_restart_and_not_after_a_reset(plain, world, row, tmp_path, monkeypatch):
    inner, kept = world.emulator.app.app, tmp_path / "sagemaker.json"
    monkeypatch.setattr(world.emulator, "app", SageMaker(inner, kept))
    plain.finish()
    world.emulator.app.close()
    monkeypatch.setattr(world.emulator, "app", SageMaker(inner, kept))
    assert endpoint.predict(plain.endpoint, row).tolist() == [0.0]
    world.emulator.app.reset()
    with pytest.raises(Unavailable):
        endpoint.predict(plain.endpoint, row)
