"""Deploying and destroying: side by side, again, over what was left unfinished, and what a bad request is told."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest

from chalicelib.delivery import signature
from tests.deployed.conftest import BUCKET, FUNCTION, RESOURCES
from tools import deploy as deploying
from tools import destroy as destroying
from tools import leftovers, operate
from tools.deploy import deploy
from tools.destroy import destroy
from tools.stages import Stage, StageError

# CloudFormation accepts it, and fails when it comes to make it.
IMPOSSIBLE = {
    "Type": "AWS::SQS::Queue",
    "DependsOn": ["Function", "MediaBucket"],
    "Properties": {"QueueName": {"Fn::Sub": "proofsheet-${Stage}-redrive"}, "RedrivePolicy": {"maxReceiveCount": 0}},
}


def arguments(stage, *more):
    return ["--stage", stage.name, "--endpoint", stage.endpoint, "--build", str(stage.build), *more]


def answer(stage):
    """What the stage's function returns."""
    call = stage.client("lambda").invoke(FunctionName=f"proofsheet-{stage.name}-api", Payload=b"{}")
    return json.load(call["Payload"])


def status(stage):
    return (stage.describe() or {}).get("StackStatus")


def buckets(stage):
    return {bucket["Name"] for bucket in stage.s3.list_buckets()["Buckets"]}


def fill(stage):
    """Data as a used stage has it: an object, its older version, a delete marker, an unfinished upload."""
    bucket = f"proofsheet-{stage.name}-media-{stage.account}"
    stage.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"old", b"new"):
        stage.s3.put_object(Bucket=bucket, Key="a", Body=body)
    stage.s3.put_object(Bucket=bucket, Key="b", Body=b"x")
    stage.s3.delete_object(Bucket=bucket, Key="b")
    stage.s3.create_multipart_upload(Bucket=bucket, Key="c")
    stage.s3.put_object(Bucket=stage.site_bucket, Key="v/1", Body=b"x")
    stage.s3.put_object(Bucket=stage.events_bucket, Key="raw/1", Body=b"x")


def test_a_deployed_stage_runs_its_bundle_and_tells_where_it_is(stage):
    deploy(stage)
    assert answer(stage) == 1
    note = json.loads(stage.outputs_file.read_text())
    assert note["base_url"] == f"{stage.endpoint}/restapis/restapiid/api/_user_request_"
    assert note["env"]["PROOFSHEET_STAGE"] == stage.name


def test_the_deployment_bucket_is_private_and_encrypted(stage):
    deploy(stage)
    block = stage.s3.get_public_access_block(Bucket=stage.deployment_bucket)["PublicAccessBlockConfiguration"]
    encryption = stage.s3.get_bucket_encryption(Bucket=stage.deployment_bucket)
    assert set(block.values()) == {True}
    assert encryption["ServerSideEncryptionConfiguration"]["Rules"]


def test_a_new_bundle_replaces_the_code_and_keeps_the_data(stage, package):
    deploy(stage)
    fill(stage)
    package(stage.name, code="2")
    deploy(stage)
    assert (answer(stage), status(stage)) == (2, "UPDATE_COMPLETE")
    assert (
        stage.s3.get_object(Bucket=f"proofsheet-{stage.name}-media-{stage.account}", Key="a")["Body"].read() == b"new"
    )


def test_deploying_the_same_again_changes_nothing(stage, capsys):
    deploy(stage)
    deploy(stage)
    assert "Nothing changed" in capsys.readouterr().out
    assert status(stage) == "CREATE_COMPLETE"


def test_a_failed_update_is_rolled_back_and_names_its_cause(stage, package):
    deploy(stage)
    package(stage.name, {**RESOURCES, "Impossible": IMPOSSIBLE}, code="2")
    with pytest.raises(StageError, match=r"rolled back \(UPDATE_ROLLBACK_COMPLETE\): Impossible: "):
        deploy(stage)
    assert answer(stage) == 1


