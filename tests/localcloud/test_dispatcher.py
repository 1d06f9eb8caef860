"""The dispatcher does to handlers what AWS would do."""

import json
import os
import signal
import time

import pytest
from botocore.exceptions import ClientError
from chalice import Chalice

from localcloud.clients import client
from localcloud.wiring import Wiring
from tests.localcloud.conftest import BUCKET, eventually


def messages(calls):
    return [record for call in calls for record in call["event"]["Records"]]


def test_a_queue_handler_gets_batches_of_at_most_its_size(observer, mark):
    observer.send(*({"mark": mark, "n": n} for n in range(9)))
    calls = eventually(lambda: len(messages(found := observer.calls("color", mark))) == 9 and found)
    assert max(len(call["event"]["Records"]) for call in calls) <= 4
    assert {json.loads(record["body"])["n"] for record in messages(calls)} == set(range(9))


def test_a_batching_window_gathers_more_than_one_receive_brings_and_no_more_than_the_batch_size(observer, mark):
    for start in range(0, 60, 10):
        observer.send(*({"mark": mark, "n": start + n} for n in range(10)), queue="proofsheet-local-tracking")
    calls = eventually(lambda: len(messages(found := observer.calls("gather", mark))) == 60 and found)
    sizes = [len(call["event"]["Records"]) for call in calls]
    assert 10 < max(sizes) <= 25
    assert {json.loads(record["body"])["n"] for record in messages(calls)} == set(range(60))


def test_a_gathered_batch_is_taken_off_its_queue_to_the_last_message(observer, mark):
    observer.send(*({"mark": mark, "n": n} for n in range(10)), queue="proofsheet-local-tracking")
    observer.send(*({"mark": mark, "n": n} for n in range(10)), queue="proofsheet-local-tracking")
    eventually(lambda: len(messages(observer.calls("gather", mark))) == 20)
    time.sleep(2.5)  # the visibility time
    assert len(messages(observer.calls("gather", mark))) == 20


def test_a_record_carries_what_lambda_puts_into_it(observer, mark):
    observer.client("sqs").send_message(
        QueueUrl=observer.queue("proofsheet-local-color"),
        MessageBody=json.dumps({"mark": mark}),
        MessageAttributes={"kind": {"StringValue": "photo", "DataType": "String"}},
    )
    call, *_ = eventually(lambda: observer.calls("color", mark))
    (record,) = call["event"]["Records"]
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["kind"] == {"stringValue": "photo", "dataType": "String"}
    assert record["eventSourceARN"].endswith(":proofsheet-local-color")
    assert call["function"] == "proofsheet-local-color"
    assert 50_000 < call["remaining"] <= 60_000


def test_a_failed_item_comes_back_alone_and_ends_in_the_dead_letter_queue(observer, mark):
    observer.send({"mark": mark, "do": "fail"}, {"mark": mark}, {"mark": mark})
    eventually(lambda: any(mark in body for body in observer.bodies("proofsheet-local-color-dlq")))
    records = messages(observer.calls("color", mark))
    tries = [record for record in records if json.loads(record["body"]).get("do")]
    assert [record["attributes"]["ApproximateReceiveCount"] for record in tries] == ["1", "2", "3"]
    assert len(records) == len(tries) + 2


def test_an_exception_brings_the_batch_back_after_its_visibility_time(observer, mark):
    observer.send({"mark": mark, "do": "raise"})
    first, second = eventually(lambda: len(found := observer.calls("color", mark)) == 2 and found)
    assert second["at"] - first["at"] >= 1.9


def test_a_crash_of_a_worker_loses_neither_the_message_nor_the_next(observer, mark):
    observer.send({"mark": mark, "do": "exit"})
    calls = eventually(lambda: len(found := observer.calls("color", mark)) == 3 and found, 20)
    assert len({call["pid"] for call in calls}) > 1
    observer.send({"mark": mark + "next"})
    eventually(lambda: observer.calls("color", mark + "next"))
    eventually(lambda: any(mark in body for body in observer.bodies("proofsheet-local-color-dlq")))


