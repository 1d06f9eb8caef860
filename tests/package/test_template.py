"""The packaged template: what chalice, the merged files of infra/ and the policies make together."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import boto3
import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from chalicelib import errors
from chalicelib.images import extract
from chalicelib.push import imports, planning, sending, standings
from chalicelib.scoring import worker
from tests.pipeline.guard import arn, for_lambda, grants, policy_files

ROOT = Path(__file__).parents[2]
CODES = {
    kind.code: str(kind.STATUS_CODE) for kind in [errors.ProofsheetError, *errors.ProofsheetError.__subclasses__()]
}
# The API, Cognito and the queue's mapping wait for an answer; the next minute makes up for a lost sweep or roll-up, the
# next hour for a lost look at what may be trained anew, a quarter of one for standings, the next night for a lost
# compaction.
PUSH = {"PlanCampaign", "SendSms", "SendPush", "ImportRecipients", "ComputeStandings"}
ANSWERED = {"APIHandler", "AccountBorn", "Score", "Count", "Train", "Rescore", *PUSH}
NEVER_KEPT = ANSWERED | {"SweepStanding", "RollUp", "Retrain", "KeepStandings", "Compact"}


@pytest.fixture(scope="session")
def functions(of_type):
    return of_type("Serverless::Function")


@pytest.fixture(scope="session")
def alarmed(of_type):
    """(metric, the logical id it is measured of), for every alarm that looks at one resource."""
    alarms = of_type("CloudWatch::Alarm").values()
    return {(alarm["MetricName"], logical_id(alarm["Dimensions"][0]["Value"])) for alarm in alarms if named(alarm)}


def named(alarm):
    return [each for each in alarm.get("Dimensions", []) if {"Ref", "Fn::GetAtt"} & set(each["Value"])]


def logical_id(reference):
    return reference.get("Ref") or reference["Fn::GetAtt"][0]


def events(function, kind):
    return [each["Properties"] for each in function.get("Events", {}).values() if each["Type"] == kind]


# Functions


def handler(function):
    return function["FunctionName"]["Fn::Sub"].removeprefix("proofsheet-${Stage}-")


def test_every_function_bears_its_handlers_name(functions):
    names = {function["Handler"]: handler(function) for function in functions.values()}
    assert names.pop("app.app") == "api"
    assert names.pop("chalicelib.tracking.compaction.handler") == "compact"
    assert {f"app.{name}" for name in names.values()} == set(names)


def test_every_function_writes_to_its_own_log_group_which_forgets(functions, of_type):
    groups = of_type("Logs::LogGroup")
    for function in functions.values():
        group = groups[function["LoggingConfig"]["LogGroup"]["Ref"]]
        assert group["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/proofsheet-${{Stage}}-{handler(function)}"}
        assert group["RetentionInDays"] == {"Ref": "LogDays"}


def test_every_function_is_traced_and_alarms_when_it_breaks_off(functions, alarmed):
    assert {each["Tracing"] for each in functions.values()} == {"Active"}
    assert {("Errors", name) for name in functions} <= alarmed


def test_every_function_has_a_role_of_its_own(functions):
    roles = [function["Role"]["Fn::GetAtt"][0] for function in functions.values()]
    assert len(set(roles)) == len(functions)


def test_functions_are_told_where_everything_is(template):
    given = template["Globals"]["Function"]["Environment"]["Variables"]
    read = set(re.findall(r'env\.get\("(PROOFSHEET_\w+)"', (ROOT / "chalicelib/settings.py").read_text()))
    assert read == {name for name in given if name.startswith("PROOFSHEET_")} | {"PROOFSHEET_STAGE"}


def test_functions_end_before_whoever_waits_for_them(functions):
    assert functions["APIHandler"]["Timeout"] <= 29  # API Gateway
    assert functions["AccountBorn"]["Timeout"] <= 5  # Cognito


def test_what_computes_has_a_whole_core(functions):
    measured = {
        "APIHandler": 970,
        "Uploaded": 840,
        "SweepStanding": 840,
        "MakePresets": 442,
        "Content": 173,
        "Quality": 112,
    }
    for name, peak in measured.items():
        assert functions[name]["MemorySize"] == 1769 > 1.5 * peak


# Queues


def test_a_batch_reports_its_failures_one_by_one_and_has_six_times_its_time(template, functions, of_type):
    read = [(each, event) for name, each in functions.items() for event in events(each, "SQS") if name != "Count"]
    assert len(read) == 13
    assert sum(event["ScalingConfig"]["MaximumConcurrency"] for _, event in read) <= 500
    for function, event in read:
        visible = of_type("SQS::Queue")[logical_id(event["Queue"])]["VisibilityTimeout"]["Ref"]
        assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert event["ScalingConfig"]["MaximumConcurrency"] >= 2
        assert 6 * function["Timeout"] <= template["Parameters"][visible]["Default"]


@pytest.mark.parametrize(("name", "channel"), [("SendSms", "SMS"), ("SendPush", "PUSH")])
def test_as_many_workers_as_share_a_channels_rate_take_one_chunk_each(template, functions, name, channel):
    [event] = events(functions[name], "SQS")
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert event["ScalingConfig"]["MaximumConcurrency"] == int(variables[f"PROOFSHEET_{channel}_WORKERS"])
    assert event["BatchSize"] == 1


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("SendSms", sending.RUN_SECONDS),
        ("SendPush", sending.RUN_SECONDS),
        ("PlanCampaign", planning.RUN_SECONDS),
        ("ImportRecipients", imports.RUN_SECONDS),
        ("ComputeStandings", standings.WORK_SECONDS),
    ],
)
def test_a_turn_ends_before_its_function_does(functions, name, seconds):
    assert functions[name]["Timeout"] >= 1.25 * seconds


def test_a_lease_outlives_the_function_that_took_it(functions):
    assert max(functions[name]["Timeout"] for name in ("SendSms", "SendPush")) <= sending.LEASE_SECONDS


def test_a_batch_of_events_gathers_comes_back_whole_and_has_six_times_its_time_and_the_gathering(template, functions):
    [event] = events(functions["Count"], "SQS")
    gathers = event["MaximumBatchingWindowInSeconds"]
    visible = template["Parameters"]["TrackingVisibilitySeconds"]["Default"]
    assert (event["BatchSize"], gathers, "FunctionResponseTypes" in event) == (1000, 20, False)
    assert visible >= 6 * functions["Count"]["Timeout"] + gathers


def test_every_queue_is_encrypted_and_its_dead_letters_are_kept_for_two_weeks(of_type, alarmed):
    queues = of_type("SQS::Queue")
    dead = {logical_id(each["RedrivePolicy"]["deadLetterTargetArn"]) for each in queues.values() if is_source(each)}
    assert {each["SqsManagedSseEnabled"] for each in queues.values()} == {True}
    assert {queues[name]["MessageRetentionPeriod"] for name in dead | {"FailedEvents"}} == {14 * 24 * 3600}
    assert set(queues) == dead | {name for name, each in queues.items() if is_source(each)} | {"FailedEvents"}
    assert {("ApproximateNumberOfMessagesVisible", name) for name in dead | {"FailedEvents"}} <= alarmed
    assert {("ApproximateAgeOfOldestMessage", name) for name, each in queues.items() if is_source(each)} <= alarmed


def is_source(queue):
    return "RedrivePolicy" in queue


def test_the_last_delivery_is_the_one_the_workers_take_for_the_last(of_type):
    queues = {name: each for name, each in of_type("SQS::Queue").items() if is_source(each) and name != "TrackingQueue"}
    counts = {each["RedrivePolicy"]["maxReceiveCount"] for each in queues.values()}
    assert counts == {extract.LAST_ATTEMPT} == {worker.LAST_ATTEMPT}


def test_every_queue_is_read(of_type, functions):
    read = {logical_id(event["Queue"]) for function in functions.values() for event in events(function, "SQS")}
    assert read == {name for name, each in of_type("SQS::Queue").items() if is_source(each)}


# Events


def test_what_fails_without_a_caller_is_tried_again_and_kept(functions):
    kept = {"DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": {"Fn::GetAtt": ["FailedEvents", "Arn"]}}}}
    for name, function in functions.items():
        if name not in NEVER_KEPT:
            assert kept.items() <= function["EventInvokeConfig"].items(), name
            assert function["EventInvokeConfig"]["MaximumRetryAttempts"] == 2


def test_a_rule_keeps_what_its_function_would_not_take(functions):
    rules = [event for function in functions.values() for event in events(function, "EventBridgeRule")]
    assert len(rules) == 7
    assert {logical_id(rule["DeadLetterConfig"]["Arn"]) for rule in rules} == {"FailedEvents"}
    assert not [function for function in functions.values() if events(function, "CloudWatchEvent")]


def test_notices_reach_the_inbox(functions):
    [event] = events(functions["Inform"], "SNS")
    assert event["Topic"] == {"Ref": "NoticesTopic"}


def test_the_pools_trigger_is_the_function_it_may_invoke(template, functions):
    trigger = template["Resources"]["UserPool"]["Properties"]["LambdaConfig"]["PostConfirmation"]["Fn::Sub"]
    permission = template["Resources"]["AccountBornPermission"]["Properties"]
    assert trigger.rpartition(":")[2] == functions["AccountBorn"]["FunctionName"]["Fn::Sub"]
    assert permission["FunctionName"] == {"Ref": "AccountBorn"}
    assert permission["SourceArn"] == {"Fn::GetAtt": ["UserPool", "Arn"]}


# Policies. That they fit what the code does is for tests/pipeline/test_permissions.py; here, what Lambda itself needs.


def lambda_needs(function, queues):
    """(action, name) of what Lambda does in this function's name; * where AWS has no name for it."""
    name = function["FunctionName"]["Fn::Sub"].replace("${Stage}", "local")
    needed = {("xray:PutTelemetryRecords", "*"), ("xray:PutTraceSegments", "*")}
    needed |= {(f"logs:{action}", f"/aws/lambda/{name}") for action in ("CreateLogStream", "PutLogEvents")}
    receive = ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    for event in events(function, "SQS"):
        queue = queues[logical_id(event["Queue"])]["QueueName"]["Fn::Sub"].replace("${Stage}", "local")
        needed |= {(f"sqs:{action}", queue) for action in receive}
    if "DestinationConfig" in function.get("EventInvokeConfig", {}):
        needed.add(("sqs:SendMessage", "proofsheet-local-failed-events"))
    return needed


