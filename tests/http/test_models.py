"""Models through the API: from posts to a ranking by an own model, and every way to ask for the impossible."""

from __future__ import annotations

import itertools
import json
from typing import Any
from urllib.parse import quote

import boto3
import pytest
import requests

from tests.posting import posted

LOOKS_A_CALL = 5


@pytest.fixture(scope="module")
def owner(new_caller):
    """A member whose trainings nobody else uses up."""
    return new_caller()


@pytest.fixture(scope="module")
def images(owner, photo_bytes):
    uploaded = [owner.upload(data, content_type="image/png") for data in photo_bytes[:2]]
    for image in uploaded:
        assert owner.ready(image)["state"] == "ready"
    return uploaded


def posts(images):
    return [{"image": image, "engagement": count} for count, image in enumerate(images, 1)]


def ended(owner, model):
    return owner.until(f"/models/{model}", lambda seen: seen["state"] not in ("queued", "training"))


def test_two_posts_are_too_few_and_the_model_says_so(owner, images):
    source = {"type": "posts", "items": [*posts(images), {"image": "nobody", "engagement": 1}]}
    accepted = owner("POST", "/models", {"name": "mine", "source": source})
    seen = ended(owner, accepted.json()["id"])
    assert (accepted.status_code, accepted.json()["state"]) == (202, "queued")
    assert (seen["state"], seen["n"], seen["problems"], seen["version"]) == ("not_enough_signal", 2, 1, None)
    assert "2 different images" in seen["reason"]
    [problem] = owner("GET", f"/models/{seen['id']}/problems").json()["items"]
    assert problem == {"row": 2, "image": "nobody", "reason": "There is no such image."}


def test_a_model_at_sagemaker_scores_as_the_inline_one_of_the_same_posts(new_caller, cloud):
    owner = new_caller()
    account = owner("GET", "/me").json()["account"]
    items = posted(cloud, account)
    source = {"type": "posts", "items": items}
    homes = {
        home: owner("POST", "/models", {"name": home, "source": source, "backend": home}).json()["id"]
        for home in ("inline", "sagemaker")
    }
    seen = [woken(owner, cloud, account, model) for model in homes.values()]
    images = [item["image"] for item in items[::10]]
    inline, served = (ranked(owner, images, model) for model in homes.values())
    assert [(each["state"], each["backend"]) for each in seen] == [("ready", "inline"), ("ready", "sagemaker")]
    costs = [each["report"]["cost"]["thousand_scores"] for each in seen]
    assert len(inline) == len(images)
    assert costs[0] < costs[1]
    assert served == [pytest.approx(entry, abs=1e-6) for entry in inline]
    assert owner("DELETE", f"/models/{homes['sagemaker']}").status_code == 204


def woken(owner, cloud, account: str, model: str) -> dict[str, Any]:
    """The end of a first training, whose trainer is called again and again: the sweeper does so once a minute."""
    sqs = boto3.client("sqs", endpoint_url=cloud.env["AWS_ENDPOINT_URL"], region_name="us-east-1")
    queue = sqs.get_queue_url(QueueName=f"proofsheet-{cloud.env['PROOFSHEET_STAGE']}-train")["QueueUrl"]
    message = {"account": account, "model": model, "number": 1, "backend": "sagemaker"}
    looks = itertools.count()

    def is_over(seen: dict[str, Any]) -> bool:
        step = (seen["progress"] or {}).get("step")
        if step == "sagemaker" and next(looks) % LOOKS_A_CALL == 0:
            sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(message))
        return seen["state"] not in ("queued", "training")

    found = owner.until(f"/models/{model}", is_over, seconds=180)
    sqs.close()
    return found


def ranked(owner, images: list[str], model: str) -> list[tuple[float, ...]]:
    """Scores, intervals and odds of these images, the best first."""
    ranking = owner("POST", "/rankings", {"images": images, "model": model}).json()["id"]
    entries = owner.until(f"/rankings/{ranking}", lambda seen: seen["state"] == "complete")["entries"]
    return [(entry["score"], *entry["interval"], entry["beats_next"] or 0.0) for entry in entries]


