"""Connect a Chalice app's event sources to queues in the emulator.

On AWS, S3, SNS and EventBridge invoke a function asynchronously: Lambda keeps the event in a queue of its own, tries
three times in all, then drops it. Here every function has that queue in the open:

| queue                  | holds                                                          | polled into          |
|------------------------|----------------------------------------------------------------|----------------------|
| dev-{stage}-{function} | events from S3, SNS, EventBridge, schedules and Event invokes  | one event, one call  |
| dev-{stage}-failed     | events that failed three times                                 | nobody               |
| a handler's own queue  | what the app sends                                             | a batch of Records   |

Wiring twice changes nothing; rules, queues and subscriptions of functions that are gone are removed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from localcloud.clients import arn, client

ATTEMPTS = 3
# Batches gather for twenty seconds on AWS, where each has its price; nobody wants to watch that on a laptop.
WINDOW_SECONDS = 1
FAILED = "failed"


@dataclass(frozen=True)
class Source:
    """A queue and the function that its messages are for."""

    function: str
    queue_url: str
    queue_arn: str
    batch_size: int
    window_seconds: int  # how long a batch gathers after its first message
    is_batch: bool  # Records of an SQS event source; otherwise each message is one whole event


@dataclass(frozen=True)
class Wiring:
    """The connections of one stage in the emulator at `endpoint`."""

    endpoint: str
    stage: str
    visibility_seconds: int

    @property
    def prefix(self) -> str:
        return f"dev-{self.stage}-"

    def connect(self, app: Any) -> list[Source]:
        """Everything that the app's handlers wait for, connected and ready to be polled."""
        self._queue(FAILED, {"MessageRetentionPeriod": "1209600"})
        functions = functions_of(app)
        sources = [self._invocations(name) for name in functions]
        notifications: dict[str, list[dict[str, Any]]] = {}
        for source in app.event_sources:
            match type(source).__name__:
                case "SQSEventConfig":
                    sources.append(self._own_queue(source))
                case "S3EventConfig":
                    notifications.setdefault(source.bucket, []).append(self._notification(source))
                case "SNSEventConfig":
                    self._subscribe(source)
                case "CloudWatchEventConfig" | "ScheduledEventConfig":
                    self._rule(source)
                case kind:
                    print(f"{kind} {source.name} is not fired locally", flush=True)
        self._notify(notifications)
        self._remove_stale(functions, app.event_sources)
        return sources

    # Queues

    def _queue(self, name: str, attributes: dict[str, str]) -> tuple[str, str]:
        sqs = client("sqs", self.endpoint)
        url = sqs.create_queue(QueueName=self.prefix + name)["QueueUrl"]
        # Not at creation: that would be refused when the queue exists with other attributes.
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        return url, arn("sqs", self.prefix + name)

    def _invocations(self, function: str) -> Source:
        redrive = {"deadLetterTargetArn": arn("sqs", self.prefix + FAILED), "maxReceiveCount": ATTEMPTS}
        attributes = {"VisibilityTimeout": str(self.visibility_seconds), "RedrivePolicy": json.dumps(redrive)}
        url, queue_arn = self._queue(function, attributes)
        return Source(function, url, queue_arn, batch_size=1, window_seconds=0, is_batch=False)

    def _own_queue(self, source: Any) -> Source:
        name = source.queue or source.queue_arn.split(":")[-1]
        url = client("sqs", self.endpoint).get_queue_url(QueueName=name)["QueueUrl"]
        # One receive brings ten messages at most; AWS gathers more only with a batching window.
        window = min(source.maximum_batching_window_in_seconds, WINDOW_SECONDS)
        size = source.batch_size if window else min(source.batch_size, 10)
        return Source(source.name, url, arn("sqs", name), batch_size=size, window_seconds=window, is_batch=True)

    # Sources

    def _notification(self, source: Any) -> dict[str, Any]:
        rules = [{"Name": key, "Value": value} for key in ("prefix", "suffix") if (value := getattr(source, key))]
        return {
            "Id": self.prefix + source.name,
            "QueueArn": arn("sqs", self.prefix + source.name),
            "Events": list(source.events),
            "Filter": {"Key": {"FilterRules": rules}},
        }

    def _notify(self, wanted: dict[str, list[dict[str, Any]]]) -> None:
        """Set the bucket notifications that changed; each setting sends a test event."""
        s3 = client("s3", self.endpoint)
        for bucket in {*wanted, *(bucket["Name"] for bucket in s3.list_buckets()["Buckets"])}:
            present = s3.get_bucket_notification_configuration(Bucket=bucket)
            present.pop("ResponseMetadata")
            queues = present.get("QueueConfigurations", [])
            foreign = [queue for queue in queues if not queue.get("Id", "").startswith(self.prefix)]
            updated = foreign + wanted.get(bucket, [])
            if _by_id(updated) != _by_id(queues):
                configuration = {**present, "QueueConfigurations": updated}
                s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)

    def _subscribe(self, source: Any) -> None:
        topic = source.topic if source.topic.startswith("arn:") else arn("sns", source.topic)
        sns = client("sns", self.endpoint)
        endpoint = arn("sqs", self.prefix + source.name)
        if endpoint not in {found["Endpoint"] for found in _subscriptions(sns) if found["TopicArn"] == topic}:
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint)

    def _rule(self, source: Any) -> None:
        events = client("events", self.endpoint)
        events.put_rule(Name=self.prefix + source.name, **_trigger(source))
        target = {"Id": "function", "Arn": arn("sqs", self.prefix + source.name)}
        events.put_targets(Rule=self.prefix + source.name, Targets=[target])

    # What earlier versions of the app left behind

    def _remove_stale(self, functions: list[str], sources: list[Any]) -> None:
        triggered = {self.prefix + source.name for source in sources if hasattr(source, "event_pattern")}
        triggered |= {self.prefix + source.name for source in sources if hasattr(source, "schedule_expression")}
        subscribed = {arn("sqs", self.prefix + source.name) for source in sources if hasattr(source, "topic")}
        self._remove_rules(triggered)
        self._remove_subscriptions(subscribed)
        self._remove_queues({self.prefix + name for name in [*functions, FAILED]})

    def _remove_rules(self, wanted: set[str]) -> None:
        events = client("events", self.endpoint)
        for page in events.get_paginator("list_rules").paginate(NamePrefix=self.prefix):
            for name in {rule["Name"] for rule in page["Rules"]} - wanted:
                events.remove_targets(Rule=name, Ids=["function"])
                events.delete_rule(Name=name)

    def _remove_subscriptions(self, wanted: set[str]) -> None:
        sns = client("sns", self.endpoint)
        for found in _subscriptions(sns):
            if found["Endpoint"].startswith(arn("sqs", self.prefix)) and found["Endpoint"] not in wanted:
                sns.unsubscribe(SubscriptionArn=found["SubscriptionArn"])

    def _remove_queues(self, wanted: set[str]) -> None:
        sqs = client("sqs", self.endpoint)
        for page in sqs.get_paginator("list_queues").paginate(QueueNamePrefix=self.prefix):
            for url in page.get("QueueUrls", []):
                if url.rsplit("/", 1)[-1] not in wanted:
                    sqs.delete_queue(QueueUrl=url)


def functions_of(app: Any) -> list[str]:
    """The Lambda functions that Chalice makes of an app, apart from those for its routes and authorizers."""
    return sorted({function.name for function in [*app.event_sources, *app.pure_lambda_functions]})


def _trigger(source: Any) -> dict[str, str]:
    if hasattr(source, "event_pattern"):
        return {"EventPattern": json.dumps(source.event_pattern)}
    schedule = source.schedule_expression
    return {"ScheduleExpression": schedule if isinstance(schedule, str) else schedule.to_string()}


def _subscriptions(sns: Any) -> list[dict[str, str]]:
    pages = sns.get_paginator("list_subscriptions").paginate()
    return [subscription for page in pages for subscription in page["Subscriptions"]]


def _by_id(queues: list[dict[str, Any]]) -> dict[str, Any]:
    return {queue["Id"]: (queue["QueueArn"], sorted(queue["Events"]), _filter_rules(queue)) for queue in queues}


def _filter_rules(queue: dict[str, Any]) -> list[tuple[str, str]]:
    rules = queue.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return sorted((rule["Name"].lower(), rule["Value"]) for rule in rules)
