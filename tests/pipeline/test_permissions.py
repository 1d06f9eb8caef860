"""Least privilege, by running: every policy of .chalice/policies allows what its functions do, and nothing else."""

from __future__ import annotations

import json
import re
from hashlib import md5
from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib import accounts, auth, aws, contract, ranking
from chalicelib.delivery import keys, links, making, presets, serve
from chalicelib.errors import NotFound
from chalicelib.images import gallery, lifecycle, record, removal, slots, sweep
from chalicelib.scoring import rescoring, worker
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from chalicelib.tracking import best, collect, consume, limit, quarantine, queue, rollup, stats
from tests.pipeline import own_model
from tests.pipeline.guard import Guard, Guarded, Need, for_lambda, grants, policy_files, statements
from tests.pipeline.learning import learn
from tests.pipeline.reaching import reach
from tests.pipeline.world import QUEUES, Message, World

ACCOUNT = "a234567abcdefghij"
# AWS has no resource to name for these.
NAMELESS = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
# Phone numbers have no ARN.
PHONES = {"sns:Publish"}


class Sns:
    """Notices go into the bag, devices to the emulator."""

    def __init__(self, notices: Any, devices: Any):
        self.publish, self.devices = notices.publish, devices

    def __getattr__(self, method: str) -> Any:
        return getattr(self.devices, method)


class GuardedWorld(World):
    """The pipeline, each handler with its own role; the test itself acts as the API."""

    guard: Guard

    def client(self, service: str) -> Any:
        client = super().client(service)
        return Guarded(self.guard, service, Sns(client, self.emulator.client("sns")) if service == "sns" else client)

    def upload(self, account: str, image: str, data: bytes, *, told: bool = True) -> None:
        """The bytes come with a form that the API signed; S3 may lose its event."""
        key = record.original_key(account, image)
        self.put(key, data)
        self.bag.messages += [Message("uploaded", {"key": key})] * told

    def put(self, key: str, data: bytes, bucket: str | None = None) -> None:
        """An object that somebody else wrote."""
        super().client("s3").put_object(Bucket=bucket or settings().media_bucket, Key=key, Body=data)

    def handle(self, message: Message) -> bool:
        with self.guard.running(QUEUES.get(message.kind, message.kind)):
            return super().handle(message)

    def fire(self, rule: str, kind: str, body: dict[str, Any]) -> None:
        with self.guard.running(rule):
            super().fire(rule, kind, body)

    def look(self, seconds: float) -> None:
        self.now += seconds
        with self.guard.running("sweep_standing"):
            sweep.sweep(self.now)

    def unlink_before(self, operation: str, image: str) -> None:
        """The original goes just before the next request of that name."""

        def on_call(_service: str, name: str, when: str) -> None:
            if name == operation and when == "before":
                self.emulator.on_call = lambda *_: None
                key = record.original_key(ACCOUNT, image)
                super(GuardedWorld, self).client("s3").delete_object(Bucket=settings().media_bucket, Key=key)

        self.emulator.on_call = on_call

    def take(self, queued: list[str], operation: str, request: dict[str, Any]) -> dict[str, str]:
        """SQS, asked without boto3."""
        name = request["QueueUrl"].rpartition("/")[2]
        self.guard.demand([Need(f"sqs:{operation}", f"arn:aws:sqs:us-east-1:000000000000:{name}")])
        queued.append(request["MessageBody"])
        return {"MD5OfMessageBody": md5(queued[-1].encode(), usedforsecurity=False).hexdigest()}

    def delete_before(self, operation: str, image: str) -> None:
        """The image is deleted behind the next handler's back, just before its request of that name."""

        def on_call(_service: str, name: str, when: str) -> None:
            if name == operation and when == "before":
                self.emulator.on_call = lambda *_: None
                super(GuardedWorld, self).client("dynamodb").delete_item(
                    TableName=settings().table,
                    Key={"pk": {"S": f"{ACCOUNT}/image/{image}"}, "sk": {"S": "image"}},
                )

        self.emulator.on_call = on_call


@pytest.fixture
def world(emulator, make_world, monkeypatch):
    make_world(0)
    world = GuardedWorld(emulator)
    world.guard = Guard()
    keys._kept.clear()
    monkeypatch.setattr(aws, "client", world.client)
    return world


def new_images(world, count, **options):
    files = [contract.NewFile(name=f"{number}.jpg", content_type="image/jpeg", size=100) for number in range(count)]
    answer = slots.open_slots(AccountStore(ACCOUNT), contract.NewImages(files=files, **options), world.now)
    return [slot.id for slot in answer.items]


def handle_next(world, kind):
    """Handle the first message of that kind, as it came."""
    message = next(message for message in world.bag.messages if message.kind == kind)
    world.bag.messages.remove(message)
    return world.handle(message)