def test_a_file_is_uploaded_and_read(owner, images):
    data = "\n".join(["image,engagement", *(f"{image},5" for image in images)]).encode()
    slot = owner("POST", "/datasets", {"name": "spring", "format": "csv", "size": len(data)}).json()
    source = {"type": "file", "dataset": slot["id"]}
    early = owner("POST", "/models", {"name": "file", "source": source})
    sent = requests.post(slot["upload"]["url"], data=slot["upload"]["fields"], files={"file": data}, timeout=30)
    model = owner("POST", "/models", {"name": "file", "source": source}).json()["id"]
    assert (early.status_code, early.json()["error"]["field"]) == (409, "source.dataset")
    assert sent.status_code == 204
    assert ended(owner, model)["n"] == 2


def test_an_unfinished_model_ranks_nothing_and_is_deleted(owner, images):
    source = {"type": "tracked", "days": 7}
    model = owner("POST", "/models", {"name": "clicks", "source": source}).json()["id"]
    seen = ended(owner, model)
    ranked = owner("POST", "/rankings", {"images": images, "model": model})
    assert (seen["state"], seen["n"]) == ("not_enough_signal", 0)
    assert (ranked.status_code, ranked.json()["error"]["field"]) == (409, "model")
    assert owner("DELETE", f"/models/{model}").status_code == 204
    assert owner("GET", f"/models/{model}").status_code == 404
    assert model not in {each["id"] for each in owner("GET", "/models").json()["items"]}


def test_a_key_makes_one_model(owner, images):
    body = {"name": "once", "source": {"type": "posts", "items": posts(images)}}
    headers = {"Idempotency-Key": "one-model"}
    made = {owner("POST", "/models", body, headers=headers).json()["id"] for _ in range(3)}
    assert len(made) == 1


@pytest.mark.parametrize("model", ["none", "-e:uM7W|q", "a b", "%00", "é", "x" * 300])
def test_what_no_model_is_called_is_not_there(owner, model):
    for method, path in (("GET", ""), ("GET", "/problems"), ("POST", "/train"), ("POST", "/rollback"), ("DELETE", "")):
        answer = owner(method, f"/models/{quote(model)}{path}", {} if path == "/train" else None)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_another_accounts_model_is_not_there(owner, stranger, images):
    model = owner("GET", "/models").json()["items"][-1]["id"]
    for method, path in (("GET", ""), ("GET", "/problems"), ("POST", "/rollback"), ("DELETE", "")):
        assert stranger(method, f"/models/{model}{path}").status_code == 404
    assert stranger("POST", f"/models/{model}/train", {}).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"name": "x"}, 400, "source"),
        ({"name": "x", "source": {"type": "dreams"}}, 400, "source.type"),
        ({"name": "x", "source": {"type": "posts", "items": []}}, 422, "source.items"),
        ({"name": "x", "source": {"type": "posts", "items": [{"image": "a"}]}}, 400, "source.items[0].engagement"),
        ({"name": "x", "source": {"type": "tracked", "goal": "sales"}}, 400, "source.goal"),
        ({"name": "x", "source": {"type": "tracked", "days": 366}}, 422, "source.days"),
        ({"name": "x", "source": {"type": "file", "dataset": "none"}}, 404, "source.dataset"),
        ({"name": "x", "source": {"type": "tracked"}, "backend": "elsewhere"}, 400, "backend"),
    ],
)
def test_impossible_models_are_refused_with_the_field(owner, body, status, field):
    answer = owner("POST", "/models", body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)


def test_a_file_of_posts_has_a_limit(owner):
    answer = owner("POST", "/datasets", {"name": "x", "format": "csv", "size": 33_000_000})
    assert (answer.status_code, answer.json()["error"]["field"]) == (413, "size")


def test_the_shipped_models_stay(owner):
    assert owner("GET", "/models/general").json()["kind"] == "general"
    assert owner("DELETE", "/models/general").status_code == 409
    assert owner("POST", "/models/general/train", {}).status_code == 409
    assert owner("POST", "/models/general/rollback").status_code == 409
