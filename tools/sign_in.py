"""Sign in to the stage's user pool: python -m tools.sign_in EMAIL [--sign-up] [--admin] [--access-token]

Prints a token for `Authorization: Bearer`. The password is asked for, or taken from PROOFSHEET_PASSWORD; signing in
proves by SRP (RFC 5054) that we know it, without sending it. The pool is that of the environment (see
chalicelib/settings.py), else that of the local cloud running here. `--sign-up` makes the user first; the local cloud
sends no mail and confirms at once. `--admin` puts the user into the group of admins, which takes the operator's own
credentials.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import aws
from chalicelib.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

# Left by `make run` for clients such as this one.
LOCAL_CLOUD = Path(__file__).parent.parent / ".local" / "env.json"


@dataclass(frozen=True)
class Pool:
    """A user pool, one of its app clients, and the service that has both."""

    cognito: CognitoIdentityProviderClient
    id: str
    client: str


@dataclass(frozen=True)
class Tokens:
    id: str
    access: str
    refresh: str


class SignInError(Exception):
    """Nobody is signed in; the message says why."""


def main() -> None:
    arguments = parse_arguments()
    try:
        pool = stage_pool()
        password = os.environ.get("PROOFSHEET_PASSWORD") or getpass.getpass()
        if arguments.sign_up:
            sign_up(pool, arguments.email, password)
            confirm(pool, arguments.email)
        if arguments.admin:
            pool.cognito.admin_add_user_to_group(UserPoolId=pool.id, Username=arguments.email, GroupName="admin")
        tokens = sign_in(pool, arguments.email, password)
    except (SignInError, ClientError, BotoCoreError) as error:
        sys.exit(str(error))
    print(tokens.access if arguments.access_token else tokens.id)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("email")
    parser.add_argument("--sign-up", action="store_true", help="make the user first")
    parser.add_argument("--admin", action="store_true", help="make the user an admin of their account")
    parser.add_argument("--access-token", action="store_true", help="print the access token instead of the ID token")
    return parser.parse_args()


def stage_pool() -> Pool:
    """Raises SignInError when neither the environment nor a running local cloud names one."""
    if "PROOFSHEET_USER_POOL" not in os.environ and LOCAL_CLOUD.exists():
        os.environ.update(json.loads(LOCAL_CLOUD.read_text())["env"])
    if not settings().user_pool_client:
        raise SignInError("No user pool: set PROOFSHEET_USER_POOL and PROOFSHEET_USER_POOL_CLIENT, or run `make run`.")
    return Pool(aws.cognito(), settings().user_pool, settings().user_pool_client)


def sign_up(pool: Pool, email: str, password: str) -> None:
    pool.cognito.sign_up(
        ClientId=pool.client,
        Username=email,
        Password=password,
        UserAttributes=[{"Name": "email", "Value": email}],
    )


def confirm(pool: Pool, email: str) -> None:
    """On AWS with the code that Cognito mailed; in the local cloud as its administrator."""
    if settings().endpoint:
        pool.cognito.admin_confirm_sign_up(UserPoolId=pool.id, Username=email)
    else:
        print(f"Code that was mailed to {email}: ", end="", file=sys.stderr, flush=True)
        pool.cognito.confirm_sign_up(ClientId=pool.client, Username=email, ConfirmationCode=input().strip())


def sign_in(pool: Pool, email: str, password: str) -> Tokens:
    """Raises ClientError for a wrong password, SignInError when the pool wants more than a password."""
    from pycognito import AWSSRP
    from pycognito.exceptions import WarrantException

    srp = AWSSRP(email, password, pool.id, pool.client, client=pool.cognito)
    try:
        with warnings.catch_warnings():
            # pycognito 2024.5.1 asks for the time with datetime.utcnow.
            warnings.simplefilter("ignore", DeprecationWarning)
            result = srp.authenticate_user()["AuthenticationResult"]
    except (WarrantException, NotImplementedError) as error:
        raise SignInError(f"The pool asks for another step: {error.args[0]}") from None  # it also holds the session
    return Tokens(result["IdToken"], result["AccessToken"], result["RefreshToken"])


if __name__ == "__main__":
    main()
