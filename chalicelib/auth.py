"""Who is calling: a Principal from a Cognito token or an API key.

`chalice local` and the emulator check no token, so this does, in the same way everywhere.

| credential           | shape                   | what is checked                         |
|----------------------|-------------------------|-----------------------------------------|
| Cognito ID token     | JWT, `token_use` id     | signature, issuer, times, `aud`         |
| Cognito access token | JWT, `token_use` access | signature, issuer, times, `client_id`   |
| API key              | `ps_<id>_<secret>`      | SHA-256 of the secret, in constant time |

    verifier = token_verifier(settings())            # once in a process: it holds the pool's public keys
    caller = authorize(header, tokens=verifier, keys=stored_key, members=member)

No message here repeats any part of a credential, and the causes of refusals are dropped with `from None`, because
their texts may hold some.
"""

from __future__ import annotations

import base64
import os
import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from chalicelib.errors import Unauthorized, Unavailable

if TYPE_CHECKING:
    from jwt import PyJWK

    from chalicelib.settings import Settings

MEMBER = "member"
ADMIN = "admin"

# API Gateway takes 10 kB of headers in all; a Cognito token with many groups has about 4 kB.
LONGEST_HEADER = 8192
# RFC 6750, section 2.1: one b64token after the scheme.
BEARER = r"(?ai)bearer +([a-z0-9._~+/-]+=*)"
# Three parts that are all there: neither an unsigned token nor an encrypted one.
JWT = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"

API_KEY_ID = r"a[a-z2-7]{24}"
API_KEY = r"ps_(a[a-z2-7]{24})_([a-z2-7]{52})"


class Principal(msgspec.Struct, frozen=True):
    """Who acts, for which account, and what they may do."""

    account: str
    user: str
    roles: frozenset[str]


class Claims(msgspec.Struct, frozen=True):
    """What a verified token says.

    sub: the user's lasting id in the pool; the only one of these to remember a user by.
    email: None in access tokens and as long as Cognito has not verified it.
    groups: the user's groups in the pool.
    """

    sub: str
    username: str
    email: str | None
    groups: frozenset[str]

    @property
    def roles(self) -> frozenset[str]:
        """Every user is a member; the pool's group "admin" makes an admin."""
        return frozenset({MEMBER}) | (self.groups & {ADMIN})


class ApiKey(msgspec.Struct, frozen=True):
    """An API key as it is stored.

    id: the account id ("a" and 16 characters of base 32) and 8 more, so that a key names its account.
    user, roles: those of its maker, for as long as the key exists.
    digest: SHA-256 of the secret, hexadecimal. A fast hash is enough: there is nothing to guess in 256 random bits.
    """

    id: str
    user: str
    roles: frozenset[str]
    digest: str

    def __repr__(self) -> str:
        return f"ApiKey({self.id})"  # whatever prints it, no log shall hold the digest

    @property
    def account(self) -> str:
        return account_of(self.id)


class Verifier(Protocol):
    def verify(self, token: str) -> Claims:
        """Raises Unauthorized, or Unavailable when that cannot be told now."""


def authorize(
    header: str | None,
    *,
    tokens: Verifier,
    keys: Callable[[str], ApiKey | None],
    members: Callable[[Claims], Principal],
) -> Principal:
    """The caller named by an `Authorization` header.

    keys: reads the stored API key of an id. members: finds, or makes, the account of a Cognito user.
    Raises Unauthorized, or Unavailable when the pool's keys cannot be fetched.
    """
    credential = bearer(header)
    if credential.startswith("ps_"):
        return _key_holder(credential, keys)
    return members(tokens.verify(credential))


def bearer(header: str | None) -> str:
    """The credential in an `Authorization: Bearer` header, or Unauthorized."""
    if not header:
        raise Unauthorized("Send a token or an API key as 'Authorization: Bearer <token>'.")
    match = re.fullmatch(BEARER, header) if len(header) <= LONGEST_HEADER else None
    if match is None:
        raise Unauthorized("The Authorization header must be 'Bearer' and one token or API key.")
    return match[1]


# API keys


def new_api_key(maker: Principal) -> tuple[ApiKey, str]:
    """A key that acts for its maker, and the text `ps_<id>_<secret>` that is shown once and kept nowhere."""
    key_id = maker.account + _random_letters(5)
    secret = _random_letters(32)
    return ApiKey(key_id, maker.user, maker.roles, _digest(secret)), f"ps_{key_id}_{secret}"


def parse_api_key(text: str) -> tuple[str, str]:
    """Id and secret of `ps_<id>_<secret>`, or Unauthorized."""
    match = re.fullmatch(API_KEY, text)
    if match is None:
        raise Unauthorized("The API key is not valid.")
    return match[1], match[2]


def account_of(key_id: str) -> str:
    """The account that a key id begins with. Raises ValueError for what is no key id."""
    if not re.fullmatch(API_KEY_ID, key_id):
        raise ValueError("not the id of an API key")
    return key_id[:17]


def _key_holder(text: str, keys: Callable[[str], ApiKey | None]) -> Principal:
    import hmac

    key_id, secret = parse_api_key(text)
    key = keys(key_id)
    if key is None or not hmac.compare_digest(key.digest, _digest(secret)):
        raise Unauthorized("The API key is not valid.")
    return Principal(key.account, key.user, key.roles)


def _digest(secret: str) -> str:
    import hashlib

    return hashlib.sha256(secret.encode()).hexdigest()


