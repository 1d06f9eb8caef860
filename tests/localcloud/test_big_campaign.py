"""Ten thousand recipients under the processes of `make run`, whose workers are killed while they send.

What SNS was asked for is read from the emulator, what the campaign says from the API.
"""

from __future__ import annotations

import csv
import io
import os
import signal
import threading
import time
import uuid

import pytest
import requests

from localcloud.clients import client
from localcloud.run import cloud
from tests.http.conftest import PASSWORD, Caller
from tools import sign_in

RECIPIENTS = 10_000
WITH_PHONE = 9_000  # the others have a device
KILLS = 2
LEASE_SECONDS = 20
VISIBILITY_SECONDS = 30
# A row of which nobody knows is one of a group that a killed worker had claimed; two channels, five rows a group.
MOST_UNKNOWN = KILLS * 2 * 5
FINAL = ("sent", "failed", "skipped", "unknown", "cancelled")
SETTINGS = {
    "PROOFSHEET_SMS_PER_SECOND": "1000",
    "PROOFSHEET_PUSH_PER_SECOND": "1000",
    "PROOFSHEET_SMS_BUDGET_DOLLARS": "1000",
    "PROOFSHEET_LEASE_SECONDS": str(LEASE_SECONDS),
}


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        with cloud(tmp_path_factory.mktemp("cloud"), visibility_seconds=VISIBILITY_SECONDS) as running:
            yield running


@pytest.fixture
def admin(local):
    names = local.env["PROOFSHEET_USER_POOL"], local.env["PROOFSHEET_USER_POOL_CLIENT"]
    pool, email = sign_in.Pool(client("cognito-idp", local.endpoint), *names), f"{uuid.uuid4().hex}@example.com"
    sign_in.sign_up(pool, email, PASSWORD)
    pool.cognito.admin_confirm_sign_up(UserPoolId=pool.id, Username=email)
    pool.cognito.admin_add_user_to_group(UserPoolId=pool.id, Username=email, GroupName="admin")
    return Caller(local.base_url, email, sign_in.sign_in(pool, email, PASSWORD))


def address(number):
    """A phone number or a token."""
    if number < WITH_PHONE:
        return f"+1202{5550000 + number}", ""
    return "", f"{number:064x}"


def sheet():
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["id", "phone", "apns_tokens", "attributes.name"])
    rows.writerows([f"user-{number}", *address(number), f"Name {number}"] for number in range(RECIPIENTS))
    return text.getvalue().encode()


def imported(admin):
    data = sheet()
    slot = admin("POST", "/imports", {"name": "customers.csv", "size": len(data)}).json()
    assert admin.send(slot, data).status_code == 204
    return admin.until(f"/imports/{slot['id']}", lambda seen: seen["state"] in ("done", "failed"), seconds=240)


class Watch(threading.Thread):
    """Polls a campaign until it has ended. seen: every progress that it was told."""

    def __init__(self, admin, campaign):
        super().__init__(daemon=True)
        self.admin, self.path = admin, f"/campaigns/{campaign}"
        self.seen = []
        self.state = None

    def run(self):
        end = time.monotonic() + 400
        while self.state != "completed" and time.monotonic() < end:
            answer = self.admin("GET", self.path).json()
            self.state = answer["state"]
            self.seen.append(answer["progress"])
            time.sleep(0.25)

    def wait_for(self, done):
        while self.is_alive() and not (self.seen and finished(self.seen[-1]) >= done):
            time.sleep(0.02)


def finished(progress):
    return sum(progress[state] for state in FINAL)


def kill_a_worker(local):
    """The dispatcher starts another, which goes on with what this one had."""
    pid = local.worker_pids[0]
    os.kill(pid, signal.SIGKILL)
    return pid


def received(local):
    """How many messages SNS took for each number and endpoint."""
    answer = requests.get(f"{local.endpoint}/_ministack/sns/sms-messages", timeout=30).json()
    return {target: len(messages) for target, messages in answer["sms_messages"].items()}


@pytest.mark.timeout(700)
def test_ten_thousand_recipients_are_reached_once_though_workers_are_killed(local, admin):
    stored = imported(admin)
    assert (stored["state"], stored["stored"], stored["problems"]) == ("done", RECIPIENTS, 0)
    texts = {"sms": "Hello {{ attributes.name }}", "push": "Hello {{ attributes.name }}"}
    campaign = admin("POST", "/campaigns", {"name": "big", "channel": "both", "template": texts}).json()["id"]
    watch = Watch(admin, campaign)
    watch.start()

    killed = []
    for portion in (0.25, 0.5):
        watch.wait_for((1 + portion) * RECIPIENTS)  # half of the messages are skipped when they are planned
        killed.append(kill_a_worker(local))
    watch.join()

    last = watch.seen[-1]
    assert len({*killed} - {*local.worker_pids}) == KILLS
    assert watch.state == "completed"
    assert last["total_is_final"]
    done = [finished(progress) for progress in watch.seen]
    assert done == sorted(done)
    totals = {progress["total"] for progress in watch.seen if progress["total_is_final"]}
    assert totals == {2 * RECIPIENTS}
    counts = received(local)
    assert set(counts.values()) == {1}
    reached = {"sms": sum(target.startswith("+") for target in counts), "push": sum(":" in target for target in counts)}
    for channel, wanted in (("sms", WITH_PHONE), ("push", RECIPIENTS - WITH_PHONE)):
        own = last["channels"][channel]
        assert own["skipped"] == RECIPIENTS - wanted
        assert own["sent"] + own["unknown"] == wanted
        assert own["sent"] <= reached[channel] <= own["sent"] + own["unknown"]
    assert last["unknown"] <= MOST_UNKNOWN