def test_a_policy_gives_lambda_what_it_needs_for_its_functions_and_no_more(functions, of_type):
    needed = {}
    for name, file in policy_files().items():
        function = next(it for it in functions.values() if handler(it) == ("api" if name == "api_handler" else name))
        needed.setdefault(file, set()).update(lambda_needs(function, of_type("SQS::Queue")))
    given = {
        file: {
            (grant.action, grant.resource.removesuffix(":*").rpartition(":")[2])
            for grant in grants(file)
            if for_lambda(grant, grants(file))
        }
        for file in needed
    }
    assert given == needed


def test_a_role_has_the_policy_that_was_tested(template, functions):
    files = {("api" if name == "api_handler" else name): file for name, file in policy_files().items()}
    for function in (each for each in functions.values() if each["Handler"].startswith("app.")):
        role = template["Resources"][function["Role"]["Fn::GetAtt"][0]]["Properties"]
        [policy] = role["Policies"]
        assert policy["PolicyDocument"] == json.loads((ROOT / ".chalice" / files[handler(function)]).read_text())


# The API


@pytest.fixture(scope="session")
def refusals(template):
    """The gateway's own answers: (status, error, headers) by type."""
    answers = template["Resources"]["RestAPI"]["Properties"]["GatewayResponses"]
    return {
        kind: (
            each.get("StatusCode"),
            json.loads(each["ResponseTemplates"]["application/json"])["error"],
            each["ResponseParameters"]["Headers"],
        )
        for kind, each in answers.items()
    }


