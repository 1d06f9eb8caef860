"""When a user pool's public keys are fetched. Only the clock is not real."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from chalicelib import auth
from chalicelib.auth import PublicKeys, TokenVerifier
from chalicelib.errors import Unauthorized, Unavailable
from tests.unit.user_pool import (
    CLIENT,
    ISSUER,
    OURS,
    POOL,
    ROTATED,
    Clock,
    KeyServer,
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
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(server: KeyServer, clock: Clock) -> TokenVerifier:
    return TokenVerifier(ISSUER, CLIENT, PublicKeys(server.url, clock))


def test_keys_are_fetched_once(verifier: TokenVerifier, server: KeyServer) -> None:
    for _ in range(5):
        verifier.verify(signed(id_claims()))
    assert server.asked == 1


def test_made_up_key_ids_cost_one_fetch_a_minute(verifier: TokenVerifier, server: KeyServer, clock: Clock) -> None:
    verifier.verify(signed(id_claims()))
    clock.now += 61
    for number in range(20):
        with pytest.raises(Unauthorized):
            verifier.verify(signed(id_claims(), kid=f"made up {number}"))
        clock.now += 1
    assert server.asked == 2


def test_a_rotated_key_is_found_and_the_old_one_forgotten(
    verifier: TokenVerifier, server: KeyServer, clock: Clock
) -> None:
    verifier.verify(signed(id_claims()))
    server.publish(ROTATED)
    clock.now += 61
    assert verifier.verify(signed(id_claims(), ROTATED)).sub == "3f1c"
    with pytest.raises(Unauthorized):
        verifier.verify(signed(id_claims()))


def test_a_withdrawn_key_is_good_for_an_hour_at_most(verifier: TokenVerifier, server: KeyServer, clock: Clock) -> None:
    verifier.verify(signed(id_claims()))
    server.publish(ROTATED)
    clock.now += 3601
    with pytest.raises(Unauthorized):
        verifier.verify(signed(id_claims()))


def test_known_keys_outlive_an_outage_of_the_key_server(
    verifier: TokenVerifier, server: KeyServer, clock: Clock
) -> None:
    verifier.verify(signed(id_claims()))
    server.status = 500
    clock.now += 3601
    assert verifier.verify(signed(id_claims())).sub == "3f1c"
    with pytest.raises(Unavailable):
        verifier.verify(signed(id_claims(), ROTATED))


NONSENSE = [
    b"",
    b"<html>",
    b"[]",
    b"{}",
    b'{"keys": 1}',
    b'{"keys": [1]}',
    b'{"keys": [{"kty": "RSA", "kid": "ours"}]}',
]


@pytest.mark.parametrize("answer", NONSENSE)
def test_nonsense_from_the_key_server_is_unavailable_not_a_crash(
    verifier: TokenVerifier, server: KeyServer, answer: bytes
) -> None:
    server.answer = answer
    with pytest.raises(Unavailable) as refusal:
        verifier.verify(signed(id_claims()))
    assert refusal.value.retry_after == 5


def test_a_key_server_that_speaks_no_http_is_unavailable(verifier: TokenVerifier, server: KeyServer) -> None:
    server.status = 1  # http.client takes no status below 100
    with pytest.raises(Unavailable):
        verifier.verify(signed(id_claims()))


def test_an_unreachable_key_server_is_asked_again_after_five_seconds(
    verifier: TokenVerifier, server: KeyServer, clock: Clock
) -> None:
    server.status = 503
    for _ in range(3):
        with pytest.raises(Unavailable):
            verifier.verify(signed(id_claims()))
    assert server.asked == 1
    server.status, clock.now = 200, clock.now + 5
    assert verifier.verify(signed(id_claims())).sub == "3f1c"


def test_a_closed_port_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        keys = PublicKeys(f"http://127.0.0.1:{unused.getsockname()[1]}/jwks.json")
        with pytest.raises(Unavailable):
            keys.get("ours")


def test_keys_for_other_uses_verify_nothing(verifier: TokenVerifier, server: KeyServer) -> None:
    symmetric = {"kty": "oct", "kid": "ours", "k": b64(b"secret" * 8)}
    server.answer = json.dumps({"keys": [symmetric, {**OURS.jwk, "use": "enc"}]}).encode()
    with pytest.raises(Unauthorized):
        verifier.verify(signed(id_claims()))


def test_many_threads_at_a_cold_start_fetch_once(verifier: TokenVerifier, server: KeyServer) -> None:
    server.delay, token, seen = 0.1, signed(id_claims()), []
    threads = [threading.Thread(target=lambda: seen.append(verifier.verify(token).sub)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (seen, server.asked) == (["3f1c"] * 8, 1)


def test_the_verifier_of_a_stage_asks_its_endpoint_for_keys_and_expects_amazons_issuer(server: KeyServer) -> None:
    verifier = auth.token_verifier(stage(POOL, CLIENT, server.base + "/"))
    assert verifier.verify(signed(id_claims())).username == "ada"


def test_on_aws_the_keys_come_from_the_issuer() -> None:
    verifier = auth.token_verifier(stage(POOL, CLIENT, None))
    assert (verifier.issuer, verifier.keys.url) == (ISSUER, f"{ISSUER}/.well-known/jwks.json")
