"""Delivery under faults: kills, throttling, deletions and replacements between any two steps, in thousands of ways."""

from __future__ import annotations

import io
import random
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import msgspec
import pytest
from botocore.exceptions import ClientError
from PIL import Image

import app
from chalicelib import aws, contract, ids, settings
from chalicelib.delivery import keys, links, making, presets, serve, shelf
from chalicelib.errors import NotFound, Unavailable, Unprocessable
from chalicelib.images import record, removal
from chalicelib.store import AccountStore
from tests.pipeline.world import Killed

ACCOUNT = "a234567abcdefghij"
OTHER = "a765432abcdefghij"
SCHEDULES = 1000


@pytest.fixture
def site(world, monkeypatch):
    keys._kept.clear()
    monkeypatch.setattr(making, "PATIENCE_SECONDS", (0, 0))
    site = Site(world)
    yield site
    world.emulator.on_call = lambda *_: None
    for preset in presets.all_of(site.store):
        presets.delete(site.store, preset.name)


class Site:
    """A visitor of a site with one image after another; its clock is the test's."""

    def __init__(self, world):
        self.world = world
        self.store = AccountStore(ACCOUNT)
        self.s3 = world.emulator.client("s3")

    def image(self, data):
        image = ids.new_id(self.world.now)
        self.store.put("image", image, {"id": image, "state": "ready", "etag": "x"})
        self.replace(image, data)
        return image

    def replace(self, image, data):
        self.s3.put_object(Bucket=settings.settings().media_bucket, Key=record.original_key(ACCOUNT, image), Body=data)

    def sign(self, source, operations="w20", format="jpg", **options):
        request = contract.NewUrl(source=source, operations=operations, format=format, **options)
        return links.create(self.store, request, self.world.now).key

    def ask(self, key, **query):
        return serve.resize(contract.ResizeQuery(key=key, inline=1, **query), "", "", self.world.now)

    def stored(self, key):
        return shelf.look(key)

    @contextmanager
    def fault(self, before, do):
        """Do something just before the next request of that name."""

        def on_call(_service, operation, when):
            if operation == before and when == "before":
                self.world.emulator.on_call = lambda *_: None
                do()

        self.world.emulator.on_call = on_call
        yield
        self.world.emulator.on_call = lambda *_: None


def slow_down():
    raise ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "GetObject")


def opened(outcome):
    assert outcome.status == 200
    return Image.open(io.BytesIO(outcome.body))


def test_a_worker_killed_anywhere_leaves_nothing_that_a_later_request_cannot_mend(site, small_photos):
    """Kills before and after every request to AWS; then the lock ends and the next visitor gets the picture."""
    image, chance = site.image(small_photos[0]), random.Random(4)
    kills = 0
    for width in range(1, SCHEDULES + 1):
        key = site.sign(image, f"w{width % 90 + 1},sharpen:{width % 5},q:{width % 99 + 1}")
        site.world.kill_at(chance.randrange(9))
        try:
            site.ask(key)
        except Killed:
            kills += 1
        site.world.emulator.on_call = lambda *_: None
        site.world.now += shelf.LOCK_SECONDS + 1
        assert opened(site.ask(key)).width <= 96
    assert kills > SCHEDULES / 3


def test_two_who_come_while_a_variant_is_made_find_its_lock_and_wait(site, small_photos):
    key = site.sign(site.image(small_photos[0]))
    rivals = []

    def rival():
        with pytest.raises(Unavailable):
            site.ask(key)
        rivals.append(key)

    with site.fault("PutObject", rival):
        assert opened(site.ask(key)).width == 20
    assert rivals == [key]


def test_a_file_that_cannot_be_shown_is_read_once_a_minute(site):
    key, reads = site.sign(site.image(b"no picture at all")), []

    def count(_service, operation, when):
        if (operation, when) == ("GetObject", "before"):
            reads.append(operation)

    site.world.emulator.on_call = count
    for _ in range(5):
        with pytest.raises(Unprocessable):
            site.ask(key)
    site.world.now += shelf.REFUSED_SECONDS + 1
    with pytest.raises(Unprocessable):
        site.ask(key)
    assert len(reads) == 2


@pytest.mark.parametrize("step", ["DeleteObjects", "BatchWriteItem", "DeleteItem"])
def test_a_visitor_between_any_two_steps_of_a_deletion_leaves_nothing(site, small_photos, step):
    image = site.image(small_photos[0])
    key = site.sign(image)

    def visit():
        with suppress(NotFound):
            site.ask(key)

    with site.fault(step, visit):
        removal.delete(site.store, image)
    assert site.stored(key) is None


def test_an_address_that_expires_is_not_remembered_longer_than_it_lasts(site, small_photos):
    key = site.sign(site.image(small_photos[0]), format="auto", expires_in=86_400)
    outcome = serve.resize(contract.ResizeQuery(key=key), "image/webp", "", site.world.now)
    assert outcome.headers["Cache-Control"] == "no-store"