def test_the_gateway_refuses_in_the_contracts_words(refusals):
    for kind, (status, error, _) in refusals.items():
        assert CODES[error["code"]] == status or kind == "DEFAULT_4XX"
        assert set(error) == {"code", "message"}
    assert {"401", "403", "404", "413", "415", "429", "503"} <= {status for status, *_ in refusals.values()}


def test_a_page_of_another_origin_can_read_every_refusal(refusals):
    for _, _, headers in refusals.values():
        assert headers["Access-Control-Allow-Origin"] == "'*'"
        assert headers["X-Request-Id"] == "context.requestId"


def test_a_refusal_that_will_pass_says_when_to_come_back(refusals):
    passing = {kind for kind, (status, *_) in refusals.items() if status in ("429", "503")}
    assert passing == {kind for kind, (*_, headers) in refusals.items() if "Retry-After" in headers}


def test_the_api_is_throttled_as_a_whole(template):
    [method] = template["Resources"]["RestAPI"]["Properties"]["MethodSettings"]
    assert (method["HttpMethod"], method["ResourcePath"]) == ("*", "/*")
    assert method["ThrottlingRateLimit"] == {"Ref": "ApiRequestsPerSecond"}


def test_no_stage_stands_beside_the_throttled_one(template):
    given = {"Stage": "dev", "BundleBucket": "b", "BundleKey": "k", "CompactionKey": "c"}
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    made = translator.translate(copy.deepcopy(template), given)["Resources"].values()
    gateway = [each["Properties"] for each in made if each["Type"].startswith("AWS::ApiGateway::")]
    assert {each["StageName"] for each in gateway if "StageName" in each} == {"api"}


def test_the_alarm_on_5xx_looks_at_this_stages_api(template):
    alarm = template["Resources"]["ApiServerErrorsAlarm"]["Properties"]["Dimensions"]
    api = template["Resources"]["RestAPI"]["Properties"]
    assert {each["Name"]: each["Value"] for each in alarm} == {"ApiName": api["Name"], "Stage": api["StageName"]}
    assert api["DefinitionBody"]["info"]["title"] == api["Name"]


