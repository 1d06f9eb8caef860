"""Everything that push can come to, each handler in its own role: for `test_permissions`."""

from __future__ import annotations

import gzip
import itertools
import json
import time
import uuid
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from chalicelib import auth, contract, lean
from chalicelib.images import sweep
from chalicelib.push import (
    audit,
    campaigns,
    devices,
    enrolment,
    imports,
    inbox,
    launch,
    listing,
    planning,
    recipients,
    rules,
    sending,
    snapshots,
    standings,
)
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from chalicelib.tracking import tallies
from tests.pipeline.guard import Guard, Need, endpoint
from tests.pipeline.recipient_world import dynamodb_post

PLATFORMS = {"apns_application": "APNS", "fcm_application": "GCM"}
RULES = contract.Rules(points={"purchase": 10})
ADMIN = frozenset({"admin", "member"})


def reach(world: Any, mine: AccountStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipients with devices, a game, campaigns by both channels, and the inbox; and what gets lost on the way."""
    sns = world.emulator.client("sns")
    applications = {
        field: sns.create_platform_application(Name="role", Platform=platform, Attributes={})["PlatformApplicationArn"]
        for field, platform in PLATFORMS.items()
    }
    monkeypatch.setattr(devices, "settings", lambda: msgspec.structs.replace(settings(), **applications))
    monkeypatch.setattr(devices, "THREADS", 1)  # the emulator in this process has one loop
    monkeypatch.setattr(lean, "post", guarded_post(world))
    enrol(world, mine)
    import_some(world, mine)
    play(world, mine)
    campaign = send(world, mine)
    look_for_what_was_lost(world, mine, campaign)
    ask(world, mine, campaign)


def guarded_post(world: Any) -> Any:
    """Stands for `lean.post`: tables are the emulator's, publishes are taken; "refused" is once, by each channel."""
    table, refused = dynamodb_post(world.emulator), {"TargetArn", "PhoneNumber"}

    def post(service: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        guard: Guard = world.guard
        if service == "dynamodb":
            written = {each["Statement"].split()[0].title() for each in json.loads(body)["Statements"]}
            name = f"arn:aws:dynamodb:us-east-1:000000000000:table/{settings().table}"
            guard.demand([Need(f"dynamodb:PartiQL{each}", name) for each in written])
            return table(service, url, headers, body)
        fields = parse_qs(body.decode())
        [target] = fields.get("TargetArn") or fields["PhoneNumber"]
        guard.demand([Need("sns:Publish", endpoint(target))])
        if "refused" in fields["Message"][0] and refused & fields.keys():
            refused.difference_update(fields)
            return 403, b"<Code>ExpiredToken</Code>"
        return 200, b"<MessageId>m</MessageId>"

    return post


class Minutes:
    """A clock of which a minute has passed whenever it is asked for the third time."""

    def __init__(self) -> None:
        self.asked = itertools.count()

    def __call__(self) -> float:
        return time.time() + next(self.asked) // 2 * 60


def run_out_of_time(world: Any, work: Any, function: str) -> None:
    """The first message that waits gets a turn without any time."""
    message = world.bag.messages.pop(0)
    with world.guard.running(function):
        work(message.body, seconds=0)


# Recipients


def token(number: int) -> str:
    return f"{number:064x}"


def device(number: int) -> dict[str, str]:
    return {"platform": "APNS", "token": token(number)}


def enrol(world: Any, mine: AccountStore) -> None:
    """New ones, one who takes another's device, one whose device was disabled, and one who is deleted."""

    def put(*items: dict[str, Any]) -> None:
        assert enrolment.put(mine, contract.NewRecipients(items=list(items)), world.now).problems == []

    put({"id": "anna", "phone": "+4915112345678"}, {"id": "bert", "devices": [device(1), device(2)]})
    put({"id": "carl", "devices": [device(1)]})
    disable(world, mine, "carl")
    put({"id": "dora", "devices": [device(1)]})
    put({"id": "bert", "phone": "+4915112345679"})
    recipients.delete(mine, "dora")
    put({"id": "dora", "devices": [device(3)]}, {"id": "emil", "devices": [device(4)]})
    recipients.page(mine, contract.RecipientQuery())
    recipients.read(mine, "anna")


def disable(world: Any, mine: AccountStore, recipient: str) -> None:
    """SNS finds out that the app is gone; the emulator tells attributes apart by what the account wrote alone."""
    [known] = recipients.load(mine, [recipient]).values()
    sns, changed = world.emulator.client("sns"), {"Enabled": "false", "CustomUserData": ""}
    sns.set_endpoint_attributes(EndpointArn=known.devices[0].endpoint, Attributes=changed)


def import_some(world: Any, mine: AccountStore) -> None:
    """A file with a bad row, devices that are new, disabled and given up; another that is gone before it is read."""
    data = f"id,phone,apns_tokens\nfrida,12,\nhans,,\nemil,,{token(5)}\ngerd,,{token(3)}\n".encode()
    disable(world, mine, "dora")
    name = upload(world, mine, data)
    world.drain()
    assert imports.read(mine, name).problems_url
    world.put(imports.uploaded_key(mine.account, name), data)
    uploaded(world, mine, name)
    uploaded(world, mine, "never")
    upload(world, mine, data)
    world.bag.messages.clear()
    look(world, imports.PATIENCE_SECONDS + 60)
    run_out_of_time(world, imports.run, "import_recipients")
    world.drain()


def upload(world: Any, mine: AccountStore, data: bytes) -> str:
    name = imports.open_slot(mine, contract.NewImport(name="a", size=len(data)), world.now).id
    world.put(imports.uploaded_key(mine.account, name), data)
    uploaded(world, mine, name)
    return name


def uploaded(world: Any, mine: AccountStore, name: str) -> None:
    with world.guard.running("recipients_uploaded"):
        imports.begin(imports.uploaded_key(mine.account, name), world.now)


# The game


def play(world: Any, mine: AccountStore) -> None:
    """Standings that were asked for, and those of another day."""
    from datetime import UTC, datetime

    rules.put(mine, RULES, world.now)
    rules.get(mine)
    day = datetime.fromtimestamp(world.now, UTC).date().isoformat()
    rows = gzip.compress(b'["anna","purchase",2]\n')
    world.put(tallies.key(mine.account, day, tallies.shard_of("anna")), rows, settings().events_bucket)
    standings.request(mine, world.now)
    [message] = world.bag.messages
    world.bag.messages.clear()
    with world.guard.running("compute_standings"):
        standings.compute(message.body, clock=Minutes())
    world.drain()
    with world.guard.running("keep_standings"):
        standings.keep(world.now + 2 * rules.DAY)
    world.drain()
    assert snapshots.page(mine, contract.StandingsQuery(around="anna")).items[0].points == 20


# Campaigns


def send(world: Any, mine: AccountStore) -> str:
    """By both channels, to people with and without a standing; one that is paused, resumed and cancelled."""
    campaign = start(world, mine, channel="both", sms="{{ recipient.id }}", push="{{ recipient.id }}")
    world.drain()
    assert campaigns.view(mine, campaign, world.now).state == "completed"
    leading = start(world, mine, audience=contract.Filter(max_rank=1), sms="{{ standing.rank }}")
    campaigns.pause(mine, "ann", leading, world.now)
    campaigns.resume(mine, "ann", leading, world.now, max_dollars=5)
    world.drain()
    assert campaigns.view(mine, leading, world.now).progress.sent == 1
    refused = start(world, mine, channel="both", sms="refused", push="refused")
    world.drain()
    assert campaigns.view(mine, refused, world.now).state == "completed"
    dear = start(world, mine, sms="dear", max_dollars=0.001)
    world.drain()
    assert campaigns.view(mine, dear, world.now).reason == "max_dollars"
    campaigns.cancel(mine, "ann", dear, world.now)
    forget_standings(world, mine)
    start(world, mine, audience=contract.Filter(max_rank=1), sms="nobody leads")
    later = start(world, mine, sms="later", starts_at="2027-06-01T00:00:00Z")
    campaigns.cancel(mine, "ann", later, world.now)
    start(world, mine, sms="dry", dry_run=True)
    start(world, mine, audience=contract.Filter(ids=["nobody"]), sms="empty")
    world.drain()
    return campaign


def forget_standings(world: Any, mine: AccountStore) -> None:
    """The snapshot is older than its files."""
    part = snapshots.by_shard(tallies.shard_of("anna"))
    key = snapshots.key(mine.account, snapshots.latest(mine) or "", part)
    world.emulator.client("s3").delete_object(Bucket=settings().media_bucket, Key=key)


def start(world: Any, mine: AccountStore, *, channel: Any = "sms", **asked: Any) -> str:
    texts = contract.Texts(sms=asked.pop("sms", None), push=asked.pop("push", None))
    request = contract.NewCampaign(name="spring", channel=channel, template=texts, **asked)
    return launch.create(mine, "ann", request, world.now, key=uuid.uuid4().hex).id or ""


def look_for_what_was_lost(world: Any, mine: AccountStore, campaign: str) -> None:
    """A campaign whose messages are lost, chunks whose messages are, and a notice that nobody got."""
    lost = start(world, mine, channel="both", sms="lost", push="lost")
    run_out_of_time(world, planning.plan, "plan_campaign")
    world.bag.messages.clear()
    look(world, campaigns.PATIENCE_SECONDS + 60)
    plans = [message for message in world.bag.messages if message.kind == "plan"]
    world.bag.messages.clear()
    for message in plans:
        world.handle(message)
    world.bag.messages.clear()
    look(world, 2 * 3600)
    for queue in ("send_sms", "send_push"):
        world.bag.messages.sort(key=lambda message: message.kind != queue)
        run_out_of_time(world, sending.send, queue)
    world.drain()
    assert campaigns.view(mine, lost, world.now).state == "completed"
    due = {"sweep_pk": "sweep/0", "sweep_at": int(world.now)}
    mine.update(
        "campaign",
        campaign,
        "SET #sweep_pk = :sweep_pk, #sweep_at = :sweep_at",
        due,
        condition="attribute_exists(pk)",
    )
    told = len(world.bag.notices)
    look(world, 60)
    assert len(world.bag.notices) == told + 1


def look(world: Any, seconds: float) -> None:
    world.now += seconds
    with world.guard.running("sweep_standing"):
        sweep.sweep(world.now)
        imports.sweep(world.now)


def ask(world: Any, mine: AccountStore, campaign: str) -> None:
    """What admins ask, and the inboxes that all of it has filled."""
    import app

    campaigns.page(mine, contract.Paging())
    assert listing.page(mine, campaign, contract.MessageQuery()).items
    assert audit.page(mine, contract.Paging()).items
    for notice in world.bag.notices:
        with world.guard.running("inform"):
            app.inform(sns_event(notice), None)
    principal = auth.Principal(mine.account, "user", ADMIN)
    own = inbox.page(principal, contract.InboxQuery(), world.now).items
    assert "campaign_completed" in {item.kind for item in own}
    assert inbox.mark_read(principal, contract.NewRead(until=own[0].id), world.now).unread == 0
    assert inbox.page(principal, contract.InboxQuery(recipient="emil"), world.now).items


def sns_event(notice: dict[str, Any]) -> dict[str, Any]:
    sns = {"Message": json.dumps(notice), "Subject": None, "MessageAttributes": {}}
    return {"Records": [{"EventVersion": "1.0", "EventSource": "aws:sns", "Sns": sns}]}
