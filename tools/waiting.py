"""Wait for CloudFormation, and tell what happens meanwhile."""

from __future__ import annotations

import time
from typing import Any

from botocore.exceptions import ClientError

from tools.stages import Stage, say

# CloudFormation allows an hour and more; nothing here takes half of that.
PATIENCE_SECONDS = 1800.0
TELL_SECONDS = 5.0


class Events:
    """The stack's events since this was made."""

    def __init__(self, stage: Stage):
        self.stage = stage
        self.seen = {event["EventId"] for event in self._all()}

    def new(self) -> list[dict[str, Any]]:
        """Oldest first."""
        return [event for event in reversed(self._all()) if event["EventId"] not in self.seen]

    def first_failure(self) -> str:
        """The resource and the reason that started a rollback; later failures follow from it."""
        for event in self.new():
            reason = event.get("ResourceStatusReason", "")
            if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
                return explained(self.stage, f"{event['LogicalResourceId']}: {reason}")
        return "CloudFormation tells no reason"

    def finished(self) -> int:
        """How many resources are done."""
        return len(
            {event["LogicalResourceId"] for event in self.new() if event["ResourceStatus"].endswith("_COMPLETE")}
        )

    def _all(self) -> list[Any]:
        pages = self.stage.cloudformation.get_paginator("describe_stack_events").paginate(StackName=self.stage.stack)
        try:
            return [event for page in pages for event in page["StackEvents"]]
        except ClientError as error:
            if "does not exist" in str(error):
                return []
            raise


def explained(stage: Stage, reason: str, **request: str) -> str:
    """The reason itself; of a failed validation, which only counts its errors, these errors.

    request: ChangeSetName, when it was a change set that failed.
    """
    if "DescribeEvents" not in reason:
        return reason
    found = stage.cloudformation.describe_events(
        StackName=stage.stack,
        Filters={"FailedEvents": True},
        **request,
    )["OperationEvents"]
    errors = [
        f"{event['LogicalResourceId']}: {event['ValidationStatusReason']}"
        for event in found
        if event.get("ValidationStatus") == "FAILED" and event["OperationId"] == found[0]["OperationId"]
    ]
    return "; ".join(errors) or reason


def settled(stage: Stage, events: Events | None = None) -> str | None:
    """The stack's status once nobody works on it any more; None: it is gone.

    events: tell every few seconds how many resources are done.
    """
    started = told = time.monotonic()
    while True:
        stack = stage.describe()
        status = str(stack["StackStatus"]) if stack else None
        if status is None or not status.endswith("_IN_PROGRESS"):
            return status
        now = time.monotonic()
        if now - started > PATIENCE_SECONDS:
            return status
        if events and now - told > TELL_SECONDS:
            told = now
            say(f"  {status}: {events.finished()} resources done after {now - started:.0f} s")
        time.sleep(0.2 if stage.endpoint else 3.0)
