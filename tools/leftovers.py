"""What is still there of a stage, asked of each service itself rather than of CloudFormation's memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tools.stages import Stage

LOG_GROUP = "AWS::Logs::LogGroup"
SIGNING = "AWS::SecretsManager::Secret"


class Thing(NamedTuple):
    """kind: CloudFormation's resource type; name: its physical id."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.removeprefix('AWS::')} {self.name}"


def thing(kind: str, name: str) -> Thing:
    """A secret goes by its name: CloudFormation calls it by an ARN that ends in six letters of chance."""
    if kind == SIGNING and name.startswith("arn:"):
        name = name.rpartition(":")[2].rpartition("-")[0]
    return Thing(kind, name)


def log_groups(thing: Thing) -> list[Thing]:
    """The log groups that AWS makes for a resource by itself."""
    match thing.kind:
        case "AWS::Lambda::Function":
            return [Thing(LOG_GROUP, f"/aws/lambda/{thing.name}")]
        case "AWS::ApiGateway::RestApi":
            return [Thing(LOG_GROUP, f"API-Gateway-Execution-Logs_{thing.name}/api")]
        case _:
            return []


def find(stage: Stage, things: Iterable[Thing]) -> list[Thing]:
    """Those of the things that still exist; of the kinds in LISTS, which are all that hold data or cost money."""
    wanted = set(things)
    return sorted(wanted & set(_listed(stage, {thing.kind for thing in wanted})))


def everything(stage: Stage) -> list[Thing]:
    """All that there is in the account and region, whoever made it."""
    return sorted(_listed(stage, set(LISTS)))


def _listed(stage: Stage, kinds: set[str]) -> list[Thing]:
    return [Thing(kind, str(name)) for kind in kinds & LISTS.keys() for name in LISTS[kind](stage)]


Lister = Callable[[Stage], Iterable[Any]]


def _pages(service: str, operation: str, path: str, **request: Any) -> Lister:
    """List with a paginator; path is a JMESPath to the physical ids in all pages."""

    def names(stage: Stage) -> Iterable[Any]:
        pages = stage.client(service).get_paginator(operation).paginate(**request)
        yield from (name for name in pages.search(path) if name is not None)

    return names


def _stacks(stage: Stage) -> Iterable[Any]:
    return [stage.stack] if stage.describe() else []


LISTS: dict[str, Lister] = {
    "AWS::CloudFormation::Stack": _stacks,
    "AWS::S3::Bucket": lambda stage: [bucket["Name"] for bucket in stage.s3.list_buckets()["Buckets"]],
    "AWS::DynamoDB::Table": _pages("dynamodb", "list_tables", "TableNames[]"),
    "AWS::SQS::Queue": _pages("sqs", "list_queues", "QueueUrls[]"),
    "AWS::SNS::Topic": _pages("sns", "list_topics", "Topics[].TopicArn"),
    "AWS::Glue::Database": _pages("glue", "get_databases", "DatabaseList[].Name"),
    "AWS::Lambda::Function": _pages("lambda", "list_functions", "Functions[].FunctionName"),
    "AWS::Lambda::EventSourceMapping": _pages("lambda", "list_event_source_mappings", "EventSourceMappings[].UUID"),
    "AWS::Events::Rule": _pages("events", "list_rules", "Rules[].Name"),
    "AWS::ApiGateway::RestApi": _pages("apigateway", "get_rest_apis", "items[].id"),
    "AWS::IAM::Role": _pages("iam", "list_roles", "Roles[].RoleName"),
    "AWS::CloudFront::Distribution": _pages("cloudfront", "list_distributions", "DistributionList.Items[].Id"),
    "AWS::CloudWatch::Alarm": _pages("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName"),
    "AWS::Cognito::UserPool": _pages("cognito-idp", "list_user_pools", "UserPools[].Id", MaxResults=60),
    # A secret that only waits for its end keeps its name from the next stage, too.
    SIGNING: _pages("secretsmanager", "list_secrets", "SecretList[].Name", IncludePlannedDeletion=True),
    LOG_GROUP: _pages("logs", "describe_log_groups", "logGroups[].logGroupName"),
}
