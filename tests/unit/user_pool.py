"""A user pool for tests: real RSA keys, signed tokens, and a real key server on 127.0.0.1."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace

from chalicelib.settings import Settings, settings

POOL = "us-east-1_Aa1Bb2Cc3"
ISSUER = f"https://cognito-idp.us-east-1.amazonaws.com/{POOL}"
JWKS = f"/{POOL}/.well-known/jwks.json"
CLIENT = "1h57kf5cpq17m0eml12EXAMPLE"


class SigningKey:
    def __init__(self, kid: str):
        self.kid = kid
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def jwk(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "use": "sig", "alg": "RS256"}

    @property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


OURS, ROTATED, STRANGER = SigningKey("ours"), SigningKey("rotated"), SigningKey("ours")


class KeyServer:
    """Serves `answer` as the pool's JWKS and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.delay = 0.0
        self.publish(OURS)
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked += 1
                time.sleep(server.delay)
                self.send_response(server.status if self.path == JWKS else 404)
                self.end_headers()
                self.wfile.write(server.answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.url = self.base + JWKS

    def publish(self, *keys: SigningKey) -> None:
        self.answer = json.dumps({"keys": [key.jwk for key in keys]}).encode()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def serving_keys() -> Iterator[KeyServer]:
    server = KeyServer()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        thread.join()
        server.http.server_close()


def stage(pool: str, client: str, endpoint: str | None) -> Settings:
    return replace(settings(), user_pool=pool, user_pool_client=client, endpoint=endpoint)


def id_claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "sub": "3f1c",
        "iss": ISSUER,
        "aud": CLIENT,
        "token_use": "id",
        "iat": now,
        "exp": now + 3600,
        "cognito:username": "ada",
        "cognito:groups": ["admin", "editors"],
        "email": "ada@example.com",
        "email_verified": True,
    }
    return without_none({**claims, **changes})


def access_claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"sub": "3f1c", "iss": ISSUER, "client_id": CLIENT, "token_use": "access", "iat": now, "exp": now + 3600}
    return without_none({**claims, "username": "ada", **changes})


def without_none(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not None}


def signed(claims: dict[str, Any], key: SigningKey = OURS, **header: Any) -> str:
    return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid, **header})


def b64(data: bytes | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
