"""The stage's signing secret, read from Secrets Manager once and again after a while.

{"current": "2", "1": "...", "2": "..."}    two live keys while a rotation is under way
"""

from __future__ import annotations

import time

import msgspec

from chalicelib import aws, contract
from chalicelib.delivery import signature
from chalicelib.delivery.signature import KeyRing
from chalicelib.settings import settings

# A rotated key is known everywhere after this long; the one before it stays live until the next rotation.
FRESH_SECONDS = 300


class Kept(msgspec.Struct, frozen=True):
    ring: KeyRing
    read_at: float


_kept: list[Kept] = []


def key_ring(kid: str | None = None) -> KeyRing:
    """The ring; read again when it has grown old, or when `kid` is not in it and it is not brand-new."""
    now = time.monotonic()
    if _kept:
        age, known = now - _kept[0].read_at, kid is None or kid in _kept[0].ring.secrets
        if age < FRESH_SECONDS and (known or age < FRESH_SECONDS / 30):
            return _kept[0].ring
    text = aws.secrets().get_secret_value(SecretId=settings().signing_secret)["SecretString"]
    _kept[:] = [Kept(KeyRing.read(text), now)]
    return _kept[0].ring


def show(account: str) -> contract.SigningKey:
    """What the site of an account signs its own addresses with."""
    ring = key_ring()
    return contract.SigningKey(
        site=settings().site_url,
        account=account,
        key_id=ring.current,
        account_key=signature.account_key(ring.secrets[ring.current], account),
    )
