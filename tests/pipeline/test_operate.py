"""The operator's commands on the queues of a running stage."""

from __future__ import annotations

import json

import boto3
import pytest

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


def test_dead_letters_go_back_to_their_queue(cloud, sqs, capsys):
    put(sqs, "color-dlq", {"account": "a234567abcdefghij", "image": "0" * 26})
    assert run(cloud, capsys, "redrive")[1].out.splitlines()[-1] == "1"
    assert run(cloud, capsys, "redrive")[1].out.splitlines()[-1] == "0"


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


def test_failed_images_are_asked_for_again_and_unusable_ones_passed_over(cloud):
    from tools.client import Client
    from tools.connection import demo_token

    client = Client(cloud.base_url, demo_token(cloud.env))
    assert operate.reprocess(cloud.base_url, demo_token(cloud.env), "failed") == 0
    assert list(client.images(state="processing")) == []


def test_the_stage_of_a_command_must_have_a_sane_name():
    with pytest.raises(operate.StageError):
        Stage("Capital")
