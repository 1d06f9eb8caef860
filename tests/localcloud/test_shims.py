"""One contract for each shim: without it, ministack 1.5.33 fails the test."""

import json
import re
import time
import urllib.request

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.conftest import eventually

PASSWORD = "Correct-horse-9"


@pytest.fixture
def pool(observer):
    return observer.local.env["PROOFSHEET_USER_POOL"]


@pytest.fixture
def sign_up(observer, mark):
    """A new user's e-mail address, signed up and not confirmed."""
    email = f"{mark.removeprefix('mark-')}@example.org"
    client_id = observer.local.env["PROOFSHEET_USER_POOL_CLIENT"]
    observer.client("cognito-idp").sign_up(ClientId=client_id, Username=email, Password=PASSWORD)
    return email


def test_time_to_live_of_a_table_made_by_cloudformation(observer):
    answer = observer.client("dynamodb").describe_time_to_live(TableName="proofsheet-local-main")
    assert answer["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


def test_long_polls_end_with_their_client_and_the_next_gets_the_message(observer, mark):
    sqs = observer.client("sqs")
    queue = sqs.create_queue(QueueName=mark[-80:])["QueueUrl"]
    body = json.dumps({"QueueUrl": queue, "WaitTimeSeconds": 10}).encode()
    headers = {"X-Amz-Target": "AmazonSQS.ReceiveMessage", "Content-Type": "application/x-amz-json-1.0"}
    poll = urllib.request.Request(observer.local.endpoint, data=body, headers=headers)  # noqa: S310 - our own emulator
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(poll, timeout=0.5)  # noqa: S310
    sqs.send_message(QueueUrl=queue, MessageBody=mark)
    time.sleep(0.3)  # so that a poll that went on would have had it
    answer = sqs.receive_message(QueueUrl=queue)
    assert [message["Body"] for message in answer["Messages"]] == [mark]


def test_post_confirmation_calls_the_app_when_a_user_confirms(observer, sign_up):
    client_id = observer.local.env["PROOFSHEET_USER_POOL_CLIENT"]
    observer.client("cognito-idp").confirm_sign_up(ClientId=client_id, Username=sign_up, ConfirmationCode="123456")
    call, *_ = eventually(lambda: observer.calls("account_born", sign_up))
    assert call["event"]["triggerSource"] == "PostConfirmation_ConfirmSignUp"
    assert call["event"]["request"]["userAttributes"]["email"] == sign_up
    assert call["event"]["request"]["userAttributes"]["sub"] == call["event"]["userName"]


def test_post_confirmation_calls_the_app_when_an_admin_confirms(observer, pool, sign_up):
    observer.client("cognito-idp").admin_confirm_sign_up(UserPoolId=pool, Username=sign_up)
    (call,) = observer.calls("account_born", sign_up)
    assert call["event"]["userPoolId"] == pool


def test_post_confirmation_that_fails_is_told_to_the_one_who_signs_up(observer, pool, sign_up):
    with pytest.raises(ClientError, match=r"UserLambdaValidationException.*as told"):
        observer.client("cognito-idp").admin_confirm_sign_up(
            UserPoolId=pool, Username=sign_up, ClientMetadata={"do": "raise"}
        )


def test_plain_secrets_the_signing_secret_has_letters_and_digits_alone(observer):
    name = observer.local.env["PROOFSHEET_SIGNING_SECRET"]
    ring = json.loads(observer.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
    assert ring["current"] == "1"
    assert re.fullmatch("[A-Za-z0-9]{64}", ring["1"])


@pytest.fixture
def device(observer, mark):
    """ARN of a new platform endpoint."""
    sns = observer.client("sns")
    credential = {"PlatformCredential": "{}"}
    platform = sns.create_platform_application(Name="proofsheet-local-push", Platform="GCM", Attributes=credential)
    arn = platform["PlatformApplicationArn"]
    return sns.create_platform_endpoint(PlatformApplicationArn=arn, Token=mark)["EndpointArn"]


def messages(observer, target):
    """What was published to a phone number or an endpoint."""
    address = f"{observer.local.endpoint}/_ministack/sns/sms-messages"
    with urllib.request.urlopen(address) as answer:  # noqa: S310 - our own emulator
        return json.load(answer)["sms_messages"].get(target, [])


def test_sns_publishes_a_push_can_be_read_under_its_endpoint(observer, device):
    text = json.dumps({"default": "Hi", "GCM": "{}"})
    sent = observer.client("sns").publish(TargetArn=device, Message=text, MessageStructure="json")
    (kept,) = messages(observer, device)
    assert (kept["Message"], kept["MessageStructure"], kept["MessageId"]) == (text, "json", sent["MessageId"])


def test_sns_publishes_a_disabled_endpoint_refuses_a_push(observer, device):
    sns = observer.client("sns")
    sns.set_endpoint_attributes(EndpointArn=device, Attributes={"Enabled": "false"})
    with pytest.raises(ClientError) as refusal:
        sns.publish(TargetArn=device, Message="Hi")
    assert refusal.value.response["Error"]["Code"] == "EndpointDisabled"
    assert messages(observer, device) == []


def test_sns_publishes_a_number_that_opted_out_gets_no_text_message(observer):
    with pytest.raises(ClientError) as refusal:
        observer.client("sns").publish(PhoneNumber="+12025500000", Message="Hi")
    assert refusal.value.response["Error"]["Code"] == "OptedOut"
    assert messages(observer, "+12025500000") == []


def test_sns_publishes_a_text_message_is_kept_by_number(observer, mark):
    observer.client("sns").publish(PhoneNumber="+12025550123", Message=mark)
    assert [each["Message"] for each in messages(observer, "+12025550123")] == [mark]