def test_a_failing_bucket_is_counted_as_a_failure(site, small_photos, capsys):
    key = site.sign(site.image(small_photos[0]))
    with site.fault("PutObject", slow_down), pytest.raises(ClientError):
        site.ask(key)
    assert '"VariantFailed": 1' in capsys.readouterr().out


def test_a_lock_that_was_never_given_back_ends(site, small_photos):
    image = site.image(small_photos[0])
    key = site.sign(image)
    original = serve.parse_key(key).original
    assert shelf.lock(original, key, site.world.now)
    assert not shelf.lock(original, key, site.world.now + 1)
    assert shelf.lock(original, key, site.world.now + shelf.LOCK_SECONDS)


def test_an_original_that_vanishes_between_two_looks_is_not_found(site, small_photos):
    image = site.image(small_photos[0])
    key = site.sign(image)
    with site.fault("GetObject", lambda: removal.delete(site.store, image)), pytest.raises(NotFound):
        site.ask(key)
    assert site.stored(key) is None


def test_what_was_made_of_an_image_while_it_was_deleted_is_taken_back(site, small_photos):
    image = site.image(small_photos[0])
    key = site.sign(image)
    with site.fault("PutObject", lambda: removal.delete(site.store, image)), pytest.raises(NotFound):
        site.ask(key)
    assert site.stored(key) is None
    assert site.store.partition("image", image) == []


def test_an_original_replaced_between_two_looks_is_asked_for_again(site, small_photos):
    image = site.image(small_photos[0])
    key = site.sign(image)
    with site.fault("GetObject", lambda: site.replace(image, small_photos[1])), pytest.raises(Unavailable):
        site.ask(key)
    assert site.stored(key) is None


def test_deleting_an_image_removes_every_variant_of_it(site, small_photos):
    image = site.image(small_photos[0])
    made = [site.sign(image, f"w{width}", format) for width in (10, 11) for format in ("jpg", "webp", "png")]
    for key in made:
        site.ask(key)
    removal.delete(site.store, image)
    assert [key for key in made if site.stored(key)] == []


def test_a_throttled_bucket_asks_to_come_back_and_caches_nothing(site, small_photos, call_resize):
    key = site.sign(site.image(small_photos[0]))
    with site.fault("GetObject", slow_down):
        answer = call_resize(key)
    assert answer["statusCode"] == 429
    assert answer["headers"]["Retry-After"] == "1"
    assert answer["headers"]["Cache-Control"] == "no-store"
    assert call_resize(key)["statusCode"] == 302


@pytest.fixture
def call_resize():
    """The API's handler, called as API Gateway does."""

    class Context:
        aws_request_id = "r"
        function_name = "proofsheet-local-api"

    def call(key):
        event = {
            "requestContext": {"httpMethod": "GET", "resourcePath": "/resize", "path": "/resize"},
            "multiValueQueryStringParameters": {"key": [key]},
            "headers": {},
            "pathParameters": {},
            "stageVariables": {},
            "body": None,
            "isBase64Encoded": False,
        }
        return app.app(event, Context())

    return call


# Originals in a bucket of the account's own

KEYS = [
    "plain.jpg",
    "deep/er/and/deeper/cat.jpg",
    "with space.jpg",
    "a+b.jpg",
    "50%.jpg",
    "100%25.jpg",
    "(brackets) [and] {more}.jpg",
    "Łódź/größe ☕.jpg",
    "dots..jpg",
    "no-extension",
    "comma,semicolon;.jpg",
    "question?and#hash&amp=.jpg",
    "'quoted\"\\.jpg",
]


@pytest.fixture
def source(site, monkeypatch):
    """The account's own bucket and prefix, as an operator configures it."""
    configured = msgspec.structs.replace(
        settings.settings(), source_bucket="somebodys-bucket", source_prefix="media/", source_account=ACCOUNT
    )
    monkeypatch.setattr("chalicelib.delivery.originals.settings", lambda: configured)
    emulator = site.world.emulator
    # The whole client: odd keys are what it escapes.
    monkeypatch.setitem(emulator.clients, "s3", emulator.connect("s3"))
    emulator.client("s3").create_bucket(Bucket="somebodys-bucket")
    return site


@pytest.mark.parametrize("key", KEYS)
def test_an_original_of_any_key_is_delivered(source, small_photos, key):
    source.world.emulator.client("s3").put_object(Bucket="somebodys-bucket", Key=f"media/{key}", Body=small_photos[0])
    signed = source.sign(key)
    assert urlsplit(f"http://site/{signed}").path == f"/{signed}"
    assert opened(source.ask(signed)).width == 20


def test_a_key_outside_the_prefix_is_out_of_reach(source, small_photos):
    source.world.emulator.client("s3").put_object(Bucket="somebodys-bucket", Key="secret.jpg", Body=small_photos[0])
    with pytest.raises(NotFound):
        source.sign("secret.jpg")


@pytest.mark.usefixtures("source")
def test_another_account_has_no_part_in_a_source():
    with pytest.raises(NotFound):
        links.create(AccountStore(OTHER), contract.NewUrl(source="plain.jpg"), 0)