def test_a_failed_first_deploy_is_cleared_away_by_the_next(stage, package):
    package(stage.name, {**RESOURCES, "Impossible": IMPOSSIBLE})
    with pytest.raises(StageError, match="Impossible: "):
        deploy(stage)
    assert status(stage) == "ROLLBACK_COMPLETE"
    package(stage.name)
    deploy(stage)
    assert (status(stage), answer(stage)) == ("CREATE_COMPLETE", 1)


def test_a_deploy_that_ended_before_it_began_is_taken_up(stage, capsys):
    stage.cloudformation.create_change_set(
        StackName=stage.stack,
        ChangeSetName="abandoned",
        ChangeSetType="CREATE",
        TemplateBody='{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}',
    )
    assert status(stage) == "REVIEW_IN_PROGRESS"
    deploy(stage)
    assert status(stage) == "CREATE_COMPLETE"
    assert "taking it up" in capsys.readouterr().out


def test_destroy_leaves_nothing(stage):
    deploy(stage)
    fill(stage)
    answer(stage)  # which makes Lambda's log group
    assert destroy(stage, confirmed=True) == []
    logs = stage.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/proofsheet-{stage.name}-")
    assert (status(stage), logs["logGroups"]) == (None, [])
    assert not {name for name in buckets(stage) if name.startswith(f"proofsheet-{stage.name}-")}
    assert stage.signing_secret not in secrets(stage)
    assert not stage.outputs_file.exists()


def secrets(stage):
    """Those that are to be deleted later included."""
    pages = stage.client("secretsmanager").get_paginator("list_secrets").paginate(IncludePlannedDeletion=True)
    return [secret["Name"] for page in pages for secret in page["SecretList"]]


def test_a_destroyed_stage_can_be_made_again(stage):
    deploy(stage)
    destroy(stage, confirmed=True)
    deploy(stage)
    assert stage.signing_secret in secrets(stage)


def test_a_secret_that_only_waits_for_its_end_is_left_over(stage):
    deploy(stage)
    stage.client("secretsmanager").delete_secret(SecretId=stage.signing_secret, RecoveryWindowInDays=7)
    secret = leftovers.thing(leftovers.SIGNING, stage.signing_secret)
    assert leftovers.find(stage, [secret]) == [secret]


def test_a_secret_goes_by_its_name(stage):
    arn = f"arn:aws:secretsmanager:us-east-1:000000000000:secret:{stage.signing_secret}-a1B2c3"
    assert leftovers.thing(leftovers.SIGNING, arn) == leftovers.thing(leftovers.SIGNING, stage.signing_secret)


def test_an_emulators_site_is_where_the_emulator_shows_it(stage):
    path = stage.folder / "template.json"
    template = json.loads(path.read_text())
    template["Parameters"]["SiteUrl"] = {"Type": "String", "Default": ""}
    template["Outputs"]["SiteUrl"]["Value"] = {"Ref": "SiteUrl"}
    path.write_text(json.dumps(template))
    deploy(stage)
    note = json.loads(stage.outputs_file.read_text())
    assert note["site_url"] == note["env"]["PROOFSHEET_SITE_URL"] == f"{stage.endpoint}/_website/{stage.site_bucket}"


def test_stages_whose_names_begin_alike_do_not_touch_each_other(stage, endpoint, package):
    neighbor = Stage(f"{stage.name}-media", endpoint, stage.build)
    package(neighbor.name, code="3")
    deploy(stage)
    deploy(neighbor)
    answer(neighbor)
    destroy(stage, confirmed=True)
    logs = stage.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/proofsheet-{neighbor.name}-")
    assert (answer(neighbor), len(logs["logGroups"])) == (3, 1)


def test_what_the_template_retains_is_kept_and_counted(stage, package):
    package(stage.name, {**RESOURCES, "MediaBucket": {**BUCKET, "DeletionPolicy": "Retain"}})
    deploy(stage)
    fill(stage)
    (left,) = destroy(stage, confirmed=True)
    assert left.name == f"proofsheet-{stage.name}-media-{stage.account}"
    assert stage.s3.get_object(Bucket=left.name, Key="a")["Body"].read() == b"new"


