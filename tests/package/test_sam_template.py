"""The template of a stage: what Chalice refuses to say or says of no use to CloudFormation."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools import sam_template

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """That of a stage which .chalice/config.json does not name. It imports app.py under other names: in a process."""
    code = "import json; from tools import sam_template; print(json.dumps(sam_template.generate('trial')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def functions(template) -> Iterator[dict[str, Any]]:
    for entry in template["Resources"].values():
        if entry["Type"] == "AWS::Serverless::Function":
            yield entry["Properties"]


def named(template, name: str) -> dict[str, Any]:
    return next(entry for entry in functions(template) if entry["FunctionName"]["Fn::Sub"].endswith(f"-{name}"))


def test_uploads_are_an_event_of_the_media_bucket(template):
    (event,) = named(template, "uploaded")["Events"].values()
    assert event["Type"] == "S3"
    assert event["Properties"]["Bucket"] == {"Ref": "MediaBucket"}
    assert event["Properties"]["Filter"] == {"S3Key": {"Rules": [{"Name": "prefix", "Value": "originals/"}]}}


def test_workers_wait_for_their_queue_to_be_made(template):
    (event,) = named(template, "color")["Events"].values()
    assert event["Properties"]["Queue"] == {"Fn::GetAtt": ["ColorQueue", "Arn"]}


def test_who_hears_of_a_topic_waits_for_it_to_be_made(template):
    (event,) = named(template, "inform")["Events"].values()
    assert event == {"Type": "SNS", "Properties": {"Topic": {"Ref": "NoticesTopic"}}}


def test_every_function_is_named_knows_its_stage_and_has_the_one_bundle_but_for_the_compaction(template):
    for entry in functions(template):
        assert entry["FunctionName"]["Fn::Sub"].startswith("proofsheet-${Stage}-")
        assert entry["Environment"]["Variables"]["PROOFSHEET_STAGE"] == {"Ref": "Stage"}
        key = "BundleKey" if entry["Handler"].startswith("app.") else "CompactionKey"
        assert entry["CodeUri"] == {"Bucket": {"Ref": "BundleBucket"}, "Key": {"Ref": key}}


def test_a_template_can_only_be_deployed_as_its_own_stage(template):
    assert template["Parameters"]["Stage"]["AllowedValues"] == ["trial"]
    assert template["Parameters"]["Stage"]["Default"] == "trial"


def test_rules_listen_to_their_own_stage(template):
    (event,) = named(template, "plan_scores")["Events"].values()
    assert event["Properties"]["Pattern"]["detail"]["stage"] == ["trial"]


def test_every_handler_is_in_app(template):
    import app

    assert {name.removeprefix("app.") for name in sam_template.handlers(template)["bundle"]} <= set(dir(app))


def test_the_compactions_entry_point_is_in_its_module(template):
    [handler] = sam_template.handlers(template)["compaction"]
    module, _, name = handler.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_cloudformation_can_expand_it(template, monkeypatch):
    from samtranslator.translator.transform import transform

    class NoPolicies:
        def load(self) -> dict[str, str]:
            return {}

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    parameters = {"Stage": "trial", "BundleBucket": "bucket", "BundleKey": "key", "CompactionKey": "other"}
    expanded = transform(template, parameters, NoPolicies())["Resources"]
    notifications = expanded["MediaBucket"]["Properties"]["NotificationConfiguration"]
    assert len(notifications["LambdaConfigurations"]) == 2


def queue(name: str) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": name}}}


def listener(name: str) -> dict[str, Any]:
    event = {"Type": "SQS", "Properties": {"Queue": {"Fn::Sub": f"arn:${{AWS::Partition}}:sqs:::{name}"}}}
    return {"Resources": {"Worker": {"Properties": {"Events": {"Source": event}}}}}


def test_a_queue_that_nothing_makes_is_named():
    shared = {"Resources": {"ColorQueue": queue("proofsheet-${Stage}-color")}}
    with pytest.raises(LookupError, match=r"app\.py listens to the queue proofsheet-dev-colour"):
        sam_template.bind_events(listener("proofsheet-dev-colour"), shared, "dev")


def test_a_merge_goes_key_by_key_and_replaces_lists():
    under = {"A": {"x": 1, "list": [1, 2]}, "B": 2}
    assert sam_template.merge({"A": {"y": 3, "list": [4]}}, under) == {"A": {"x": 1, "y": 3, "list": [4]}, "B": 2}