def test_a_message_held_by_a_killed_worker_is_handled_by_another(observer, mark):
    observer.send({"mark": mark, "do": "sleep", "seconds": 3})
    (first,) = eventually(lambda: observer.calls("color", mark))
    os.kill(first["pid"], signal.SIGKILL)
    second = eventually(lambda: len(found := observer.calls("color", mark)) == 2 and found)[-1]
    assert second["pid"] != first["pid"]
    assert eventually(lambda: len(pids := observer.local.worker_pids) == 2 and first["pid"] not in pids)


def test_it_stops_within_two_seconds_and_gives_back_what_it_holds(observer, mark):
    observer.send({"mark": mark, "do": "sleep", "seconds": 4})
    eventually(lambda: observer.calls("color", mark))
    started = time.monotonic()
    observer.local.app[1].stop()
    stopped = time.monotonic() - started
    assert stopped < 2.5  # 2 s, and the noise of a shared machine
    # The supervisor starts another dispatcher, which gets the message again.
    eventually(lambda: len(observer.calls("color", mark)) >= 2, 20)


def test_an_uploaded_object_calls_the_handler_of_its_prefix_and_suffix(observer, mark):
    s3 = observer.client("s3")
    for key in (f"originals/{mark}.json", f"originals/{mark}.txt", f"others/{mark}.json"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"{}")
    calls = eventually(lambda: observer.calls("ingest", mark))
    assert [call["event"]["Records"][0]["s3"]["object"]["key"] for call in calls] == [f"originals/{mark}.json"]


def test_the_test_event_of_a_bucket_is_skipped(observer, mark):
    test_event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": mark}
    observer.send(test_event, queue="dev-local-ingest")
    observer.client("s3").put_object(Bucket=BUCKET, Key=f"originals/{mark}.json", Body=b"{}")
    call, *_ = eventually(lambda: observer.calls("ingest", mark))
    assert call["event"]["Records"][0]["eventName"] == "ObjectCreated:Put"


def test_a_notice_on_the_topic_calls_its_handler(observer, mark):
    topic = "arn:aws:sns:us-east-1:000000000000:proofsheet-local-notices"
    observer.client("sns").publish(TopicArn=topic, Message=mark)
    call, *_ = eventually(lambda: observer.calls("notice", mark))
    notice = call["event"]["Records"][0]["Sns"]
    assert (notice["Message"], notice["Subject"], notice["MessageAttributes"]) == (mark, None, {})


def put_event(observer, mark, **detail):
    entry = {"Source": "proofsheet", "DetailType": "Ordered", "Detail": json.dumps({"mark": mark, **detail})}
    observer.client("events").put_events(Entries=[entry])


def test_a_rule_calls_its_handler_for_the_events_of_its_stage(observer, mark):
    put_event(observer, mark, stage="elsewhere")
    put_event(observer, mark, stage="local")
    calls = eventually(lambda: observer.calls("ordered", mark))
    assert {call["event"]["detail"]["stage"] for call in calls} == {"local"}


def test_an_event_that_fails_is_tried_three_times_and_then_set_aside(observer, mark):
    put_event(observer, mark, stage="local", do="raise")
    eventually(lambda: any(mark in body for body in observer.bodies("dev-local-failed")), 15)
    assert len(observer.calls("ordered", mark)) == 3


def test_a_schedule_becomes_a_rule_whose_events_call_the_handler(observer, mark):
    events = observer.client("events")
    assert events.describe_rule(Name="dev-local-sweep")["ScheduleExpression"] == "rate(1 minute)"
    (target,) = events.list_targets_by_rule(Rule="dev-local-sweep")["Targets"]
    tick = {"version": "0", "id": mark, "detail-type": "Scheduled Event", "source": "aws.events", "account": "0"}
    tick |= {"time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": {}}
    observer.send(tick, queue=target["Arn"].rsplit(":", 1)[-1])
    assert eventually(lambda: observer.calls("sweep", mark))


# The Invoke endpoint


def invoke(observer, event, name="proofsheet-local-account_born", **options):
    functions = client("lambda", observer.local.invoke_url)
    return functions.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **options)


