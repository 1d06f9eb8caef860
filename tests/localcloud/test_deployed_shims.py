"""One contract for each shim of deployed mode: without it, ministack 1.5.33 fails the test."""

from __future__ import annotations

import http.client
import io
import json
import time
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from localcloud.clients import arn, client
from localcloud.deployed import emulator
from tests.localcloud.conftest import eventually

# The one function of these tests: what it tells of its process is what a handler could find out in Lambda.
CODE = """
import base64, importlib.util, json, os, sys, time

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return {
        "libraries": [name for name in ("numpy", "boto3", "ministack", "localcloud") if importlib.util.find_spec(name)],
        "variables": sorted(os.environ),
        "file": os.path.realpath(__file__),
        "process": os.getpid(),
    }

def told(event, context):
    notice = event["Records"][0]["Sns"]
    with open(notice["Message"], "w") as file:
        json.dump(notice, file)

def picture(event, context):
    headers = {"Content-Type": "image/jpeg", "ETag": '"1"', "X-Body": str(event["isBase64Encoded"])}
    body = base64.b64encode(bytes(range(256))).decode()
    return {"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": True}
"""
PICTURE = bytes(range(256))
ERROR = {"responseTemplates": {"application/json": '{"error":{"code":"not_found"}}'}, "statusCode": "404"}
ORIGIN = {"method.response.header.Access-Control-Allow-Origin": "'*'"}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    with emulator(tmp_path_factory.mktemp("deployed")) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def functions(endpoint):
    """Two functions, `one` and `two`, of the same code; `picture` answers a gateway, `told` hears of a topic."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("probe.py", CODE)
    for name, handler in {"one": "handler", "two": "handler", "picture": "picture", "told": "told"}.items():
        client("lambda", endpoint).create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role="arn:aws:iam::000000000000:role/any",
            Handler=f"probe.{handler}",
            Code={"ZipFile": buffer.getvalue()},
            Environment={"Variables": {"OWN": "1"}},
        )
    return ("one", "two")


@pytest.fixture
def invoke(endpoint, functions):
    def call(name="one", **event):
        answer = client("lambda", endpoint).invoke(FunctionName=name, Payload=json.dumps(event))
        return json.load(answer["Payload"])

    return call


def mock(status, **answer):
    """A method that API Gateway answers itself."""
    integration = {
        "type": "mock",
        "requestTemplates": {"application/json": f'{{"statusCode": {status}}}'},
        "responses": {"default": {"statusCode": status, **answer}},
    }
    return {"responses": {status: {"description": status}}, "x-amazon-apigateway-integration": integration}


def document(**more_paths):
    return {
        "swagger": "2.0",
        "info": {"title": "probe", "version": "1"},
        "paths": {
            "/things": {
                "options": mock(
                    "200", responseParameters={**ORIGIN, "method.response.header.X-Id": "context.requestId"}
                ),
                "x-amazon-apigateway-any-method": mock(
                    "405", responseTemplates={"application/json": '{"error":{"code":"method_not_allowed"}}'}
                ),
            },
            **more_paths,
        },
        "x-amazon-apigateway-binary-media-types": ["*/*"],
        "x-amazon-apigateway-gateway-responses": {"MISSING_AUTHENTICATION_TOKEN": ERROR},
    }


@pytest.fixture
def deploy_api(endpoint, request):
    """deploy_api(document): a stack with that API and its stage; the API's id."""
    stacks = client("cloudformation", endpoint)
    name = request.node.name.replace("_", "-")[:60]

    def deploy(body):
        resources = {
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}},
            "Deployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}},
            "Stage": {
                "Type": "AWS::ApiGateway::Stage",
                "Properties": {
                    "RestApiId": {"Ref": "Api"},
                    "DeploymentId": {"Ref": "Deployment"},
                    "StageName": "api",
                },
            },
        }
        template = {"Resources": resources, "Outputs": {"Api": {"Value": {"Ref": "Api"}}}}
        exists = any(stack["StackName"] == name for stack in stacks.describe_stacks()["Stacks"])
        (stacks.update_stack if exists else stacks.create_stack)(StackName=name, TemplateBody=json.dumps(template))
        stack = eventually(lambda: settled(stacks, name))
        return stack["Outputs"][0]["OutputValue"]

    return deploy


def settled(stacks, name):
    stack = stacks.describe_stacks(StackName=name)["Stacks"][0]
    return stack if stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE") else None


def address(endpoint, api, path):
    return f"{endpoint}/restapis/{api}/api/_user_request_{path}"


def test_nothing_of_an_emulator_stays_but_its_log(tmp_path):
    with emulator(tmp_path) as endpoint:
        client("s3", endpoint).create_bucket(Bucket="kept-nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["emulator.log"]


def test_isolation_a_function_finds_nothing_but_its_bundle(invoke):
    seen = invoke()
    assert seen["libraries"] == []
    assert "OWN" in seen["variables"]
    assert not {"VIRTUAL_ENV", "PROOFSHEET_STAGE"} & set(seen["variables"])


def test_shared_trees_functions_of_one_bundle_run_from_one_tree(invoke):
    assert invoke("one")["file"] == invoke("two")["file"]


def test_small_pools_six_calls_at_once_wait_for_two_processes(invoke):
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: invoke(sleep=0.2), range(6)))
    assert len({answer["process"] for answer in answers}) == 2