def rank_and_ask(world, mine, images):
    """A ranking that waits for photos on their way, one that finds them ready, and everything else a caller asks."""
    made = ranking.create(mine, contract.NewRanking(images=images), world.now).id
    world.drain()
    ranking.view(mine, made)
    ranking.page(mine, contract.Paging())
    gallery.page(mine, contract.ImageQuery(collection="spring"))
    gallery.view(mine, images[0])
    lifecycle.process_again(mine, images[0], contract.Process(use_queue=False), world.now)
    world.drain()
    principal = auth.Principal(ACCOUNT, "user", frozenset({"member"}))
    accounts.revoke_api_key(principal, accounts.create_api_key(principal, "key").id)
    ranking.delete(mine, made)
    with world.guard.running("account_born"):
        accounts.signed_up({"request": {"userAttributes": {"sub": "1234"}}})


def lose_what_can_be_lost(world, mine, photo):
    """An upload whose event never came, a score that nobody asked for or heard of; the sweeper mends them all."""
    [unscored, untold] = new_images(world, 2)
    world.upload(ACCOUNT, unscored, photo)
    for kind in ("uploaded", "Process Image Request", *contract.PROPERTIES):
        handle_next(world, kind)
    world.upload(ACCOUNT, untold, photo, told=False)
    ranking.create(mine, contract.NewRanking(images=[unscored, untold]), world.now)
    world.bag.messages.clear()
    world.look(slots.SLOT_SECONDS + slots.GRACE_SECONDS + 60)
    while others := [message.kind for message in world.bag.messages if message.kind != "Image Scored"]:
        handle_next(world, others[0])
    world.bag.messages.clear()
    world.look(record.PATIENCE_SECONDS * record.ATTEMPTS)


def delete_in_the_middle(world, scored, photo):
    """Photos deleted while somebody works on them, so that what was just written has to go as well."""
    [during_work, before_ingest, never_sent] = new_images(world, 3)
    world.upload(ACCOUNT, scored, photo)
    world.delete_before("UpdateItem", scored)
    handle_next(world, "uploaded")
    world.upload(ACCOUNT, during_work, photo)
    handle_next(world, "uploaded")
    handle_next(world, "Process Image Request")
    world.delete_before("UpdateItem", during_work)
    handle_next(world, "content")
    world.bag.messages.clear()
    world.upload(ACCOUNT, before_ingest, photo)
    world.delete_before("GetItem", before_ingest)
    handle_next(world, "uploaded")
    world.bag.messages.append(Message("uploaded", {"key": record.original_key(ACCOUNT, never_sent)}))
    handle_next(world, "uploaded")


def ask(world, key, **query):
    return serve.resize(contract.ResizeQuery(key=key, **query), "image/avif,image/webp", "", world.now)


def deliver_variants(world, mine, image, photo):
    """Every way of asking for a variant, and photos deleted while theirs are made."""
    presets.put(mine, "tile", contract.NewPreset(operations="w20,h20,fit:cover,gravity:faces", at_upload=True))
    presets.page(mine, contract.PresetQuery())
    for options in ({"format": "jpg"}, {"format": "jpg", "expires_in": 60}, {"format": "auto"}):
        key = links.create(mine, contract.NewUrl(source=image, operations="w30", **options), world.now).key
        ask(world, key)
        ask(world, key, inline=1)
    keys.show(ACCOUNT)
    [before_put, while_presets] = new_images(world, 2)
    world.upload(ACCOUNT, before_put, photo, told=False)
    key = links.create(mine, contract.NewUrl(source=before_put, format="jpg"), world.now).key
    world.unlink_before("PutObject", before_put)
    with pytest.raises(NotFound):
        ask(world, key)
    world.upload(ACCOUNT, while_presets, photo, told=False)
    world.unlink_before("PutObject", while_presets)
    with world.guard.running("make_presets"):
        making.make_presets(ACCOUNT, while_presets, world.now)
    presets.delete(mine, "tile")


def track(world, mine, image, monkeypatch):
    """Events from the API to the counters, one that was put aside, and the image that does best."""
    queued = []
    monkeypatch.setattr(queue, "ask", lambda operation, request: world.take(queued, operation, request))
    principal = auth.Principal(ACCOUNT, "user", frozenset({"admin"}))
    key = accounts.create_write_key(principal, contract.NewWriteKey()).key
    click = {"type": "track", "event": "click", "userId": "u", "messageId": "no time", "properties": {"image": image}}
    events = [click, 17]
    body = json.dumps({"writeKey": key, "batch": events}).encode()
    limit._minutes.clear()
    collect.batch(SimpleNamespace(raw=body, headers={}, ip=""), world.now)
    made = ranking.create(mine, contract.NewRanking(images=[image, another(mine, image)]), world.now).id
    best.choose(made, contract.BestQuery(ops="w20"), best.Visitor("anna"), world.now)
    with world.guard.running("count"):
        consume.count(queued, [str(number) for number in range(len(queued))], world.now)
    stats.stats(mine, contract.StatsQuery(image=image), world.now)
    stats.stats(mine, contract.StatsQuery(collection="spring", interval="hour"), world.now)
    assert len(quarantine.page(mine, contract.Paging()).items) == 1
    later = world.now + 2 * 3600
    with world.guard.running("roll_up"):
        rollup.roll_up(later)
    world.bag.messages.clear()


