"""Which API to talk to, and as whom.

| given                           | the API                                         | the caller                   |
|---------------------------------|-------------------------------------------------|------------------------------|
| an address and a key            | that one                                        | the key's or token's account |
| nothing                         | the local cloud that runs here                  | the local cloud's demo user  |
| nothing, and no cloud runs here | a local cloud of its own, stopped at the end    | its demo user                |
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tools.client import Client
from tools.transport import ApiError

ROOT = Path(__file__).parent.parent
STATE = ROOT / ".local"
NOTE = STATE / "env.json"  # left by a running local cloud
DEMO_USER = "demo@proofsheet.example"
# Guards nothing: the pool is on this machine, listens on 127.0.0.1 and holds only what is uploaded there.
DEMO_PASSWORD = "Light-table-1"  # noqa: S105


class NoConnection(ApiError):
    pass


@dataclass(frozen=True)
class Connection:
    """passing: the API and all that is in it end with the connection."""

    client: Client
    passing: bool


@contextmanager
def connect(url: str | None, key: str | None, *, keep: bool = False) -> Iterator[Connection]:
    """A connection for the length of a with block. Raises ApiError.

    keep: a cloud that has to be started keeps its state in .local, as `make run` does; otherwise nothing stays.
    """
    if url is not None and key is not None:
        yield _connection(url, key)
    elif env := _local(url):
        yield _connection(env["PROOFSHEET_URL"], key or demo_token(env))
    elif url is not None:
        raise NoConnection(f"{url} needs an API key: --key, or PROOFSHEET_API_KEY.")
    else:
        with _started(keep) as env:
            yield _connection(env["PROOFSHEET_URL"], key or demo_token(env), passing=not keep)


def _connection(url: str, key: str, *, passing: bool = False) -> Connection:
    if not (key.isascii() and key.isprintable()):
        raise NoConnection("That is no API key and no token.")
    return Connection(Client(url, key), passing)


def _local(url: str | None) -> dict[str, str] | None:
    """The environment of the local cloud that runs here and answers at `url`, or at any address for None."""
    candidates = [dict(os.environ), running(NOTE)]
    for env in candidates:
        if env and "PROOFSHEET_USER_POOL" in env and "AWS_ENDPOINT_URL" in env:
            address = env.get("PROOFSHEET_URL")
            if address and url in (None, address, f"{address}/") and answers(address):
                return env
    return None


def running(note: Path) -> dict[str, str] | None:
    """What the note of a local cloud says, or None; a cloud that was killed leaves its note behind."""
    try:
        known: dict[str, Any] = json.loads(note.read_text())
        return {**known["env"], "PROOFSHEET_URL": known["base_url"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def answers(base_url: str) -> bool:
    with requests.Session() as http:
        http.trust_env = False
        try:
            return bool(http.get(f"{base_url}/health", timeout=10).json()["status"] == "ok")
        except (requests.RequestException, ValueError, KeyError, TypeError):
            return False


@contextmanager
def _started(keep: bool) -> Iterator[dict[str, str]]:
    from localcloud.processes import PortInUseError
    from localcloud.run import Ports, StartError, cloud
    from localcloud.stack import StaleStateError

    with ExitStack() as stack:
        state = STATE if keep else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="proofsheet-")))
        try:
            local = stack.enter_context(cloud(state, Ports.free()))
        except (StartError, PortInUseError, StaleStateError) as error:
            why = str(error) if keep else str(error).partition("; see ")[0]  # the logs go with the state
            raise NoConnection(f"No local cloud runs here, and none can be started: {why}") from error
        yield local.env


def demo_token(env: Mapping[str, str]) -> str:
    """An ID token of the local cloud's demo user, who is signed up when missing, and an admin of their account."""
    from botocore.exceptions import BotoCoreError, ClientError

    from localcloud.clients import client
    from tools import sign_in

    cognito = client("cognito-idp", env["AWS_ENDPOINT_URL"])
    pool = sign_in.Pool(cognito, env["PROOFSHEET_USER_POOL"], env["PROOFSHEET_USER_POOL_CLIENT"])
    try:
        _sign_up(pool)
        pool.cognito.admin_add_user_to_group(UserPoolId=pool.id, Username=DEMO_USER, GroupName="admin")
        return sign_in.sign_in(pool, DEMO_USER, DEMO_PASSWORD).id
    except (sign_in.SignInError, BotoCoreError, ClientError) as error:
        raise NoConnection(f"The demo user cannot sign in: {error}") from error


def _sign_up(pool: Any) -> None:
    from tools import sign_in

    try:
        sign_in.sign_up(pool, DEMO_USER, DEMO_PASSWORD)
        pool.cognito.admin_confirm_sign_up(UserPoolId=pool.id, Username=DEMO_USER)
    except (pool.cognito.exceptions.UsernameExistsException, pool.cognito.exceptions.NotAuthorizedException):
        return  # there already, and confirmed