@pytest.mark.parametrize("safety_net", ["SweepStanding", "RollUp"])
def test_a_safety_net_that_stops_is_told(of_type, safety_net):
    watched = [each for each in of_type("CloudWatch::Alarm").values() if each.get("MetricName") == "Invocations"]
    [alarm] = [each for each in watched if logical_id(each["Dimensions"][0]["Value"]) == safety_net]
    assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("LessThanThreshold", "breaching")


def test_the_gateway_traces_no_addresses_and_no_queries(template):
    assert template["Resources"]["RestAPI"]["Properties"]["TracingEnabled"] is False


def own_metrics(alarms):
    """(name, dimensions) of each metric of ours that an alarm looks at, alone or in a formula."""
    for alarm in alarms:
        parts = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
        for metric in parts or [alarm]:
            if metric["Namespace"] == "Proofsheet":
                yield metric["MetricName"], json.dumps(metric["Dimensions"])


def test_an_alarm_on_a_metric_of_our_own_looks_at_what_the_code_counts(of_type):
    watched = list(own_metrics(of_type("CloudWatch::Alarm").values()))
    code = "".join(path.read_text() for path in (ROOT / "chalicelib").glob("**/*.py"))
    assert {"VariantFailed", "EventsRejected", "EventsUnreadable", "CounterLagSeconds"} <= {name for name, _ in watched}
    assert [name for name, _ in watched if f'"{name}"' not in code and f"{name}=(" not in code] == []
    stage = '{"Name": "stage", "Value": {"Ref": "Stage"}}'
    failed = '{"Name": "state", "Value": "failed"}'
    assert {dimensions for name, dimensions in watched if name != "TrainingEnded"} == {f"[{stage}]"}
    assert dict(watched)["TrainingEnded"] == f"[{stage}, {failed}]"


# Data


def test_data_survives_an_update_and_a_protected_stage_survives_a_delete(template):
    held = [template["Resources"][name] for name in ("MediaBucket", "EventsBucket", "Table", "UserPool")]
    assert {each["UpdateReplacePolicy"] for each in held} == {"Retain"}
    assert template["Resources"]["Table"]["Properties"]["DeletionProtectionEnabled"]["Fn::If"][0] == "IsProtected"
    assert template["Resources"]["UserPool"]["Properties"]["DeletionProtection"]["Fn::If"][0] == "IsProtected"


# The whole


def test_every_name_carries_the_stage(template):
    kinds = ("TopicName", "QueueName", "TableName", "BucketName", "AlarmName", "FunctionName", "LogGroupName")
    text = json.dumps(template)
    for kind in kinds:
        names = re.findall(rf'"{kind}": {{"Fn::Sub": "([^"]+)"}}', text)
        assert names
        assert not [name for name in names if "proofsheet-${Stage}" not in name]


def test_no_two_resources_share_a_name(template):
    names = re.findall(r'"(\w+Name)": {"Fn::Sub": "([^"]+)"}', json.dumps(template["Resources"]))
    own = [each for each in names if each[0] in ("TopicName", "QueueName", "AlarmName", "FunctionName", "LogGroupName")]
    assert len(own) == len(set(own))


def test_nothing_is_declared_and_not_used(template):
    text = json.dumps({part: value for part, value in template.items() if part != "Parameters"})
    used = set(re.findall(r'"Ref": "(\w+)"', text)) | set(re.findall(r"\$\{(\w+)\}", text))
    conditions = set(re.findall(r'"Condition": "(\w+)"', text)) | set(re.findall(r'"Fn::If": \["(\w+)"', text))
    assert set(template["Parameters"]) <= used
    assert set(template["Conditions"]) == conditions


def test_clients_learn_where_the_stage_is(template):
    told = {"ApiUrl", "Region", "UserPool", "UserPoolClient", "MediaBucket", "EventsBucket", "RestAPIId"}
    assert told <= set(template["Outputs"])


def test_arns_of_policies_resolve_without_a_rest():
    unresolved = [grant for file in set(policy_files().values()) for grant in grants(file) if "$" in grant.resource]
    assert unresolved == []
    assert arn({"Fn::Sub": "arn:${AWS::Partition}:sqs:${Stage}"}) == "arn:aws:sqs:local"


def test_why_rows_of_a_file_were_not_stored_can_be_read_as_long_as_the_import(of_type):
    rules = of_type("S3::Bucket")["MediaBucket"]["LifecycleConfiguration"]["Rules"]
    [days] = [rule["ExpirationInDays"] for rule in rules if rule.get("Prefix") == "imported/"]
    assert days * 86_400 == imports.ROW_SECONDS