def another(mine, image):
    ready = (item["id"] for item in mine.page("image", 50, None).items if item["state"] == "ready")
    return next(each for each in ready if each != image)


def delete_in_a_sweep(world, photo):
    """The same under the sweeper's hands, twice: with the slot still there, and with the slot gone."""
    for operation in ("PutObject", "HeadObject"):
        [image] = new_images(world, 1)
        world.upload(ACCOUNT, image, photo, told=False)
        world.put(f"{record.record_prefix(ACCOUNT, image)}general.json", b"{}")
        world.delete_before(operation, image)
        world.look(slots.SLOT_SECONDS + slots.GRACE_SECONDS + 60)


def score_by_own_models(world, mine, images, monkeypatch):
    """A ranking by a model, a version that overtakes it, and the model's end while it scores."""
    monkeypatch.setattr(rescoring, "PAGE", 2)
    model = own_model.new_model(mine, world.now)
    first = own_model.release(mine, model, 1)
    made = ranking.create(mine, contract.NewRanking(images=images, model=model), world.now).id
    world.drain()
    own_model.release(mine, model, 2)
    with world.guard.running("plan_rescoring"):
        rescoring.start(ACCOUNT, model)
    world.bag.messages.append(Message("score", {"account": ACCOUNT, "image": images[0], "model": first}))
    world.drain()
    with world.guard.running("plan_scores"):
        worker.plan(ACCOUNT, images[0])
    mine.put("models", "", {"scorers": {}}, sk="live")
    world.drain()
    rescoring.start(ACCOUNT, model)
    world.drain()
    mine.delete_partition("model", model)
    ranking.delete(mine, made)


@pytest.mark.usefixtures("remembered")
def test_each_role_may_do_what_its_functions_do_and_nothing_else(world, small_photos, monkeypatch):
    mine = AccountStore(ACCOUNT)
    images = new_images(world, 3, collection="spring")
    for image, photo in zip(images, small_photos, strict=True):
        world.upload(ACCOUNT, image, photo)
    rank_and_ask(world, mine, images)
    lose_what_can_be_lost(world, mine, small_photos[0])
    delete_in_the_middle(world, images[0], small_photos[1])
    delete_in_a_sweep(world, small_photos[0])
    deliver_variants(world, mine, images[1], small_photos[0])
    track(world, mine, images[1], monkeypatch)
    score_by_own_models(world, mine, images[1:], monkeypatch)
    learn(world, mine, images[2], monkeypatch)
    reach(world, mine, monkeypatch)
    removal.delete(mine, images[1])
    assert world.guard.denied == []
    assert needless(world.guard) == {}


def needless(guard):
    """Grants that neither a handler nor Lambda itself used, by policy file."""
    unused = {
        file: [grant for grant in sorted(granted - guard.used[file]) if not for_lambda(grant, granted)]
        for file, granted in guard.grants.items()
    }
    return {file: left for file, left in unused.items() if left}


@pytest.mark.parametrize("file", sorted(set(policy_files().values())))
def test_a_policy_names_every_resource_that_can_be_named(file):
    unnamed = {action for each in statements(file) if "*" in each["Resource"] for action in each["Action"]}
    assert unnamed <= NAMELESS | (PHONES if file == "policies/send_sms.json" else set())


@pytest.mark.parametrize("file", sorted(set(policy_files().values())))
def test_a_policy_stands_for_many_only_with_objects_log_streams_and_devices(file):
    many = {grant.resource for grant in grants(file) if grant.action not in NAMELESS and "*" in grant.resource}
    kinds = r"s3:::[^*]+/|logs:[^*]+:|sns:[^*]+:(app|endpoint)/"
    assert {each for each in many if not re.fullmatch(rf"arn:aws:({kinds})\*", each)} <= {"*"}


@pytest.mark.parametrize("file", sorted(set(policy_files().values())))
def test_a_policy_names_actions_in_full(file):
    assert not [action for each in statements(file) for action in each["Action"] if "*" in action]


def test_the_guard_refuses_what_no_policy_allows(world):
    with world.guard.running("tell_ranking"), pytest.raises(Exception, match="AccessDenied"):
        AccountStore(ACCOUNT).get("image", "x")
    assert [function for function, _ in world.guard.denied] == ["tell_ranking"]