def test_a_destroy_that_was_interrupted_is_taken_up(stage, monkeypatch):
    deploy(stage)
    answer(stage)
    with monkeypatch.context() as patch:
        patch.setattr(destroying, "_delete_logs", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert destroying.main(arguments(stage, "--yes")) == 130
    assert (status(stage), stage.deployment_bucket in buckets(stage)) == (None, True)
    assert destroy(stage, confirmed=True) == []
    assert not stage.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/proofsheet-{stage.name}-")[
        "logGroups"
    ]


def test_a_protected_stage_keeps_its_data_until_the_protection_is_taken_off(stage):
    path = stage.folder / "template.json"
    template = json.loads(path.read_text())
    template["Parameters"]["Protected"] = {"Type": "String", "Default": "false"}
    # Something has to hang on it, or there is nothing to change.
    template["Resources"]["Queue"]["Properties"]["Tags"] = [{"Key": "protected", "Value": {"Ref": "Protected"}}]
    path.write_text(json.dumps(template))
    deploy(stage, {"Protected": "true"})
    fill(stage)
    with pytest.raises(StageError, match="is protected"):
        destroy(stage, confirmed=True)
    media = f"proofsheet-{stage.name}-media-{stage.account}"
    assert stage.s3.get_object(Bucket=media, Key="a")["Body"].read() == b"new"
    deploy(stage, {"Protected": "false"})
    assert destroy(stage, confirmed=True) == []


@pytest.mark.parametrize("typed", ["", "yes", "test", "TEST0"])
def test_destroy_wants_the_stages_name(stage, typed):
    deploy(stage)
    with pytest.raises(StageError, match="Nothing was destroyed"):
        destroy(stage, confirmed=False, ask=lambda _: typed)
    assert answer(stage) == 1


def test_destroying_a_stage_that_is_not_there_says_so(stage, capsys):
    assert destroying.main(arguments(stage, "--yes")) == 1
    assert capsys.readouterr().err.startswith(f"There is no stage {stage.name} in ")


