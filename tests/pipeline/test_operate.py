"""The operator's commands on the queues of a running stage."""

from __future__ import annotations

import json

import boto3
import pytest
import requests

from tools import operate
from tools.stages import Stage


@pytest.fixture
def sqs(cloud):
    client = boto3.client("sqs", endpoint_url=cloud.env["AWS_ENDPOINT_URL"], region_name="us-east-1")
    yield client
    client.close()


def put(sqs, queue, body, **attributes):
    target = sqs.get_queue_url(QueueName=f"proofsheet-local-{queue}")["QueueUrl"]
    values = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    sqs.send_message(QueueUrl=target, MessageBody=json.dumps(body), MessageAttributes=values)


def run(cloud, capsys, command):
    code = operate.main([command, "--stage", "local", "--endpoint", cloud.env["AWS_ENDPOINT_URL"]])
    return code, capsys.readouterr()


def test_dead_letters_go_back_to_their_queue_and_are_worked_off(cloud, sqs, capsys):
    put(sqs, "color-dlq", {"account": "a234567abcdefghij", "image": "0" * 26})
    assert "1 waiting" in next(line for line in run(cloud, capsys, "status")[1].out.splitlines() if "color-dlq" in line)
    assert run(cloud, capsys, "redrive")[1].out.splitlines()[-1] == "1"
    assert run(cloud, capsys, "redrive")[1].out.splitlines()[-1] == "0"


def test_failed_events_reach_their_function_again_past_a_foreign_message(cloud, capsys, monkeypatch):
    invoked = []
    record = {
        "requestContext": {"functionArn": "arn:aws:lambda:us-east-1:1:function:proofsheet-dev-route:$LATEST"},
        "requestPayload": {"detail": 1},
    }
    found = [{"Body": "foreign", "ReceiptHandle": "1"}, {"Body": json.dumps(record), "ReceiptHandle": "2"}]
    monkeypatch.setattr(operate, "messages", lambda _stage, _queue: iter(found))
    monkeypatch.setattr(operate, "forget", lambda _stage, _queue, message: invoked.append(message["ReceiptHandle"]))
    monkeypatch.setattr(
        Stage,
        "client",
        lambda _self, _service: type("Lambda", (), {"invoke": lambda _, **call: invoked.append(call)})(),
    )
    assert operate.replay(Stage("dev", cloud.env["AWS_ENDPOINT_URL"])) == 1
    call = {"FunctionName": "proofsheet-dev-route", "InvocationType": "Event", "Payload": '{"detail": 1}'}
    assert invoked == [call, "2"]


def test_the_stage_that_is_not_there_is_one_line(cloud, capsys):
    code = operate.main(["redrive", "--stage", "nowhere", "--endpoint", cloud.env["AWS_ENDPOINT_URL"]])
    assert code == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_failed_event_names_its_function_and_payload():
    arn = "arn:aws:lambda:us-east-1:123456789012:function:proofsheet-dev-route:$LATEST"
    record = {"requestContext": {"functionArn": arn}, "requestPayload": {"detail": 1}}
    unreached = {"TARGET_ARN": {"StringValue": arn.removesuffix(":$LATEST")}}
    assert operate.failed_event({"Body": json.dumps(record)}) == ("proofsheet-dev-route", {"detail": 1})
    assert operate.failed_event({"Body": '{"detail": 1}', "MessageAttributes": unreached})[0] == "proofsheet-dev-route"


@pytest.mark.parametrize("body", ["not json", "{}", "[]", '{"requestContext": {"functionArn": "x"}}'])
def test_what_is_no_failed_event_is_left_for_a_person(body):
    with pytest.raises(operate.StageError):
        operate.failed_event({"Body": body})


def test_reprocess_needs_an_address_and_a_key(capsys, monkeypatch):
    monkeypatch.delenv("PROOFSHEET_URL", raising=False)
    monkeypatch.delenv("PROOFSHEET_API_KEY", raising=False)
    assert operate.main(["reprocess", "--stage", "local"]) == 1
    assert "--key" in capsys.readouterr().err


def test_images_are_asked_for_again_and_unusable_ones_passed_over(cloud, tmp_path):
    from tests.bad_images import sample
    from tools.client import Client
    from tools.connection import demo_token

    client = Client(cloud.base_url, demo_token(cloud.env))
    (tmp_path / "good.jpg").write_bytes(sample("jpeg"))
    (tmp_path / "bad.jpg").write_bytes(b"no image at all")
    sent = client.upload([tmp_path / "good.jpg", tmp_path / "bad.jpg"], "reprocess")
    images = [upload.image for upload in sent]
    client.wait(images)
    assert operate.reprocess(cloud.base_url, demo_token(cloud.env), "failed") == 0
    query = {"state": "ready", "limit": 200}
    headers = {"Authorization": f"Bearer {demo_token(cloud.env)}"}
    ready = requests.get(f"{cloud.base_url}/images", query, headers=headers, timeout=10).json()["items"]
    assert images[0] in [image["id"] for image in ready]
    assert operate.reprocess(cloud.base_url, demo_token(cloud.env), "ready") == len(ready)
    client.wait(images)
    client.remove(images)


def test_the_stage_of_a_command_must_have_a_sane_name():
    with pytest.raises(operate.StageError):
        Stage("Capital")