def test_a_source_original_keeps_the_version_that_its_site_gave_it(source, small_photos):
    source.world.emulator.client("s3").put_object(Bucket="somebodys-bucket", Key="media/v.jpg", Body=small_photos[0])
    variant = serve.parse_key(source.sign("v.jpg"))
    key = serve.format_key(links.signed(serve.with_version(variant, "release-7")))
    assert opened(source.ask(key)).width == 20


def test_a_replaced_source_original_is_never_served_under_the_version_before(source, small_photos):
    put = lambda data: source.world.emulator.client("s3").put_object(  # noqa: E731
        Bucket="somebodys-bucket", Key="media/r.jpg", Body=data
    )
    put(small_photos[0])
    key = source.sign("r.jpg")
    put(small_photos[1])
    outcome = source.ask(key)
    assert outcome.status == 302
    assert outcome.headers["Location"].endswith(source.sign("r.jpg"))


def test_the_variants_of_a_source_original_can_be_purged(source, small_photos):
    source.world.emulator.client("s3").put_object(Bucket="somebodys-bucket", Key="media/p.jpg", Body=small_photos[0])
    keys = [source.sign("p.jpg", f"w{width}") for width in (10, 11)]
    for key in keys:
        source.ask(key)
    links.purge(source.store, "p.jpg")
    assert [source.stored(key) for key in keys] == [None, None]


# Presets at upload


def test_presets_are_made_once_from_one_read(site, small_photos):
    presets.put(site.store, "small", contract.NewPreset(operations="w30", at_upload=True))
    presets.put(site.store, "tiny", contract.NewPreset(operations="w10", format="png", at_upload=True))
    presets.put(site.store, "later", contract.NewPreset(operations="w50"))
    image, reads = site.image(small_photos[0]), []

    def count(_service, operation, when):
        if when == "before" and operation in ("GetObject", "PutObject"):
            reads.append(operation)

    for _ in range(2):
        site.world.emulator.on_call = count
        making.make_presets(ACCOUNT, image, site.world.now)
        site.world.emulator.on_call = lambda *_: None
    assert sorted(reads) == ["GetObject", "PutObject", "PutObject", "PutObject"]
    assert sorted(
        row["key"].split("/")[2].split(",")[0] for row in site.store.partition("image", image, "variant#")
    ) == [
        "small",
        "small",
        "tiny",
    ]


def test_presets_at_upload_may_lay_another_image_over(site, small_photos):
    mark = site.image(small_photos[1])
    laid = contract.NewPreset(operations=f"w30,watermark:{mark}:center:50", format="png", at_upload=True)
    presets.put(site.store, "marked", laid)
    image = site.image(small_photos[0])
    making.make_presets(ACCOUNT, image, site.world.now)
    [row] = site.store.partition("image", image, "variant#")
    plain = site.sign(image, "w30", "png")
    assert shelf.read(site.stored(row["key"])) != site.ask(plain).body


def test_a_preset_that_does_not_fit_an_image_does_not_stop_the_others(site, small_photos):
    for name, operations in (
        ("fits", "w20"),
        ("outside", "crop:4000:4000:10:10"),
        ("gone", f"watermark:{'0' * 26}:center:9"),
    ):
        presets.put(site.store, name, contract.NewPreset(operations=operations, format="webp", at_upload=True))
    image = site.image(small_photos[0])
    making.make_presets(ACCOUNT, image, site.world.now)
    made = [row["key"] for row in site.store.partition("image", image, "variant#") if site.stored(row["key"])]
    assert [key.split("/")[2].split(",")[0] for key in made] == ["fits"]


def test_presets_killed_anywhere_are_made_by_the_next_delivery(site, small_photos):
    presets.put(site.store, "small", contract.NewPreset(operations="w30", at_upload=True))
    for call in range(12):
        image = site.image(small_photos[0])
        site.world.kill_at(call)
        try:
            making.make_presets(ACCOUNT, image, site.world.now)
        except Killed:
            site.world.now += shelf.LOCK_SECONDS + 1
        site.world.emulator.on_call = lambda *_: None
        making.make_presets(ACCOUNT, image, site.world.now)
        rows = site.store.partition("image", image, "variant#")
        assert len(rows) >= 2
        assert all(site.stored(row["key"]) for row in rows)


def test_a_rotated_secret_is_learned_and_the_one_before_it_stays(site, small_photos, monkeypatch):
    from chalicelib.delivery import signature

    key = site.sign(site.image(small_photos[0]))
    secrets, name = aws.client("secretsmanager"), settings.settings().signing_secret
    before = secrets.get_secret_value(SecretId=name)["SecretString"]
    secrets.put_secret_value(SecretId=name, SecretString=signature.rotate(before, "another"))
    try:
        monkeypatch.setattr(keys, "FRESH_SECONDS", 0)
        assert keys.key_ring().current == "2"
        assert opened(site.ask(key)).width == 20
        assert site.sign(serve.parse_key(key).original.image).startswith("v/2.")
    finally:
        secrets.put_secret_value(SecretId=name, SecretString=before)
        keys._kept.clear()
