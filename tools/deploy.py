"""Deploy a packaged stage: python -m tools.deploy --stage x [--endpoint URL] [--parameter NAME=VALUE]

Uploads the bundle under its digest, then lets CloudFormation create or update the stack through a change set; functions
are replaced in place, and a failed update is rolled back by CloudFormation. What an earlier deploy left unfinished is
taken up:

| the stack is                | then                                                                     |
|-----------------------------|--------------------------------------------------------------------------|
| not there                   | create it                                                                |
| REVIEW_IN_PROGRESS          | create it; an earlier deploy ended before it began                       |
| ROLLBACK_*, CREATE_FAILED   | delete what the failed first deploy left, then create it                 |
| *_IN_PROGRESS               | wait for whoever is at work, then look again                             |
| UPDATE_ROLLBACK_FAILED      | let the rollback continue, then update                                   |
| DELETE_FAILED               | refuse: a destroy is unfinished                                          |
| *_COMPLETE                  | update it                                                                |
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localcloud import website
from tools import stages
from tools.stages import BUNDLES, Stage, StageError, code, one_line, say
from tools.waiting import Events, explained, settled

CAPABILITIES: Any = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
FAILED_FIRST = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")
NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = stages.parser(__doc__)
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the template"
    )
    options = parser.parse_args(arguments)

    def command() -> None:
        stage = Stage(options.stage, options.endpoint, options.build)
        deploy(stage, dict(_assignment(text) for text in options.parameter))

    return stages.run(command)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise StageError(f"--parameter takes NAME=VALUE, not {text!r}.")
    return name, value


def deploy(stage: Stage, parameters: dict[str, str] | None = None) -> dict[str, str]:
    """Bring the stage to what its package says; the stack's outputs by name. Raises StageError."""
    package = Package(stage.folder)
    package.require(parameters or {})
    say(f"Deploying {stage.name} to {stage.endpoint or 'AWS'}, account {stage.account}, {stage.region}")
    kind = _make_ready(stage)
    _ensure_bucket(stage)
    for path in package.files:
        _upload(stage, path, package.key(path))
    _apply(stage, package, parameters or {}, kind)
    outputs = _outputs(stage)
    stage.write_outputs(outputs)
    for name, value in sorted(outputs.items()):
        say(f"  {name} = {value}")
    say(f"{stage.name} is at {stage.base_url(outputs)} (written to {stage.outputs_file})")
    return outputs


@dataclass
class Package:
    """What `python -m tools.package` left in a stage's folder."""

    folder: Path

    @property
    def template(self) -> Path:
        return self.folder / "template.json"

    @property
    def bundles(self) -> dict[str, Path]:
        """The zips by the parameters that say where they lie."""
        return {name: self.folder / f"{kind}.zip" for name, kind in BUNDLES.items() if name in self.takes}

    @property
    def files(self) -> list[Path]:
        return [*self.bundles.values(), self.template]

    def require(self, parameters: dict[str, str]) -> None:
        """Raises StageError when it is not whole, or does not take these parameters."""
        # The template first: it says which bundles there are.
        self._require(self.template)
        for path in self.bundles.values():
            self._require(path)
        unknown = sorted(parameters.keys() - self.takes)
        if unknown:
            raise StageError(f"The template has no parameter {', '.join(unknown)}; it has {', '.join(self.takes)}.")

    def _require(self, path: Path) -> None:
        if not path.is_file():
            raise StageError(f"{path} is not there: run `make package STAGE={self.folder.name}` first.")

    @cached_property
    def takes(self) -> list[str]:
        """The names of the template's parameters."""
        try:
            return sorted(json.loads(self.template.read_text()).get("Parameters", {}))
        except ValueError as error:
            raise StageError(f"{self.template} is no template ({one_line(error)}): package again.") from error

    def key(self, path: Path) -> str:
        """Where one of the files lies in the deployment bucket."""
        folder = "templates" if path == self.template else "bundles"
        return f"{folder}/{self._digests[path]}{path.suffix}"

    @cached_property
    def _digests(self) -> dict[Path, str]:
        return {path: _digest(path) for path in self.files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:40]


# What an earlier deploy left


def _make_ready(stage: Stage) -> str:
    """Clear the way; the kind of change set to make, CREATE or UPDATE."""
    while True:
        status = (stage.describe() or {}).get("StackStatus")
        match status:
            case None:
                return "CREATE"
            case "REVIEW_IN_PROGRESS":
                say("An earlier deploy ended before it began: taking it up")
                return "CREATE"
            case "DELETE_FAILED":
                raise StageError(f"{stage.name} is half destroyed: run `make destroy STAGE={stage.name}` first.")
            case "UPDATE_ROLLBACK_FAILED":
                say("An earlier update could not be rolled back: letting the rollback go on")
                stage.cloudformation.continue_update_rollback(StackName=stage.stack)
                if settled(stage) == status:
                    raise StageError(f"The rollback of {stage.stack} fails again: {Events(stage).first_failure()}")
            case status if status in FAILED_FIRST:
                _remove_failed(stage)
            case status if status.endswith("_IN_PROGRESS"):
                say(f"Somebody is at work on {stage.name} ({status}): waiting for its end")
                settled(stage)
            case _:
                return "UPDATE"