def test_invoke_answers_what_the_function_returns(observer, mark):
    answer = invoke(observer, {"mark": mark})
    assert answer["StatusCode"] == 200
    assert "FunctionError" not in answer
    assert json.load(answer["Payload"]) == {"mark": mark}


def test_invoke_tells_of_an_error_in_the_function(observer, mark):
    answer = invoke(observer, {"mark": mark, "do": "raise"})
    error = json.load(answer["Payload"])
    assert answer["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("RuntimeError", "as told")


def test_an_asynchronous_invoke_is_accepted_at_once_and_tried_three_times(observer, mark):
    answer = invoke(observer, {"mark": mark, "do": "raise"}, InvocationType="Event")
    assert answer["StatusCode"] == 202
    eventually(lambda: any(mark in body for body in observer.bodies("dev-local-failed")), 15)
    assert len(observer.calls("account_born", mark)) == 3


def test_a_queue_handler_can_be_invoked_directly(observer, mark):
    event = {"Records": [{"messageId": "1", "body": json.dumps({"mark": mark})}]}
    invoke(observer, event, name="proofsheet-local-color", InvocationType="Event")
    call, *_ = eventually(lambda: observer.calls("color", mark))
    assert call["event"] == event


def test_an_unknown_function_cannot_be_invoked(observer):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        invoke(observer, {}, name="proofsheet-local-nothing")


# Wiring


@pytest.fixture
def other(observer):
    """A stage that no dispatcher polls, with a bucket and a topic of its own."""
    observer.client("s3").create_bucket(Bucket="other-media")
    observer.client("sns").create_topic(Name="other-notices")
    yield Wiring(observer.local.endpoint, "other", 2)
    observer.client("s3").delete_bucket(Bucket="other-media")


def app_with_everything():
    app = Chalice(app_name="everything")
    app.on_s3_event(bucket="other-media", prefix="in/")(lambda event: None)
    app.on_cw_event({"source": ["proofsheet"]}, name="rule")(lambda event: None)
    app.on_sns_message(topic="other-notices", name="notice")(lambda event: None)
    app.schedule("rate(2 minutes)", name="clock")(lambda event: None)
    return app


def connections(wiring):
    """The rules, queues, subscriptions and notifications of the stage."""
    events, sqs, sns, s3 = (client(name, wiring.endpoint) for name in ("events", "sqs", "sns", "s3"))
    notifications = s3.get_bucket_notification_configuration(Bucket="other-media")
    return {
        "rules": sorted(rule["Name"] for rule in events.list_rules(NamePrefix=wiring.prefix)["Rules"]),
        "queues": sorted(sqs.list_queues(QueueNamePrefix=wiring.prefix).get("QueueUrls", [])),
        "subscriptions": [
            found["Endpoint"]
            for found in sns.list_subscriptions()["Subscriptions"]
            if wiring.prefix in found["Endpoint"]
        ],
        "notifications": [queue["Id"] for queue in notifications.get("QueueConfigurations", [])],
    }


def test_wiring_twice_changes_nothing(other):
    other.connect(app_with_everything())
    once = connections(other)
    other.connect(app_with_everything())
    assert connections(other) == once
    assert [len(part) for part in once.values()] == [2, 5, 1, 1]


def test_what_a_handler_leaves_behind_goes_with_it(other):
    other.connect(app_with_everything())
    other.connect(Chalice(app_name="nothing"))
    left = connections(other)
    assert [url.rsplit("/", 1)[-1] for url in left.pop("queues")] == ["dev-other-failed"]
    assert left == {"rules": [], "subscriptions": [], "notifications": []}


def test_a_notification_that_is_not_ours_stays(other, observer):
    url = observer.client("sqs").create_queue(QueueName="foreign")["QueueUrl"]
    queue = {
        "Id": "foreign",
        "QueueArn": "arn:aws:sqs:us-east-1:000000000000:foreign",
        "Events": ["s3:ObjectRemoved:*"],
    }
    observer.client("s3").put_bucket_notification_configuration(
        Bucket="other-media", NotificationConfiguration={"QueueConfigurations": [queue]}
    )
    other.connect(app_with_everything())
    assert "foreign" in connections(other)["notifications"]
    observer.client("sqs").delete_queue(QueueUrl=url)
