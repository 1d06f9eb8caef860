"""Which Cognito tokens are taken."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib import auth
from chalicelib.auth import Claims, PublicKeys, TokenVerifier
from chalicelib.errors import Unauthorized
from tests.unit.user_pool import (
    CLIENT,
    ISSUER,
    OURS,
    STRANGER,
    KeyServer,
    access_claims,
    b64,
    id_claims,
    serving_keys,
    signed,
    stage,
)


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with serving_keys() as server:
        yield server


@pytest.fixture
def verifier(server: KeyServer) -> TokenVerifier:
    return TokenVerifier(ISSUER, CLIENT, PublicKeys(server.url))


def test_an_id_token_names_user_mail_and_groups(verifier: TokenVerifier) -> None:
    claims = verifier.verify(signed(id_claims()))
    assert claims == Claims("3f1c", "ada", "ada@example.com", frozenset({"admin", "editors"}))
    assert claims.roles == {"member", "admin"}


def test_an_access_token_is_as_good_and_has_no_mail(verifier: TokenVerifier) -> None:
    claims = verifier.verify(signed(access_claims()))
    assert claims == Claims("3f1c", "ada", None, frozenset())
    assert claims.roles == {"member"}


@pytest.mark.parametrize("verified", [None, False, "true"])
def test_an_unverified_mail_address_is_not_passed_on(verifier: TokenVerifier, verified: object) -> None:
    assert verifier.verify(signed(id_claims(email_verified=verified))).email is None


NOW = int(time.time())
ANOTHER_POOL = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Zz9Yy8Xx7"
BAD_CLAIMS = {
    "expired": {"exp": NOW - 60},
    "never expires": {"exp": None},
    "expires never": {"exp": float("inf")},
    "expires at a word": {"exp": "soon"},
    "issued in the future": {"iat": NOW + 6000},
    "without time of issue": {"iat": None},
    "issued at a word": {"iat": "today"},
    "not valid yet": {"nbf": NOW + 6000},
    "of another pool": {"iss": ANOTHER_POOL},
    "of no pool": {"iss": None},
    "of an issuer that begins like ours": {"iss": ISSUER + "0"},
    "without subject": {"sub": None},
    "with a number for subject": {"sub": 7},
    "a refresh token": {"token_use": "refresh"},
    "without use": {"token_use": None},
    "with a list for use": {"token_use": ["id"]},
}


@pytest.mark.parametrize("changes", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
@pytest.mark.parametrize("kind", [id_claims, access_claims])
def test_a_token_with_wrong_claims_is_refused(verifier: TokenVerifier, kind: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        verifier.verify(signed(kind(**changes)))


@pytest.mark.parametrize("client", ["another", None, [CLIENT], ""])
def test_a_token_for_another_client_is_refused(verifier: TokenVerifier, client: object) -> None:
    for claims in (id_claims(aud=client), access_claims(client_id=client)):
        with pytest.raises(Unauthorized):
            verifier.verify(signed(claims))


def test_a_token_without_a_user_name_is_refused(verifier: TokenVerifier) -> None:
    for claims in (id_claims(**{"cognito:username": None}), access_claims(username=None)):
        with pytest.raises(Unauthorized):
            verifier.verify(signed(claims))


@pytest.mark.parametrize("groups", [None, "admin", 7, {"admin": True}])
def test_groups_that_are_no_list_are_no_groups(verifier: TokenVerifier, groups: object) -> None:
    assert verifier.verify(signed(id_claims(**{"cognito:groups": groups}))).groups == frozenset()


def test_an_access_token_is_not_taken_for_its_audience(verifier: TokenVerifier) -> None:
    with pytest.raises(Unauthorized):
        verifier.verify(signed(access_claims(client_id="another", aud=CLIENT)))


@pytest.mark.parametrize("seconds", [-5, 5])
def test_clocks_may_differ_by_a_few_seconds(verifier: TokenVerifier, seconds: int) -> None:
    now = int(time.time())
    claims = id_claims(iat=now + seconds, exp=now + seconds if seconds < 0 else now + 3600)
    assert verifier.verify(signed(claims)).sub == "3f1c"


def test_a_signature_by_a_strangers_key_of_the_same_name_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(Unauthorized):
        verifier.verify(signed(id_claims(), STRANGER))


def test_a_changed_payload_is_refused(verifier: TokenVerifier) -> None:
    header, _, signature = signed(id_claims()).split(".")
    forged = b64(id_claims(**{"cognito:username": "root"}))
    with pytest.raises(Unauthorized):
        verifier.verify(f"{header}.{forged}.{signature}")


def test_our_public_key_used_as_an_hs256_secret_is_refused_without_a_fetch(
    verifier: TokenVerifier, server: KeyServer
) -> None:
    signing_input = f"{b64({'alg': 'HS256', 'kid': 'ours'})}.{b64(id_claims())}"
    mac = hmac.new(OURS.public_pem, signing_input.encode(), hashlib.sha256).digest()
    with pytest.raises(Unauthorized):
        verifier.verify(f"{signing_input}.{b64(mac)}")
    assert server.asked == 0


@pytest.mark.parametrize("algorithm", ["none", "None", "RS512", "PS256", "", None, 1, ["RS256"]])
@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_any_other_algorithm_is_refused(verifier: TokenVerifier, algorithm: object, signature: str) -> None:
    token = f"{b64({'alg': algorithm, 'kid': 'ours'})}.{b64(id_claims())}.{signature}"
    with pytest.raises(Unauthorized):
        verifier.verify(token)


def test_a_token_without_key_id_is_refused_without_a_fetch(verifier: TokenVerifier, server: KeyServer) -> None:
    token = jwt.encode(id_claims(), OURS.private, algorithm="RS256")
    with pytest.raises(Unauthorized):
        verifier.verify(token)
    assert server.asked == 0


@pytest.mark.parametrize("extra", [{"jwk": STRANGER.jwk}, {"jku": "http://127.0.0.1:1/jwks.json"}, {"crit": ["b64"]}])
def test_a_key_that_the_token_brings_along_is_not_used(verifier: TokenVerifier, extra: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        verifier.verify(signed(id_claims(), STRANGER, **extra))


SIGNED = signed(id_claims())
RIGHT_HEADER = b64({"alg": "RS256", "kid": "ours"})
MALFORMED = {
    "one part": "abc",
    "two parts": "abc.def",
    "four parts": "a.b.c.d",
    "empty parts": "..",
    "header of odd base64": "a.b.c",
    "header that is no text": f"{b64(bytes([0xFF, 0xFE]))}.e30.AAAA",
    "header that is a list": f"{b64(b'[1]')}.e30.AAAA",
    "header of a thousand brackets": f"{b64(b'[' * 4000)}.e30.AAAA",
    "header with an endless number": f"{b64(b'1' * 5000)}.e30.AAAA",
    "key id that is a number": f"{b64({'alg': 'RS256', 'kid': 7})}.e30.AAAA",
    "key id that is an object": f"{b64({'alg': 'RS256', 'kid': {}})}.e30.AAAA",
    "signature of odd base64": f"{RIGHT_HEADER}.{b64(id_claims())}.A",
    "signature cut short": SIGNED[:-20],
    "signature with padding": SIGNED + "==",
    "characters that base64 decoders skip": SIGNED.replace(".", ".~", 1),
    "header of b64 false": f"{b64({'alg': 'RS256', 'kid': 'ours', 'b64': False})}.e30.AAAA",
}


@pytest.mark.parametrize("token", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(Unauthorized):
        verifier.verify(token)


def test_a_signed_payload_that_is_no_object_is_refused(verifier: TokenVerifier) -> None:
    for payload in (b"[]", b"7", b"no json", b"[" * 4000):
        token = jwt.api_jws.encode(payload, OURS.private, algorithm="RS256", headers={"kid": "ours"})
        with pytest.raises(Unauthorized):
            verifier.verify(token)


OFFLINE = PublicKeys("http://127.0.0.1:1/never-asked")
OFFLINE._keys, OFFLINE._fresh_until = {"ours": jwt.PyJWK(OURS.jwk)}, float("inf")
ROOT = b64(id_claims(**{"cognito:username": "root"}))


@given(st.text(max_size=200) | st.binary(max_size=300).map(lambda raw: f"{RIGHT_HEADER}.{ROOT}.{b64(raw)}"))
@example(SIGNED[:-2] + "AA")
def test_no_random_token_is_taken_or_breaks_the_verifier(token: str) -> None:
    with pytest.raises(Unauthorized):
        TokenVerifier(ISSUER, CLIENT, OFFLINE).verify(token)


def test_a_stage_without_a_user_pool_refuses_every_token(server: KeyServer) -> None:
    verifier = auth.token_verifier(stage("", "", server.base))
    with pytest.raises(Unauthorized):
        verifier.verify(signed(id_claims(aud="", iss="https://cognito-idp..amazonaws.com/")))
    assert server.asked == 0
