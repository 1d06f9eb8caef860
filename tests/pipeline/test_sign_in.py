"""SRP sign-in against the emulator's user pool gives tokens that our own verifier takes."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.auth import Claims, TokenVerifier, token_verifier
from chalicelib.errors import Unauthorized
from chalicelib.settings import settings

PROJECT = Path(__file__).parent.parent.parent
PASSWORD = "Correct-horse-9-staple"


def command(cloud: Any, email: str, *options: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.sign_in", email, *options],
        cwd=PROJECT,
        env={**os.environ, **cloud.env, "PROOFSHEET_PASSWORD": password},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def email(cloud: Any) -> str:
    """The address of a user who has signed up."""
    address = f"{uuid.uuid4().hex}@example.com"
    signed_up = command(cloud, address, "--sign-up")
    assert signed_up.returncode == 0, signed_up.stderr
    return address


@pytest.fixture
def verifier(cloud: Any) -> TokenVerifier:
    pool, client = cloud.env["PROOFSHEET_USER_POOL"], cloud.env["PROOFSHEET_USER_POOL_CLIENT"]
    stage = replace(settings(), user_pool=pool, user_pool_client=client, endpoint=cloud.env["AWS_ENDPOINT_URL"])
    return token_verifier(stage)


def test_an_id_and_an_access_token_name_the_same_user(cloud: Any, email: str, verifier: TokenVerifier) -> None:
    by_id = verifier.verify(command(cloud, email).stdout.strip())
    by_access = verifier.verify(command(cloud, email, "--access-token").stdout.strip())
    assert by_id == Claims(by_id.sub, by_id.username, email, frozenset())
    assert by_access == replace(by_id, email=None)


def test_an_operator_makes_an_admin(cloud: Any, verifier: TokenVerifier) -> None:
    made = command(cloud, f"{uuid.uuid4().hex}@example.com", "--sign-up", "--admin")
    assert verifier.verify(made.stdout.strip()).groups == {"admin"}


def test_a_wrong_password_signs_nobody_in(cloud: Any, email: str) -> None:
    refused = command(cloud, email, password=PASSWORD + "!")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "NotAuthorized" in refused.stderr
    assert PASSWORD not in refused.stderr


def test_a_token_of_the_pool_is_refused_by_a_verifier_of_another_client(
    cloud: Any, email: str, verifier: TokenVerifier
) -> None:
    verifier.client = "another-client"
    with pytest.raises(Unauthorized):
        verifier.verify(command(cloud, email).stdout.strip())