@pytest.mark.parametrize("name", ["Dev", "1st", "a_b", "", "x" * 21])
@pytest.mark.parametrize("command", [deploying.main, destroying.main])
def test_a_bad_stage_name_is_refused_before_anything_else(command, name, capsys):
    assert command(["--stage", name]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be a stage" in line


@pytest.mark.parametrize(("command", "more"), [(deploying.main, []), (destroying.main, ["--yes"])])
def test_missing_credentials_are_one_clear_line(command, more, stage, monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    assert command(["--stage", stage.name, "--build", str(stage.build), *more]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("No AWS account to work in (Unable to locate credentials")


def test_an_endpoint_where_nothing_answers_is_one_clear_line(stage, capsys):
    assert deploying.main(["--stage", stage.name, "--build", str(stage.build), "--endpoint", "http://127.0.0.1:9"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_used_bucket_name_ends_in_its_name_and_a_stage_that_can_be_deployed_later(stage, capsys):
    used = f"proofsheet-{stage.name}-media-{stage.account}"
    stage.s3.create_bucket(Bucket=used)
    assert deploying.main(arguments(stage)) == 1
    assert "MediaBucket: " in capsys.readouterr().err
    stage.s3.delete_bucket(Bucket=used)
    deploy(stage)
    assert answer(stage) == 1


def test_a_stage_that_is_not_packaged_names_the_command(stage, capsys):
    (stage.folder / "bundle.zip").unlink()
    assert deploying.main(arguments(stage)) == 1
    assert f"make package STAGE={stage.name}" in capsys.readouterr().err
    assert stage.deployment_bucket not in buckets(stage)


def test_each_bundle_that_the_template_asks_for_is_deployed_and_missed_where_it_is_not(stage, capsys):
    path = stage.folder / "template.json"
    template = json.loads(path.read_text())
    template["Parameters"]["CompactionKey"] = {"Type": "String"}
    code = {"S3Bucket": {"Ref": "BundleBucket"}, "S3Key": {"Ref": "CompactionKey"}}
    other = {**FUNCTION["Properties"], "FunctionName": {"Fn::Sub": "proofsheet-${Stage}-compact"}, "Code": code}
    template["Resources"]["Compact"] = {**FUNCTION, "Properties": other}
    path.write_text(json.dumps(template))
    assert deploying.main(arguments(stage)) == 1
    assert "compaction.zip is not there" in capsys.readouterr().err
    with zipfile.ZipFile(stage.folder / "compaction.zip", "w") as archive:
        archive.writestr("probe.py", "def handler(event, context):\n    return 7\n")
    deploy(stage)
    call = stage.client("lambda").invoke(FunctionName=f"proofsheet-{stage.name}-compact", Payload=b"{}")
    assert (answer(stage), json.load(call["Payload"])) == (1, 7)


@pytest.mark.parametrize("parameter", ["Speed=1", "Stage", "=1"])
def test_an_unknown_parameter_is_refused(stage, parameter, capsys):
    assert deploying.main(arguments(stage, "--parameter", parameter)) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


# The compaction by hand


def compact(stage, *more):
    """In a process of its own, since it takes the stage's environment for its own."""
    command = [sys.executable, "-m", "tools.compact", *arguments(stage, *more)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_compaction_by_hand_says_what_it_did(stage):
    deploy(stage)
    done = compact(stage)
    nothing = {"accounts": 0, "parts": 0, "entered": 0, "unreadable": 0, "days": 0}
    assert (done.returncode, json.loads(done.stdout.splitlines()[-1])) == (0, nothing)


def test_a_day_that_is_no_date_is_refused_in_one_line(stage):
    done = compact(stage, "--day", "yesterday")
    assert (done.returncode, done.stdout) == (1, "")
    assert "takes a date such as" in done.stderr.splitlines()[0]


# The signing secret


ACCOUNT = "a234567abcdefghij"


@pytest.fixture
def operator(stage, capsys):
    """operator("signing-key", ...): exit code, output and errors of the operator's command on the deployed stage."""
    deploy(stage)

    def run(*words):
        capsys.readouterr()
        code = operate.main([*words, "--stage", stage.name, "--endpoint", stage.endpoint])
        return code, *capsys.readouterr()

    return run


def test_an_account_is_told_the_key_that_its_addresses_are_verified_with(operator, stage):
    code, told, _ = operator("signing-key", ACCOUNT)
    ring = signature.KeyRing("1", {"1": "first"})
    assert code == 0
    assert json.loads(told) == {
        "account": ACCOUNT,
        "key_id": "1",
        "account_key": signature.account_key("first", ACCOUNT),
    }
    assert signature.KeyRing.read(operate.key_ring(stage)) == ring


def test_a_rotation_keeps_the_key_before_it_and_no_older_one(operator, stage):
    operator("rotate-signing")
    first = signature.KeyRing.read(operate.key_ring(stage))
    assert (first.current, first.secrets["1"], len(first.secrets["2"])) == ("2", "first", 64)
    operator("rotate-signing")
    second = signature.KeyRing.read(operate.key_ring(stage))
    assert (second.current, set(second.secrets)) == ("3", {"2", "3"})
    assert second.secrets["2"] == first.secrets["2"] != second.secrets["3"]
    assert json.loads(operator("signing-key", ACCOUNT)[1])["key_id"] == "3"


def test_a_rotation_shows_no_secret(operator, stage):
    _, told, errors = operator("rotate-signing")
    secrets = signature.KeyRing.read(operate.key_ring(stage)).secrets.values()
    assert not [secret for secret in secrets if secret in told + errors]


@pytest.mark.parametrize("words", [["signing-key"], ["signing-key", "nobody"]])
def test_a_key_of_no_account_is_refused_in_one_line(operator, words):
    code, told, errors = operator(*words)
    assert (code, told) == (1, "")
    assert "needs an account's id" in errors


def test_a_stage_without_a_secret_is_named(stage, capsys):
    for words in (["rotate-signing"], ["signing-key", ACCOUNT]):
        assert operate.main([*words, "--stage", stage.name, "--endpoint", stage.endpoint]) == 1
        assert f"has no secret {stage.signing_secret}" in capsys.readouterr().err
