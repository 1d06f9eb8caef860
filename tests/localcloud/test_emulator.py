"""The emulator gives what the platform rests on; nothing here needs a shim."""

import jwt
import pytest
import requests
from botocore.exceptions import ClientError
from pycognito.aws_srp import AWSSRP

from localcloud import stack
from tests.localcloud.conftest import BUCKET

TABLE = "proofsheet-local-main"
PASSWORD = "Correct-horse-9"


# What CloudFormation makes of infra/resources.yaml


def test_the_bucket_takes_uploads_from_a_browser(observer):
    (rule,) = observer.client("s3").get_bucket_cors(Bucket=BUCKET)["CORSRules"]
    assert "POST" in rule["AllowedMethods"]


def test_every_worker_queue_has_a_dead_letter_queue_and_the_visibility_asked_for(observer):
    for name in ("quality", "color", "composition", "content", "faces", "score"):
        attributes = observer.client("sqs").get_queue_attributes(
            QueueUrl=observer.queue(f"proofsheet-local-{name}"), AttributeNames=["All"]
        )["Attributes"]
        assert f":proofsheet-local-{name}-dlq" in attributes["RedrivePolicy"]
        assert attributes["VisibilityTimeout"] == "2"


def test_the_indexes_are_sparse_and_carry_what_the_template_says(observer):
    dynamodb = observer.client("dynamodb")
    key = {"pk": {"S": "emulator"}, "sk": {"S": "1"}}
    listed = {"list_pk": {"S": "emulator"}, "list_sk": {"S": "2"}, "state": {"S": "ready"}, "name": {"S": "x"}}
    dynamodb.put_item(TableName=TABLE, Item={**key, **listed})
    dynamodb.put_item(TableName=TABLE, Item={**key, "sk": {"S": "2"}})
    found = dynamodb.query(
        TableName=TABLE,
        IndexName="list",
        KeyConditionExpression="list_pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "emulator"}},
    )["Items"]
    assert found == [{**key, "list_pk": listed["list_pk"], "list_sk": listed["list_sk"], "state": listed["state"]}]


def test_the_pool_has_its_group_and_its_password_rule(observer):
    cognito, env = observer.client("cognito-idp"), observer.local.env
    groups = cognito.list_groups(UserPoolId=env["PROOFSHEET_USER_POOL"])["Groups"]
    assert [group["GroupName"] for group in groups] == ["admin"]
    with pytest.raises(ClientError, match="InvalidPasswordException"):
        cognito.sign_up(ClientId=env["PROOFSHEET_USER_POOL_CLIENT"], Username="short@example.org", Password="Short-9")


# The stack


def test_deploying_again_keeps_everything(observer):
    host = f"127.0.0.1:{observer.local.ports.api}"
    outputs = stack.deploy(observer.local.endpoint, visibility_seconds=2, api_host=host)
    assert outputs["UserPool"] == observer.local.env["PROOFSHEET_USER_POOL"]


def test_a_changed_template_updates_the_stack(observer):
    stack.deploy(observer.local.endpoint, stage="changing", visibility_seconds=5)
    template = stack.TEMPLATE.read_text().replace("maxReceiveCount: 3", "maxReceiveCount: 4")
    stack.deploy(observer.local.endpoint, stage="changing", visibility_seconds=6, template=template)
    attributes = observer.client("sqs").get_queue_attributes(
        QueueUrl=observer.queue("proofsheet-changing-color"), AttributeNames=["All"]
    )["Attributes"]
    assert (attributes["VisibilityTimeout"], '"maxReceiveCount":4' in attributes["RedrivePolicy"]) == ("6", True)


def test_a_state_that_does_not_fit_asks_for_make_clean(observer):
    observer.client("s3").create_bucket(Bucket="proofsheet-stale-media-000000000000")
    with pytest.raises(stack.StaleStateError, match="run `make clean`"):
        stack.deploy(observer.local.endpoint, stage="stale")


def test_a_stack_that_lost_a_resource_asks_for_make_clean(observer):
    stack.deploy(observer.local.endpoint, stage="lost")
    observer.client("dynamodb").delete_table(TableName="proofsheet-lost-main")
    with pytest.raises(stack.StaleStateError, match="run `make clean`"):
        stack.deploy(observer.local.endpoint, stage="lost")


# What the services do


def upload(observer, body, content_type="image/png"):
    slot = observer.client("s3").generate_presigned_post(
        BUCKET,
        "uploads/one.png",
        Fields={"Content-Type": "image/png"},
        Conditions=[{"Content-Type": "image/png"}, ["content-length-range", 1, 10]],
        ExpiresIn=60,
    )
    fields = {**slot["fields"], "Content-Type": content_type}
    return requests.post(slot["url"], data=fields, files={"file": body}, timeout=10).status_code


def test_a_presigned_post_takes_what_its_policy_allows_and_nothing_else(observer):
    assert upload(observer, b"12345") == 204
    assert upload(observer, b"12345678901") == 400
    assert upload(observer, b"12345", content_type="text/html") == 403


# pycognito takes the time with datetime.utcnow().
pycognito_utcnow = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


@pycognito_utcnow
def test_srp_sign_in_gives_a_token_that_the_pools_keys_verify(observer):
    cognito, env = observer.client("cognito-idp"), observer.local.env
    pool, client_id = env["PROOFSHEET_USER_POOL"], env["PROOFSHEET_USER_POOL_CLIENT"]
    cognito.sign_up(ClientId=client_id, Username="srp@example.org", Password=PASSWORD)
    cognito.admin_confirm_sign_up(UserPoolId=pool, Username="srp@example.org")
    srp = AWSSRP("srp@example.org", PASSWORD, pool, client_id, client=cognito)
    token = srp.authenticate_user()["AuthenticationResult"]["IdToken"]
    address = f"{observer.local.endpoint}/{pool}/.well-known/jwks.json"
    keys = jwt.PyJWKSet.from_dict(requests.get(address, timeout=10).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, algorithms=["RS256"], audience=client_id)["email"] == "srp@example.org"


@pycognito_utcnow
def test_srp_sign_in_refuses_a_wrong_password(observer):
    cognito, env = observer.client("cognito-idp"), observer.local.env
    pool, client_id = env["PROOFSHEET_USER_POOL"], env["PROOFSHEET_USER_POOL_CLIENT"]
    cognito.sign_up(ClientId=client_id, Username="wrong@example.org", Password=PASSWORD)
    cognito.admin_confirm_sign_up(UserPoolId=pool, Username="wrong@example.org")
    with pytest.raises(ClientError, match="NotAuthorizedException"):
        AWSSRP("wrong@example.org", "Wrong-horse-99", pool, client_id, client=cognito).authenticate_user()


def test_a_transaction_that_fails_says_why_and_changes_nothing(observer):
    dynamodb = observer.client("dynamodb")
    taken, free = ({"pk": {"S": "transaction"}, "sk": {"S": name}} for name in ("taken", "free"))
    dynamodb.put_item(TableName=TABLE, Item=taken)
    puts = [
        {"Put": {"TableName": TABLE, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}
        for item in (free, taken)
    ]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as refused:
        dynamodb.transact_write_items(TransactItems=puts)
    assert [reason["Code"] for reason in refused.value.response["CancellationReasons"]] == [
        "None",
        "ConditionalCheckFailed",
    ]
    assert "Item" not in dynamodb.get_item(TableName=TABLE, Key=free)