def test_small_pools_a_queue_is_polled_whatever_the_type_of_its_concurrency(endpoint, functions):
    sqs, stacks = client("sqs", endpoint), client("cloudformation", endpoint)
    url = sqs.create_queue(QueueName="polled")["QueueUrl"]
    mapping = {
        "EventSourceArn": arn("sqs", "polled"),
        "FunctionName": "one",
        "ScalingConfig": {"MaximumConcurrency": {"Ref": "Concurrency"}},
    }
    template = {
        "Parameters": {"Concurrency": {"Type": "Number", "Default": 5}},
        "Resources": {"Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping}},
    }
    stacks.create_stack(StackName="polled", TemplateBody=json.dumps(template))
    eventually(lambda: settled(stacks, "polled"))
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    assert eventually(
        lambda: set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"].values()) == {"0"}
    )


def test_whole_notices_a_function_is_told_what_chalice_reads(endpoint, functions, tmp_path):
    sns, file = client("sns", endpoint), tmp_path / "notice.json"
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn("lambda", "function:told"))
    sns.publish(TopicArn=topic, Message=str(file))
    eventually(lambda: file.exists() and file.read_text().endswith("}"))
    notice = json.loads(file.read_text())
    assert (notice["Subject"], notice["MessageAttributes"]) == (None, {})


def test_quick_stderr_a_silent_warm_call_does_not_wait_for_log_lines(invoke):
    invoke()
    times = []
    for _ in range(10):
        started = time.monotonic()
        invoke()
        times.append(time.monotonic() - started)
    assert min(times) < 0.045


def test_whole_import_unknown_paths_get_the_documents_own_error(endpoint, deploy_api):
    answer = requests.get(address(endpoint, deploy_api(document()), "/nowhere"), timeout=5)
    assert (answer.status_code, answer.json()) == (404, {"error": {"code": "not_found"}})


def test_whole_import_other_methods_get_the_documents_answer(endpoint, deploy_api):
    answer = requests.put(address(endpoint, deploy_api(document()), "/things"), timeout=5)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


def test_whole_import_a_preflight_has_its_headers(endpoint, deploy_api):
    answer = requests.options(address(endpoint, deploy_api(document()), "/things"), timeout=5)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_mock_context_a_header_carries_the_request_id(endpoint, deploy_api):
    answer = requests.options(address(endpoint, deploy_api(document()), "/things"), timeout=5)
    assert uuid.UUID(answer.headers["X-Id"])


def test_whole_import_keeps_the_binary_types(endpoint, deploy_api):
    api = client("apigateway", endpoint).get_rest_api(restApiId=deploy_api(document()))
    assert api["binaryMediaTypes"] == ["*/*"]


@pytest.fixture
def picture(endpoint, deploy_api, functions):
    """picture(method, headers): the answer to a request with these headers and none of the client's own."""
    uri = (
        f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn('lambda', 'function:picture')}/invocations"
    )
    proxy = {"x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": uri}}
    api = deploy_api(document(**{"/picture": dict.fromkeys(("get", "head", "post"), proxy)}))

    def ask(method="GET", body=None, **headers):
        connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=10)
        url = address("", api, "/picture")
        try:
            connection.putrequest(method, url, skip_accept_encoding=True)
            for name, value in {**headers, **({"Content-Length": len(body)} if body else {})}.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            connection.close()

    return ask


def test_first_type_a_picture_arrives_intact_whatever_is_accepted(picture):
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "image/avif,image/webp,*/*;q=0.8"}, {"Accept": "image/*"}):
        status, told, body = picture(**headers)
        assert (status, told["Content-Type"], body) == (200, "image/jpeg", PICTURE)


def test_first_type_a_body_of_no_type_is_binary(picture):
    assert picture("POST", b"\xff")[1]["X-Body"] == "True"


def test_head_of_a_picture_has_its_headers_and_no_body(picture):
    for headers in ({}, {"Accept": "*/*"}):
        status, told, body = picture("HEAD", **headers)
        assert (status, told["Content-Type"], told["ETag"], body) == (200, "image/jpeg", '"1"', b"")


def test_update_in_place_a_changed_document_keeps_the_address(endpoint, deploy_api):
    before = deploy_api(document())
    after = deploy_api(document(**{"/more": {"get": mock("200")}}))
    assert after == before
    assert requests.get(address(endpoint, after, "/more"), timeout=5).status_code == 200


def test_limits_a_body_over_ten_megabytes_is_refused_by_the_gateway(endpoint, deploy_api):
    url = address(endpoint, deploy_api(document()), "/things")
    assert requests.post(url, data=b"x" * (10 * 2**20 + 1), timeout=10).status_code == 413
