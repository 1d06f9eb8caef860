"""Who may ask for a variant: whoever holds the account's key, or a URL signed with it.

    stage secret of a kid  --HMAC-SHA256(account id)-->  account key, 64 hexadecimal digits
    account key as ASCII   --HMAC-SHA256(signed text)--> mac: the first 16 bytes, base64url without padding
    signature              {kid}.{mac}

A site owner is given the account key and can sign for that account alone. Two secrets are live at a time, so that
`rotate` breaks no URL that was signed since the rotation before. `docs/signers/` signs in the same way elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from chalicelib.errors import Forbidden

if TYPE_CHECKING:
    from chalicelib.delivery.operations import Operations

KID = "[a-z0-9]{1,4}"
MAC_BYTES = 16
KIDS = 10_000  # decimal kids have at most four digits


class KeyRing(msgspec.Struct, frozen=True):
    """The stage's secrets by kid; new URLs are signed with the current one."""

    current: str
    secrets: dict[str, str]

    @classmethod
    def read(cls, text: str) -> KeyRing:
        """The ring of the stored secret, `{"current": "2", "1": "...", "2": "..."}`. Raises ValueError."""
        secrets = msgspec.json.decode(text, type=dict[str, str])
        current = secrets.pop("current", None)
        if current is None or current not in secrets:
            raise ValueError("The signing secret names no current key that it holds.")
        if not all(re.fullmatch(KID, kid) and secret for kid, secret in secrets.items()):
            raise ValueError("A key of the signing secret is empty, or its id is not 1 to 4 of a-z and 0-9.")
        return cls(current, secrets)

    def __repr__(self) -> str:
        return f"KeyRing(current={self.current}, kids={sorted(self.secrets)})"  # no log shall hold the secrets


def account_key(secret: str, account: str) -> str:
    """The key with which an account's URLs are signed: 64 hexadecimal digits."""
    return _hmac(secret, account).hex()


def sign(ring: KeyRing, account: str, text: str) -> str:
    """The signature "{kid}.{mac}" of a variant's signed text, with the current key."""
    return _signature(ring, ring.current, account, text)


def verify(ring: KeyRing, account: str, signature: str, text: str) -> None:
    """Raises Forbidden (field "key") unless one of the live keys signed the text. Says nothing of expiry."""
    from hmac import compare_digest

    kid = signature.partition(".")[0]
    # An unknown kid is compared too, with a signature that begins with another kid, so it cannot be equal.
    expected = _signature(ring, kid if kid in ring.secrets else ring.current, account, text)
    if not compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise Forbidden("The signature of this key is not valid.", field="key")


def expired(operations: Operations, now: float) -> bool:
    """Whether the end that is part of the signed text has come. now: Unix seconds."""
    return operations.expires is not None and now >= operations.expires


def rotate(text: str, new_secret: str) -> str:
    """The stored secret with a new current key; of the others only the one that was current stays live.

    Raises ValueError when the text is no key ring or the new secret is empty.
    """
    if not new_secret:
        raise ValueError("The new signing secret is empty.")
    ring = KeyRing.read(text)
    kid = str((int(ring.current) + 1) % KIDS if ring.current.isdigit() else 1)
    rotated = {"current": kid, ring.current: ring.secrets[ring.current], kid: new_secret}
    return msgspec.json.encode(rotated).decode()


def _signature(ring: KeyRing, kid: str, account: str, text: str) -> str:
    from base64 import urlsafe_b64encode

    mac = _hmac(account_key(ring.secrets[kid], account), text)[:MAC_BYTES]
    return f"{kid}.{urlsafe_b64encode(mac).decode().rstrip('=')}"


def _hmac(key: str, text: str) -> bytes:
    import hmac

    return hmac.digest(key.encode(), text.encode(), "sha256")
