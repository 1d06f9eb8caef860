"""Remove a stage with everything it made: python -m tools.destroy --stage x [--yes] [--endpoint URL]

After the stage's name has been typed (or --yes), empties the stack's buckets of every version, deletes the stack, the
log groups that Lambda and API Gateway made, and last the deployment bucket, which remembers what is still to be
removed: a destroy that was interrupted is taken up by the same command. What the template keeps on purpose
(DeletionPolicy: Retain) is named and kept, and so counted as left over. The signing secret goes at once, without weeks
in which it could be restored: CloudFormation deletes secrets so, and its name is free again. A stage whose parameter
Protected is true is refused before anything is touched.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from tools import leftovers, stages
from tools.leftovers import Thing
from tools.stages import Stage, StageError, code, say
from tools.waiting import settled

# Functions write until they are gone, so a bucket may fill again while the stack is deleted.
ATTEMPTS = 3
MEMORY = "destroying.json"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = stages.parser(__doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(arguments)

    def command() -> None:
        stage = Stage(options.stage, options.endpoint, options.build)
        left = destroy(stage, confirmed=options.yes)
        if left:
            raise StageError(f"{len(left)} left over: {', '.join(str(thing) for thing in left)}.")

    return stages.run(command)


def destroy(stage: Stage, *, confirmed: bool, ask: Callable[[str], str] = input) -> list[Thing]:
    """What is left over of the stage afterwards. Raises StageError, also when there is no such stage."""
    place = f"{stage.endpoint or 'AWS'}, account {stage.account}"
    things = _things(stage)
    if not things:
        raise StageError(f"There is no stage {stage.name} in {place}.")
    _refuse_protected(stage)
    if not confirmed:
        _confirm(stage, place, ask)
    say(f"Destroying {stage.name} in {place}")
    _remember(stage, things)
    _delete_stack(stage, things)
    _delete_logs(stage, things)
    _delete_bucket(stage, stage.deployment_bucket)
    stage.outputs_file.unlink(missing_ok=True)
    left = leftovers.find(stage, things)
    say(f"{stage.name}: {len(left)} left over")
    return left


def _refuse_protected(stage: Stage) -> None:
    """Before anything is touched: the buckets would be empty by the time the table refuses to be deleted.

    A stack in DELETE_FAILED takes no deploy that would end its protection, so it is not refused.
    """
    stack = stage.describe() or {}
    given = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    if given.get("Protected") == "true" and stack["StackStatus"] != "DELETE_FAILED":
        raise StageError(f"{stage.name} is protected: deploy it with --parameter Protected=false first.")


def _confirm(stage: Stage, place: str, ask: Callable[[str], str]) -> None:
    try:
        typed = ask(f"This deletes stage {stage.name} in {place} with all its data. Type its name to go on: ")
    except EOFError:
        typed = ""
    if typed.strip() != stage.name:
        raise StageError(f"Nothing was destroyed: {stage.name} was not typed (--yes goes without).")


def _things(stage: Stage) -> list[Thing]:
    """Everything that the stage consists of; empty when there is no such stage."""
    things = set(_of_stack(stage))
    if _exists(stage, stage.deployment_bucket):
        things |= {Thing("AWS::S3::Bucket", stage.deployment_bucket), *_remembered(stage)}
    return sorted(things | {group for thing in things for group in leftovers.log_groups(thing)})


def _of_stack(stage: Stage) -> Iterable[Thing]:
    stack = stage.describe()
    if stack is None:
        return
    yield Thing("AWS::CloudFormation::Stack", stage.stack)
    # By the stack's id, which also finds a stack that is being deleted.
    for page in stage.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack["StackId"]):
        for resource in page["StackResourceSummaries"]:
            if name := resource.get("PhysicalResourceId"):
                yield leftovers.thing(resource["ResourceType"], name)


def _remember(stage: Stage, things: list[Thing]) -> None:
    """For the next attempt, if this one is interrupted after the stack is gone."""
    if _exists(stage, stage.deployment_bucket):
        body = json.dumps([[thing.kind, thing.name] for thing in things]).encode()
        stage.s3.put_object(Bucket=stage.deployment_bucket, Key=MEMORY, Body=body)


def _remembered(stage: Stage) -> set[Thing]:
    try:
        body = stage.s3.get_object(Bucket=stage.deployment_bucket, Key=MEMORY)["Body"].read()
    except ClientError as error:
        if code(error) in ("404", "NoSuchKey"):
            return set()
        raise
    return {Thing(kind, name) for kind, name in json.loads(body)}


# Stack


def _delete_stack(stage: Stage, things: list[Thing]) -> None:
    if stage.describe() is None:
        return
    kept = _kept(stage)
    for name in kept:
        say(f"  kept by the template's deletion policy: {name}")
    buckets = [thing.name for thing in things if thing.kind == "AWS::S3::Bucket" and thing.name not in kept]
    for _ in range(ATTEMPTS):
        for bucket in buckets:
            if bucket != stage.deployment_bucket:
                _empty_bucket(stage, bucket)
        stage.cloudformation.delete_stack(StackName=stage.stack)
        if settled(stage) is None:
            say("  the stack is deleted")
            return
    raise StageError(f"{stage.stack} cannot be deleted: {', '.join(_undeletable(stage))}; then run this again.")


def _kept(stage: Stage) -> set[str]:
    """The physical names of what the template retains."""
    template: Any = stage.cloudformation.get_template(StackName=stage.stack, TemplateStage="Processed")["TemplateBody"]
    resources = (json.loads(template) if isinstance(template, str) else template).get("Resources", {})
    retained = {name for name, resource in resources.items() if resource.get("DeletionPolicy") == "Retain"}
    pages = stage.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stage.stack)
    summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
    return {summary["PhysicalResourceId"] for summary in summaries if summary["LogicalResourceId"] in retained}


def _undeletable(stage: Stage) -> list[str]:
    pages = stage.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stage.stack)
    return [
        f"{resource['LogicalResourceId']} ({resource.get('ResourceStatusReason', 'no reason given')})"
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceStatus"] == "DELETE_FAILED"
    ]


# Logs and buckets


def _delete_logs(stage: Stage, things: list[Thing]) -> None:
    logs = stage.client("logs")
    for thing in things:
        if thing.kind == leftovers.LOG_GROUP:
            try:
                logs.delete_log_group(logGroupName=thing.name)
            except logs.exceptions.ResourceNotFoundException:
                continue


def _exists(stage: Stage, bucket: str) -> bool:
    try:
        stage.s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=stage.account)
    except ClientError as error:
        if code(error) in ("404", "NoSuchBucket", "403", "AccessDenied", "301"):
            return False
        raise
    return True


def _delete_bucket(stage: Stage, bucket: str) -> None:
    if _exists(stage, bucket):
        _empty_bucket(stage, bucket)
        stage.s3.delete_bucket(Bucket=bucket)


def _empty_bucket(stage: Stage, bucket: str) -> None:
    """Delete every object in every version, every delete marker and every unfinished upload."""
    if not _exists(stage, bucket):
        return
    deleted = 0
    for page in stage.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions: list[Any] = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if versions:
            objects: Any = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
            answer = stage.s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            if answer.get("Errors"):
                raise StageError(f"{bucket} cannot be emptied: {answer['Errors'][0].get('Message')}")
            deleted += len(objects)
    for unfinished in stage.s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in unfinished.get("Uploads", []):
            stage.s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    say(f"  {bucket} is emptied of {deleted} objects")


if __name__ == "__main__":
    sys.exit(main())
