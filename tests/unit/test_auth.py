"""The Authorization header and API keys."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib import auth
from chalicelib.auth import Claims, Principal, PublicKeys, TokenVerifier, authorize
from chalicelib.errors import Unauthorized
from tests.unit.user_pool import CLIENT, ISSUER, STRANGER, b64, id_claims, serving_keys, signed

MAKER = Principal("a" + "b" * 16, "ada", frozenset({"member", "admin"}))


@pytest.fixture
def verifier() -> Iterator[TokenVerifier]:
    with serving_keys() as server:
        yield TokenVerifier(ISSUER, CLIENT, PublicKeys(server.url))


def no_key(_: str) -> None:
    return None


def member(claims: Claims) -> Principal:
    return Principal("a" + "c" * 16, claims.username, claims.roles)


class RefusesAll:
    def verify(self, token: str) -> Claims:
        raise Unauthorized("no token is good here")


def test_a_token_becomes_the_principal_of_its_member(verifier: TokenVerifier) -> None:
    caller = authorize(f"Bearer {signed(id_claims())}", tokens=verifier, keys=no_key, members=member)
    assert caller == Principal("a" + "c" * 16, "ada", frozenset({"member", "admin"}))


# API keys


def test_an_api_key_acts_for_its_maker_and_carries_the_makers_roles() -> None:
    stored, text = auth.new_api_key(MAKER)
    caller = authorize(f"Bearer {text}", tokens=RefusesAll(), keys={stored.id: stored}.get, members=member)
    assert caller == MAKER


def test_an_api_key_reads_as_account_id_and_secret() -> None:
    stored, text = auth.new_api_key(MAKER)
    assert re.fullmatch(r"ps_a[a-z2-7]{24}_[a-z2-7]{52}", text)
    assert auth.parse_api_key(text)[0] == stored.id
    assert auth.account_of(stored.id) == stored.account == MAKER.account


def test_no_two_keys_are_alike() -> None:
    assert len({auth.new_api_key(MAKER)[1] for _ in range(200)}) == 200


def test_only_a_digest_of_the_secret_is_stored_and_not_shown() -> None:
    stored, text = auth.new_api_key(MAKER)
    secret = auth.parse_api_key(text)[1]
    assert stored.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(stored)
    assert stored.digest not in repr(stored)


def test_a_wrong_secret_is_refused() -> None:
    stored, text = auth.new_api_key(MAKER)
    _, another = auth.new_api_key(MAKER)
    mixed = f"ps_{stored.id}_{auth.parse_api_key(another)[1]}"
    for wrong in (mixed, text[:-1], text + "a", text.upper(), text.replace("_", "-")):
        with pytest.raises(Unauthorized):
            authorize(f"Bearer {wrong}", tokens=RefusesAll(), keys={stored.id: stored}.get, members=member)


def test_a_deleted_key_is_refused() -> None:
    _, text = auth.new_api_key(MAKER)
    with pytest.raises(Unauthorized):
        authorize(f"Bearer {text}", tokens=RefusesAll(), keys=no_key, members=member)


@given(st.text())
@example("a" * 24)
@example("a" * 25 + "\n")
def test_what_is_no_key_id_has_no_account(text: str) -> None:
    if not re.fullmatch("a[a-z2-7]{24}", text):
        with pytest.raises(ValueError, match="not the id"):
            auth.account_of(text)


# The header


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    assert auth.bearer(f"{scheme} abc.def_ghi-jkl=") == "abc.def_ghi-jkl="


HEADERS = [
    *(None, "", " ", "Bearer", "Bearer ", "Bearer one two", "Bearer one,two", "Bearer one, Bearer two", "Bearerone"),
    *(
        "Basic YTpi",
        "Bearer\tone",
        "Bearer one\n",
        "\nBearer one",
        "Bearer one\x00",
        "Bearer é",
        "Bearer ı",
        "Béarer one",
    ),
    *("Bearer =", "Bearer a=b", "one", "Bearer " + "a" * 8186, "Bearer" + " " * 9000 + "a", "ps_a_b", "Bearer: one"),
]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_is_not_bearer_and_one_token_is_refused(header: str | None) -> None:
    with pytest.raises(Unauthorized):
        auth.bearer(header)


class Anyone:
    """Takes every token, so that only the header can be at fault."""

    def verify(self, token: str) -> Claims:
        return Claims("3f1c", token, None, frozenset())


@given(st.text() | st.from_regex(r"(?i)bearer +[ -~]*") | st.text().map("Bearer ps_{}".format))
def test_a_random_header_is_refused_or_one_printable_token(header: str) -> None:
    try:
        caller = authorize(header, tokens=Anyone(), keys=no_key, members=member)
    except Unauthorized:
        return
    assert re.fullmatch(r"(?i)bearer +" + re.escape(caller.user), header)
    assert re.fullmatch(r"[!-~]+", caller.user)


def test_no_refusal_repeats_the_credential(verifier: TokenVerifier) -> None:
    expired, forged = signed(id_claims(exp=int(time.time()) - 60)), signed(id_claims(), STRANGER)
    unreadable = f"{b64(b'hunter2' + bytes([255]))}.e30.AAAA"
    _, api_key = auth.new_api_key(MAKER)
    for credential in (expired, forged, unreadable, api_key, "hunter2", "hunter2 hunter3"):
        with pytest.raises(Unauthorized) as refusal:
            authorize(f"Bearer {credential}", tokens=verifier, keys=no_key, members=member)
        shown = "".join(traceback.format_exception(refusal.value))
        assert credential not in shown
        assert "The above exception" not in shown
        assert "During handling" not in shown


def test_importing_auth_loads_neither_jwt_nor_cryptography() -> None:
    program = (
        "import sys, chalicelib.auth; print([m for m in ('jwt', 'cryptography', 'urllib.request') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
