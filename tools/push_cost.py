"""What a campaign costs, for `make cost`: dollars of 1,000 messages by each channel, planned, sent and recorded.

A campaign to MESSAGES recipients runs in the local cloud; what its functions used is priced. What carriers take for a
text message is left out: chalicelib/push/prices.json has that. A worker that sends text messages waits for its turn,
and is billed for the time.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tools.cost import Usage

MESSAGES = 250
USER, PASSWORD = "cost@example.com", "Correct-horse-1-battery"
# The functions that work for a campaign, beside the one that sends.
OTHERS = ("plan_campaign", "inform")


def begin(base_url: str, env: Mapping[str, str]) -> Callable[[str], None]:
    """Recipients with a phone and a device; what sends to all of them by a channel and waits until it is done."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {admin_token(env)}"
    items = [recipient(number) for number in range(MESSAGES)]
    session.put(f"{base_url}/recipients", json={"items": items}, timeout=60).raise_for_status()

    def send(channel: str) -> None:
        body = {"name": "cost", "channel": channel, "template": {channel: "Hi {{ recipient.id }}"}}
        answer = session.post(f"{base_url}/campaigns", json=body, timeout=30)
        answer.raise_for_status()
        wait(session, f"{base_url}/campaigns/{answer.json()['id']}")

    return send


def recipient(number: int) -> dict[str, Any]:
    device = {"platform": "GCM", "token": f"{number:064x}"}
    return {"id": f"r{number}", "phone": f"+4915112{number:06}", "devices": [device]}


def wait(session: requests.Session, address: str, patience: float = 120) -> None:
    end = time.monotonic() + patience
    while session.get(address, timeout=30).json()["state"] != "completed":
        if time.monotonic() > end:
            raise TimeoutError(f"{address} is not completed.")
        time.sleep(1)


def admin_token(env: Mapping[str, str]) -> str:
    """Of a user of the local cloud who may send campaigns."""
    from localcloud.clients import client
    from tools import sign_in

    cognito = client("cognito-idp", env["AWS_ENDPOINT_URL"])
    pool = sign_in.Pool(cognito, env["PROOFSHEET_USER_POOL"], env["PROOFSHEET_USER_POOL_CLIENT"])
    sign_in.sign_up(pool, USER, PASSWORD)
    cognito.admin_confirm_sign_up(UserPoolId=pool.id, Username=USER)
    cognito.admin_add_user_to_group(UserPoolId=pool.id, Username=USER, GroupName="admin")
    return sign_in.sign_in(pool, USER, PASSWORD).id


def with_waits(used: Usage, function: str, channel: str) -> Usage:
    """The usage with the time, as processor time, that workers wait because it is not their turn to send."""
    from chalicelib.push import turn
    from tools.cost import REQUEST_MS

    at_work = used.cpu_ms[function] + used.waits[function] * REQUEST_MS
    idle = max(0.0, MESSAGES * 1000 / turn.rate(channel) - at_work)
    return replace(used, cpu_ms=used.cpu_ms + Counter({function: idle}))
