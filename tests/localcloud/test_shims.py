"""One contract for each shim: without it, ministack 1.5.33 fails the test."""

import json
import re

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


def test_post_confirmation_calls_the_app_when_a_user_confirms(observer, sign_up):
    client_id = observer.local.env["PROOFSHEET_USER_POOL_CLIENT"]
    observer.client("cognito-idp").confirm_sign_up(ClientId=client_id, Username=sign_up, ConfirmationCode="123456")
    (call,) = eventually(lambda: observer.calls("account_born", sign_up))
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