def _random_letters(size: int) -> str:
    """`size` random bytes in lower-case base 32: no underscore, no padding, no look-alikes 0, 1 and 8."""
    return base64.b32encode(os.urandom(size)).decode().rstrip("=").lower()


# Cognito tokens


def token_verifier(settings: Settings) -> TokenVerifier:
    """The verifier of the stage's user pool. The emulator signs with Amazon's issuer but serves its own public keys."""
    region = settings.user_pool.partition("_")[0]
    issuer = f"https://cognito-idp.{region}.amazonaws.com/{settings.user_pool}"
    served_at = f"{settings.endpoint.rstrip('/')}/{settings.user_pool}" if settings.endpoint else issuer
    return TokenVerifier(issuer, settings.user_pool_client, PublicKeys(f"{served_at}/.well-known/jwks.json"))


class TokenVerifier:
    """Takes ID and access tokens that one user pool gave to one of its clients, signed with RS256 and nothing else.

    No client means that the stage has no user pool; every token is then refused.
    """

    LEEWAY = 10  # seconds that our clock and Cognito's may differ
    REQUIRED = ("exp", "iat", "iss", "sub", "token_use")

    def __init__(self, issuer: str, client: str, keys: PublicKeys):
        self.issuer = issuer
        self.client = client
        self.keys = keys

    def verify(self, token: str) -> Claims:
        """Raises Unauthorized, or Unavailable when the pool's public keys cannot be fetched."""
        if not self.client or not re.fullmatch(JWT, token):
            raise Unauthorized("The token is not valid.")
        return self._claims(self._payload(token))

    def _payload(self, token: str) -> dict[str, Any]:
        """The payload of a token whose signature, issuer and times are right."""
        import jwt

        try:
            key = self.keys.get(_key_id(jwt.get_unverified_header(token)))
            payload: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self.issuer,
                leeway=self.LEEWAY,
                options={"require": list(self.REQUIRED), "verify_aud": False},  # _claims does: access tokens have none
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("The token has expired.") from None
        except jwt.PyJWTError:
            raise Unauthorized("The token is not valid.") from None
        return payload

    def _claims(self, payload: dict[str, Any]) -> Claims:
        match payload["token_use"]:
            case "id":
                client, username = payload.get("aud"), payload.get("cognito:username")
            case "access":
                client, username = payload.get("client_id"), payload.get("username")
            case _:
                raise Unauthorized("Send an ID or access token.")
        if client != self.client or not isinstance(username, str):
            raise Unauthorized("The token is not valid.")
        email = payload.get("email") if payload.get("email_verified") is True else None
        groups = payload.get("cognito:groups")
        return Claims(payload["sub"], username, email, frozenset(map(str, groups if isinstance(groups, list) else ())))


def _key_id(header: dict[str, Any]) -> str:
    """The key that a token names. Asked first, so that no other algorithm ever meets a key or costs a fetch."""
    kid = header.get("kid")
    if header.get("alg") != "RS256" or not isinstance(kid, str):
        raise Unauthorized("The token is not valid.")
    return kid


class PublicKeys:
    """A user pool's public keys, kept in the process.

    They are fetched at the first token, every hour, and for an unknown key id (after a rotation), but then at most once
    a minute, so that made-up ids cannot make us hammer Cognito. A failed fetch leaves the keys we have in use.
    PyJWT's PyJWKClient does nearly this, but tries a failing address anew for every token, and then forgets its keys.
    """

    LIFETIME = 3600.0
    REFETCH = 60.0
    RETRY = 5.0  # after a failure: short, because callers are waiting
    TIMEOUT = 3.0

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic):
        self.url = url
        self.clock = clock
        self._keys: dict[str, PyJWK] = {}
        self._fresh_until = self._closed_until = float("-inf")
        self._failed = False
        self._lock = threading.Lock()

    def get(self, kid: str) -> PyJWK:
        """Raises Unauthorized for a key that the pool does not have, Unavailable when we could not ask."""
        if kid not in self._keys or self.clock() >= self._fresh_until:
            with self._lock:  # while one thread fetches, the others wait for what it finds
                self._refresh(kid)
        if kid in self._keys:
            return self._keys[kid]
        if self._failed:
            raise Unavailable("Tokens cannot be checked at the moment.", retry_after=int(self.RETRY))
        raise Unauthorized("The token is not valid.")

    def _refresh(self, kid: str) -> None:
        now = self.clock()
        if now < self._closed_until or (kid in self._keys and now < self._fresh_until):
            return
        try:
            self._keys = _fetch_keys(self.url, self.TIMEOUT)
        except (OSError, ValueError):
            self._failed, self._closed_until = True, now + self.RETRY
        else:
            self._failed, self._closed_until, self._fresh_until = False, now + self.REFETCH, now + self.LIFETIME


def _fetch_keys(url: str, timeout: float) -> dict[str, PyJWK]:
    """RSA signing keys by id. Raises OSError when the address does not answer, ValueError when it talks nonsense."""
    import http.client
    import json
    import urllib.request

    import jwt

    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 - the address is our own setting
            entries = json.loads(answer.read(1_000_000))["keys"]
        usable = [entry for entry in entries if entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig"]
        return {entry["kid"]: jwt.PyJWK(entry, algorithm="RS256") for entry in usable}
    except (http.client.HTTPException, jwt.PyJWTError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("the pool's public keys cannot be read") from error
