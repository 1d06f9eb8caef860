"""Accounts, their API keys and write keys, and answers that are given once for an Idempotency-Key."""

from __future__ import annotations

import base64
import os
import time
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from chalicelib import auth, contract, log
from chalicelib.auth import ApiKey, Claims, Principal
from chalicelib.errors import Conflict, NotFound
from chalicelib.images.record import timestamp
from chalicelib.settings import settings
from chalicelib.store import AccountStore, ConditionFailed, Item

ANSWER_SECONDS = 24 * 3600
# Longer than any request may take: API Gateway gives up after 29 seconds.
LEASE_SECONDS = 60


def authorize(header: str | None) -> Principal:
    return auth.authorize(header, tokens=_verifier(), keys=stored_key, members=member)


@lru_cache(maxsize=1)
def _verifier() -> auth.TokenVerifier:
    return auth.token_verifier(settings())


def account_id(sub: str) -> str:
    """The account of a Cognito user: derived, so that two first requests at once make one account, not two."""
    import hashlib

    return "a" + base64.b32encode(hashlib.sha256(sub.encode()).digest())[:16].decode().lower()


def member(claims: Claims) -> Principal:
    """The principal of a verified Cognito user."""
    return Principal(born(claims.sub), claims.sub, claims.roles)


@lru_cache(maxsize=10_000)
def born(sub: str) -> str:
    """Make the user's account unless it is there: at sign-up, or at the first request if the trigger failed."""
    account = account_id(sub)
    try:
        AccountStore(account).put("account", "", {"owner": sub, "created_at": timestamp(time.time())}, new=True)
        log.metric("AccountBorn")
    except ConditionFailed:
        pass
    return account


def signed_up(event: dict[str, Any]) -> dict[str, Any]:
    """Cognito's post-confirmation trigger; it wants its event back, and a user must not suffer from our failure."""
    try:
        born(event["request"]["userAttributes"]["sub"])
    except Exception:
        log.exception("account not made at sign-up; the first request will make it")
    return event


# API keys


def create_api_key(principal: Principal, name: str) -> contract.CreatedApiKey:
    key, secret = auth.new_api_key(principal)
    item: Item = {
        "id": key.id,
        "name": name,
        "user": key.user,
        "roles": sorted(key.roles),
        "digest": key.digest,
        "created_at": timestamp(time.time()),
    }
    AccountStore(principal.account).put("keys", "", item, sk=key.id, new=True)
    return contract.CreatedApiKey(id=key.id, name=name, created_at=item["created_at"], roles=item["roles"], key=secret)


def stored_key(key_id: str) -> ApiKey | None:
    item = AccountStore(auth.account_of(key_id)).get("keys", "", key_id)
    return ApiKey(item["id"], item["user"], frozenset(item["roles"]), item["digest"]) if item else None


def list_api_keys(principal: Principal, paging: contract.Paging) -> contract.ApiKeys:
    items, following = _page(AccountStore(principal.account).partition("keys"), paging)
    views = [
        contract.ApiKeyView(id=item["id"], name=item["name"], created_at=item["created_at"], roles=item["roles"])
        for item in items
    ]
    return contract.ApiKeys(items=views, next=following)


def revoke_api_key(principal: Principal, key_id: str) -> None:
    _remove(principal, "keys", key_id, "API key")


# Write keys, which name the account in public


def create_write_key(principal: Principal, request: contract.NewWriteKey) -> contract.WriteKey:
    key = f"wk{principal.account}{os.urandom(8).hex()}"
    item = {
        "id": key,
        "name": request.name,
        "allowed_origins": request.allowed_origins,
        "created_at": timestamp(time.time()),
    }
    AccountStore(principal.account).put("write-keys", "", item, sk=key, new=True)
    return _write_key(item)


def list_write_keys(principal: Principal, paging: contract.Paging) -> contract.WriteKeys:
    items, following = _page(AccountStore(principal.account).partition("write-keys"), paging)
    return contract.WriteKeys(items=[_write_key(item) for item in items], next=following)


def revoke_write_key(principal: Principal, key: str) -> None:
    _remove(principal, "write-keys", key, "write key")


def _write_key(item: Item) -> contract.WriteKey:
    return contract.WriteKey(
        key=item["id"],
        name=item["name"],
        allowed_origins=item["allowed_origins"],
        created_at=item["created_at"],
    )


def _page(items: list[Item], paging: contract.Paging) -> tuple[list[Item], str | None]:
    """An account has a handful of keys, so one partition read is the whole list; ids come in ascending order."""
    left = [item for item in items if not paging.cursor or item["sk"] > paging.cursor]
    shown = left[: paging.limit]
    return shown, shown[-1]["sk"] if len(left) > len(shown) else None


def _remove(principal: Principal, kind: str, key: str, what: str) -> None:
    store = AccountStore(principal.account)
    if store.get(kind, "", key) is None:
        raise NotFound(f"There is no such {what}.")
    store.delete(kind, "", key)


# Idempotency


def replay(principal: Principal, key: str, digest: str, make: Callable[[], bytes]) -> bytes:
    """Run `make` once for this key and keep its answer for 24 hours; the same request again gets the same answer.

    Raises Conflict for another request under the same key, or while the first is still running. A run that died leaves
    a lease that ends, after which the request runs again.
    """
    import hashlib

    store, name, now = AccountStore(principal.account), hashlib.sha256(key.encode()).hexdigest(), int(time.time())
    started = {"digest": digest, "lease": now + LEASE_SECONDS, "expires": now + ANSWER_SECONDS}
    try:
        store.put("answer", name, started, new=True)
    except ConditionFailed:
        answer = _known_answer(store, name, digest, now)
        if answer is not None:
            return answer
    try:
        answer = make()
    except Exception:
        store.delete("answer", name)  # a refusal is not an answer to keep: the caller may mend it and try again
        raise
    # Compressed, since a hundred slots with a session token in each would pass DynamoDB's 400 kB.
    store.put("answer", name, {**started, "answer": zlib.compress(answer)})
    return answer


def _known_answer(store: AccountStore, name: str, digest: str, now: int) -> bytes | None:
    """The kept answer, or None when this caller has taken over from a run that died or an answer past its day."""
    kept = store.get("answer", name)
    if kept is not None and kept["expires"] > now:
        if kept["digest"] != digest:
            raise Conflict("This Idempotency-Key was used for another request.", field="Idempotency-Key")
        if "answer" in kept:
            return zlib.decompress(kept["answer"])
        if kept["lease"] > now:
            raise still_running()
    lease = kept["lease"] if kept else 0
    try:
        store.update(
            "answer",
            name,
            "SET #lease = :lease, #digest = :digest, #expires = :expires REMOVE #answer",
            {"lease": now + LEASE_SECONDS, "digest": digest, "expires": now + ANSWER_SECONDS, "seen": lease},
            condition="attribute_not_exists(#lease) OR #lease = :seen",
        )
    except ConditionFailed:
        raise still_running() from None
    return None


def still_running() -> Conflict:
    return Conflict("The first request with this Idempotency-Key is still running.", field="Idempotency-Key")