def _remove_failed(stage: Stage) -> None:
    say("The first deploy had failed: removing what it left, then starting anew")
    stage.cloudformation.delete_stack(StackName=stage.stack)
    if (status := settled(stage)) is not None:
        raise StageError(f"What a failed deploy left of {stage.stack} cannot be removed ({status}).")


# Bundle and template


def _ensure_bucket(stage: Stage) -> None:
    """The stage's deployment bucket: private, encrypted, and ours. Raises StageError."""
    bucket, s3 = stage.deployment_bucket, stage.s3
    if not _has_bucket(stage):
        elsewhere: Any = (
            {} if stage.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": stage.region}}
        )
        try:
            s3.create_bucket(Bucket=bucket, **elsewhere)
        except (s3.exceptions.BucketAlreadyExists, s3.exceptions.BucketAlreadyOwnedByYou) as error:
            raise _used(bucket) from error
    # Every time: an earlier deploy may have ended between the two.
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )


def _has_bucket(stage: Stage) -> bool:
    try:
        stage.s3.head_bucket(Bucket=stage.deployment_bucket, ExpectedBucketOwner=stage.account)
    except ClientError as error:
        if code(error) in ("404", "NoSuchBucket"):
            return False
        if code(error) in ("301", "403", "AccessDenied"):
            raise _used(stage.deployment_bucket) from error
        raise
    return True


def _used(bucket: str) -> StageError:
    return StageError(f"The bucket name {bucket} is used by another account or region: choose another stage name.")


def _upload(stage: Stage, path: Path, key: str) -> None:
    """Once for each content: the key is its digest."""
    try:
        stage.s3.head_object(Bucket=stage.deployment_bucket, Key=key)
        say(f"{path.name} is there already")
    except ClientError as error:
        if code(error) not in ("404", "NoSuchKey"):
            raise
        say(f"Uploading {path.name}, {path.stat().st_size / 2**20:.1f} MiB")
        stage.s3.upload_file(str(path), stage.deployment_bucket, key)


# Change set


def _apply(stage: Stage, package: Package, parameters: dict[str, str], kind: str) -> None:
    name = f"deploy-{uuid.uuid4().hex}"
    request: Any = {
        "StackName": stage.stack,
        "ChangeSetName": name,
        "ChangeSetType": kind,
        "TemplateURL": _template_url(stage, package),
        "Parameters": _parameters(stage, package, parameters),
        "Capabilities": CAPABILITIES,
        "Tags": [{"Key": "proofsheet:stage", "Value": stage.name}],
    }
    # What is read before the change begins is told from what comes after it by the newest event's id.
    events = Events(stage)
    try:
        stage.cloudformation.create_change_set(**request)
    except ClientError as error:
        raise StageError(f"CloudFormation refuses the template: {one_line(error)}") from error
    if not _has_changes(stage, name):
        say("Nothing changed")
        return
    stage.cloudformation.execute_change_set(StackName=stage.stack, ChangeSetName=name)
    status = settled(stage, events)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise StageError(f"The deploy failed and was rolled back ({status}): {events.first_failure()}")


def _has_changes(stage: Stage, name: str) -> bool:
    """Wait for the change set. Raises StageError when it cannot be made."""
    while True:
        found = stage.cloudformation.describe_change_set(StackName=stage.stack, ChangeSetName=name)
        if found["Status"] == "CREATE_COMPLETE":
            return True
        if found["Status"] == "FAILED":
            break
        time.sleep(1)
    reason = explained(stage, found.get("StatusReason", "no reason given"), ChangeSetName=name)
    stage.cloudformation.delete_change_set(StackName=stage.stack, ChangeSetName=name)
    if any(sentence in reason for sentence in NOTHING_TO_DO):
        return False
    raise StageError(f"CloudFormation refuses the change: {reason}")


def _template_url(stage: Stage, package: Package) -> str:
    if stage.endpoint:
        return f"{stage.endpoint.rstrip('/')}/{stage.deployment_bucket}/{package.key(package.template)}"
    return f"https://{stage.deployment_bucket}.s3.{stage.region}.amazonaws.com/{package.key(package.template)}"


def _parameters(stage: Stage, package: Package, given: dict[str, str]) -> list[dict[str, Any]]:
    """Ours and the given ones; the stack keeps the others that it was given before."""
    keys = {name: package.key(path) for name, path in package.bundles.items()}
    own = {"Stage": stage.name, "BundleBucket": stage.deployment_bucket, **keys}
    if stage.endpoint:  # where no name of a website leads to the emulator, and alarms take single metrics alone
        own |= {"SiteUrl": website.address(stage.endpoint, stage.site_bucket), "AlarmFormulas": "false"}
    values = {name: value for name, value in {**own, **given}.items() if name in package.takes}
    before = {parameter["ParameterKey"] for parameter in (stage.describe() or {}).get("Parameters", [])}
    kept = (before & set(package.takes)) - values.keys()
    return [
        *({"ParameterKey": name, "ParameterValue": value} for name, value in values.items()),
        *({"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)),
    ]


def _outputs(stage: Stage) -> dict[str, str]:
    stack = stage.describe() or {}
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


if __name__ == "__main__":
    sys.exit(main())
