"""The deployed stage itself, after the black-box suite has used it: python -m tools.e2e."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from pathlib import Path

import pytest
import requests

from tools.deploy import deploy
from tools.stages import Stage

pytestmark = pytest.mark.skipif("PROOFSHEET_E2E" not in os.environ, reason="asks a deployed stage: make e2e")


@pytest.fixture(scope="module")
def running(cloud):
    note = Path(os.environ["PROOFSHEET_E2E"])
    return Stage(cloud.env["PROOFSHEET_STAGE"], cloud.env.get("AWS_ENDPOINT_URL"), note.parent.parent)


@pytest.fixture(scope="module")
def functions(running):
    pages = running.client("lambda").get_paginator("list_functions").paginate()
    names = [function["FunctionName"] for page in pages for function in page["Functions"]]
    return [name for name in names if name.startswith(f"{running.stack}-")]


def log(stage, function):
    pages = stage.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
    return [event["message"] for page in pages for event in page["events"]]


def test_the_compaction_runs_from_its_own_bundle(running):
    call = running.client("lambda").invoke(FunctionName=f"{running.stack}-compact", Payload=b"{}")
    answer = json.load(call["Payload"])
    assert "FunctionError" not in call, answer
    assert answer["unreadable"] == 0


def test_every_function_has_run_the_schedule_and_the_triggers_included(running, functions):
    # That of the night has been invoked above; those of the hour and of its quarters are not waited for.
    names = ("version", "account", "region", "detail", "detail-type", "source", "time", "id", "resources")
    event = dict.fromkeys(names, "") | {"detail": {}, "resources": []}
    for name in ("retrain", "keep_standings"):
        running.client("lambda").invoke(FunctionName=f"{running.stack}-{name}", Payload=json.dumps(event))
    deadline = time.monotonic() + 90  # the sweeper runs once a minute
    idle = set(functions)
    while idle and time.monotonic() < deadline:
        idle -= {name for name in idle if any('"message": "invocation"' in line for line in log(running, name))}
        time.sleep(1)
    assert functions
    assert idle == set()


def test_no_function_failed(running, functions):
    trouble = re.compile(r"Traceback|Task timed out|ImportModuleError|ModuleNotFoundError")
    lines = [line for name in functions for line in log(running, name) if trouble.search(line)]
    # A view's own refusal of what AWS refused is logged with its trace, and answered.
    assert [line for line in lines if '"level": "error"' not in line] == []


def test_no_message_ended_among_the_dead_letters(running):
    sqs = running.client("sqs")
    count = "ApproximateNumberOfMessages"
    urls = [url for url in sqs.list_queues(QueueNamePrefix=running.stack)["QueueUrls"] if url.endswith("-dlq")]
    dead = {url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[count])["Attributes"][count] for url in urls}
    assert urls
    assert {url: number for url, number in dead.items() if number != "0"} == {}


def test_an_update_takes_no_request_away(running, cloud):
    answers, ended = [], threading.Event()

    def ask():
        while not ended.is_set():
            answers.append(requests.get(f"{cloud.base_url}/health", timeout=30).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    outputs = deploy(running, {"LogDays": "7"})
    ended.set()
    asking.join()
    assert len(answers) > 3
    assert set(answers) == {200}
    assert running.base_url(outputs) == cloud.base_url
