"""What a model is made from, and what is told of posts that it cannot be made from; limits, refusals and ways back."""

from __future__ import annotations

import json

import msgspec
import pytest

from chalicelib import contract, ids, ranking
from chalicelib.errors import Conflict, NotFound, TooManyRequests, Unprocessable
from chalicelib.images import slots
from chalicelib.scoring import scorers
from chalicelib.settings import settings
from chalicelib.store import AccountStore
from chalicelib.tracking import labels
from chalicelib.training import customer, models, retraining, storage, trainer, uploads, versions
from tests.pipeline.posted import image_rows, posted, put
from tests.pipeline.world import Killed

NOW = 1_750_000_000.0
COUNT, MORE = 30, 12
POSTS = posted(COUNT + MORE)
ITEMS = POSTS.items(NOW)
FIRST = list(enumerate(ITEMS[:COUNT]))


@pytest.fixture
def store(world, request):
    """An account that no other test has touched, with its images."""
    from zlib import crc32

    store = AccountStore(f"p{crc32(request.node.name.encode()):016d}")
    put(store, POSTS, NOW)
    return store


def create(world, store, items=None, **request):
    source = {"type": "posts", "items": ITEMS[:COUNT] if items is None else items}
    body = {"name": "mine", "source": source, **request}
    return models.create(store, msgspec.convert(body, contract.NewModel), world.now).id


def again(world, store, model, items=None):
    body = {} if items is None else {"source": {"type": "posts", "items": items}}
    return models.train(store, model, msgspec.convert(body, contract.NewTraining), world.now)


def problems(store, model, **query):
    return models.problems(store, model, contract.ProblemQuery(**query))


def reasons(store, model):
    return {each.image: each.reason for each in problems(store, model).items}


def trained(world, store, items):
    model = create(world, store, items)
    world.drain()
    return models.view(store, model)


# Posts


def test_ten_posts_do_not_show_enough_and_say_so(world, store):
    seen = trained(world, store, ITEMS[:10])
    assert (seen.state, seen.version, seen.n) == ("not_enough_signal", None, 10)
    assert "10 different images" in seen.reason


def test_a_model_that_was_refused_says_when_and_why_it_ranks_nothing(world, store):
    seen = trained(world, store, ITEMS[:10])
    with pytest.raises(Conflict, match=f"not show enough signal.*/models/{seen.id}"):
        scorers.live(store, seen.id)
    assert seen.trained_at > seen.created_at


def test_a_model_that_failed_says_when_and_why_it_ranks_nothing(world, store):
    model = create(world, store, source=upload(world, store, b"no posts"))
    world.drain()
    seen = models.view(store, model)
    with pytest.raises(Conflict, match="could not be trained"):
        scorers.live(store, seen.id)
    assert seen.trained_at > seen.created_at


def test_more_posts_are_added_to_those_that_were_not_enough(world, store):
    model = create(world, store, ITEMS[:10])
    world.drain()
    again(world, store, model, ITEMS[10:COUNT])
    world.drain()
    seen = models.view(store, model)
    assert (seen.state, seen.version, seen.n, seen.reason) == ("ready", 2, COUNT, None)


def test_a_post_that_is_sent_again_corrects_the_first(world, store):
    model = create(world, store, ITEMS[:COUNT])
    world.drain()
    again(world, store, model, [{**item, "engagement": 7} for item in ITEMS[:COUNT]])
    world.drain()
    seen = models.view(store, model)
    assert (seen.state, seen.n, seen.version) == ("ready", COUNT, 1)
    assert store.get("model", model)["seen"] == COUNT
    assert seen.reason


def test_what_cannot_be_used_is_told_row_by_row(world, store):
    stranger = AccountStore("p99")
    put(stranger, posted(COUNT + MORE + 1), NOW)
    store.put_many("image", image_rows("0" * 25 + "f", POSTS.vectors[0], NOW, state="failed", reason="It is no photo."))
    others = f"{COUNT + MORE + 1:026d}"
    bad = [
        {"image": "0" * 25 + "f", "engagement": 1},
        {"image": others, "engagement": 1},
        {"image": "../../secret", "engagement": 1},
        {"image": ITEMS[0]["image"], "engagement": -1},
        {"image": ITEMS[1]["image"], "engagement": 1, "posted_at": "2999-01-01"},
    ]
    model = create(world, store, [*ITEMS[:COUNT], *bad])
    world.drain()
    seen = models.view(store, model)
    assert (seen.state, seen.n, seen.problems) == ("ready", COUNT, len(bad))
    found = problems(store, model).items
    assert [each.row for each in found] == list(range(COUNT, COUNT + len(bad)))
    assert [each.reason for each in found[:3]] == [
        "It is no photo.",
        "There is no such image.",
        "There is no such image.",
    ]
    assert "negative" in found[3].reason
    assert "future" in found[4].reason


def test_problems_come_in_pages(world, store):
    model = create(world, store, [{"image": f"nobody {number}", "engagement": 1} for number in range(5)])
    world.drain()
    first = problems(store, model, limit=3)
    second = problems(store, model, limit=3, cursor=first.next)
    assert [each.row for each in first.items + second.items] == [0, 1, 2, 3, 4]
    assert (second.next, models.view(store, model).state) == (None, "not_enough_signal")


@pytest.mark.parametrize("engagement", [0, 5])
def test_posts_that_all_did_the_same_teach_nothing(world, store, engagement):
    seen = trained(world, store, [{**item, "engagement": engagement} for item in ITEMS])
    assert (seen.state, seen.version) == ("not_enough_signal", None)
    assert seen.reason


def test_images_on_their_way_are_waited_for(world, store):
    late = ITEMS[0]["image"]
    store.put_many("image", image_rows(late, POSTS.vectors[0], NOW, state="processing"))
    model = create(world, store)
    world.drain()
    waiting = models.view(store, model)
    store.put_many("image", image_rows(late, POSTS.vectors[0], NOW))
    world.sweep(trainer.AGAIN_SECONDS + 60)
    seen = models.view(store, model)
    assert (waiting.state, waiting.progress) == ("training", contract.TrainingProgress(29, 30, "waiting_for_images"))
    assert (seen.state, seen.n, seen.problems) == ("ready", COUNT, 0)


def test_images_that_do_not_come_are_left_out_in_the_end(world, store, monkeypatch):
    [slot] = slots.open_slots(store, one_file(), world.now).items
    model = create(world, store, [*ITEMS[:COUNT], {"image": slot.id, "engagement": 1}])
    for _ in range(3):
        world.sweep(trainer.AGAIN_SECONDS + 600)
    assert models.view(store, model).state == "training"
    monkeypatch.setattr(trainer, "IMAGES_SECONDS", 0)
    world.sweep(trainer.AGAIN_SECONDS + 600)
    assert models.view(store, model).state == "ready"
    assert reasons(store, model) == {slot.id: "The image was not ready in time."}


def one_file():
    return contract.NewImages(files=[contract.NewFile(name="a.jpg", content_type="image/jpeg", size=100)])


# Files


def upload(world, store, data, kind="csv"):
    slot = uploads.open_slot(store, contract.NewDataSet(name="a", format=kind, size=len(data)), world.now)
    key = storage.uploaded(store.account, slot.id)
    world.client("s3").put_object(Bucket=settings().media_bucket, Key=key, Body=data)
    return {"type": "file", "dataset": slot.id}


def csv_of(items):
    lines = [f"{item['image']},{item['engagement']},{item['posted_at']}" for item in items]
    return "\n".join(["image,engagement,posted_at", *lines]).encode()


def test_a_file_and_a_request_teach_the_same(world, store):
    model = create(world, store, source=upload(world, store, csv_of(ITEMS[:COUNT])))
    world.drain()
    learned = [models.view(store, model).report, trained(world, store, ITEMS[:COUNT]).report]
    costs = [report.pop("cost") for report in learned]
    assert learned[0] == learned[1]
    assert costs[0]["thousand_scores"] == pytest.approx(costs[1]["thousand_scores"], rel=0.1)


def test_json_lines_are_read_too(world, store):
    data = b"\n".join(json.dumps(item).encode() for item in ITEMS[:COUNT])
    model = create(world, store, source=upload(world, store, data, "jsonl"))
    world.drain()
    assert models.view(store, model).state == "ready"


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x00\x01", b"", b"a,b\n1,2\n", b"image,engagement\n,\n"])
def test_a_file_of_garbage_fails_with_the_reason(world, store, data):
    model = create(world, store, source=upload(world, store, data))
    world.drain()
    seen = models.view(store, model)
    assert (seen.state, seen.version) == ("failed", None)
    assert "The file has no post in it" in seen.reason
    assert seen.problems == len(problems(store, model).items) > 0


def test_a_file_that_has_not_been_uploaded_is_refused(world, store):
    slot = uploads.open_slot(store, contract.NewDataSet(name="a", format="csv", size=10), world.now)
    with pytest.raises(Conflict) as empty:
        create(world, store, source={"type": "file", "dataset": slot.id})
    with pytest.raises(NotFound) as unknown:
        create(world, AccountStore("p98"), source={"type": "file", "dataset": slot.id})
    assert (empty.value.field, unknown.value.field) == ("source.dataset", "source.dataset")


# Versions


def test_a_better_version_takes_the_place_and_can_be_taken_back(world, store):
    model = create(world, store)
    world.drain()
    again(world, store, model, ITEMS[COUNT:])
    world.drain()
    assert models.view(store, model).version == 2
    first, second = (scored(store, model, number) for number in (1, 2))
    models.roll_back(store, model, world.now)
    world.drain()
    seen = models.view(store, model)
    assert (seen.version, seen.state, seen.n) == (3, "ready", COUNT)
    assert scored(store, model, 3) == first != second
    # Nor is anything new for the schedule, which would bring back tomorrow what was taken back today.
    assert store.get("model", model)["seen"] == COUNT + MORE
    with pytest.raises(Conflict, match="no earlier version"):
        models.roll_back(store, model, world.now)


def test_a_version_that_is_taken_back_has_its_problems_again(world, store):
    model = create(world, store, [*ITEMS[:COUNT], {"image": "somebody-elses", "engagement": 1}])
    world.drain()
    again(world, store, model, ITEMS[COUNT:])
    world.drain()
    models.roll_back(store, model, world.now)
    world.drain()
    seen = models.view(store, model)
    assert (seen.version, seen.problems) == (3, 1)
    assert list(reasons(store, model)) == ["somebody-elses"]


def test_a_live_version_that_cannot_be_read_any_more_is_replaced(world, store):
    model = create(world, store)
    world.drain()
    storage.write(storage.folder(store.account, model, 1) + storage.MODEL, b"of another age")
    again(world, store, model, ITEMS[:1])
    world.drain()
    seen = models.view(store, model)
    assert (seen.version, seen.state, seen.reason) == (2, "ready", None)
    assert "newest_posts" not in seen.report


def test_a_post_that_the_live_version_knows_is_not_newer_by_a_part_of_a_second(world, store):
    items = [{**item, "posted_at": number * 86_400 + 1e9 + 0.5} for number, item in FIRST]
    model = create(world, store, items)
    world.drain()
    again(world, store, model, items[:1])
    world.drain()
    assert models.view(store, model).reason.startswith("0 images are newer")


def scored(store, model, number):
    return scorers.score(store, scorers.name(model, number), POSTS.vectors[:1])[0].value


def test_the_same_posts_are_not_learned_from_twice(world, store):
    model = create(world, store)
    world.drain()
    with pytest.raises(Conflict, match="Nothing is new"):
        again(world, store, model)
    seen = models.view(store, model)
    assert (seen.state, seen.version) == ("ready", 1)


def test_posts_whose_images_were_missing_may_be_tried_again(world, store):
    model = create(world, store, [*ITEMS[:COUNT], {"image": "somebody-elses", "engagement": 1}])
    world.drain()
    assert again(world, store, model).state == "queued"


def test_what_a_training_forbids_while_it_runs(world, store):
    model = create(world, store)
    with pytest.raises(Conflict, match="is running"):
        again(world, store, model)
    with pytest.raises(Conflict, match="no earlier version"):
        models.roll_back(store, model, world.now)


def test_a_training_that_breaks_off_each_time_ends_and_leaves_the_live_version(world, store, monkeypatch):
    model = create(world, store)
    world.drain()

    def deadly(*_args, **_options):
        raise Killed

    monkeypatch.setattr(customer, "train", deadly)
    again(world, store, model, ITEMS[:1])
    for _ in range(9):
        world.sweep(trainer.QUIET_SECONDS * 9)
    seen = models.view(store, model)
    assert (seen.state, seen.version, seen.progress) == ("ready", 1, None)
    assert "broke off" in seen.reason
    ends = [event["state"] for event in world.events("Model Trained") if event["model"] == model]
    assert ends == ["ready", "failed"]


def test_a_ranking_that_waits_for_a_deleted_model_ends(world, store):
    model = create(world, store)
    world.drain()
    late = "0" * 25 + "g"
    store.put_many("image", image_rows(late, POSTS.vectors[0], NOW, state="processing"))
    made = ranking.create(store, contract.NewRanking(images=[ITEMS[0]["image"], late], model=model), world.now).id
    world.drain()
    models.delete(store, model, world.now)
    store.put_many("image", image_rows(late, POSTS.vectors[0], NOW))
    world.sweep(3600)
    seen = ranking.view(store, made)
    assert seen.state == "partial"
    assert seen.entries[-1].reason == "The model was deleted."


# Limits and refusals


def test_an_account_has_ten_trainings_a_day(world, store, monkeypatch):
    monkeypatch.setattr(retraining, "TRAININGS_A_DAY", 2)
    noon = world.now // retraining.DAY * retraining.DAY + retraining.DAY / 2
    world.now = noon
    model = create(world, store, ITEMS[:3])
    world.drain()
    again(world, store, model, ITEMS[:1])
    world.drain()
    with pytest.raises(TooManyRequests) as by_model:
        again(world, store, model, ITEMS[:1])
    with pytest.raises(TooManyRequests):
        create(world, store, ITEMS[:3])
    assert by_model.value.retry_after == retraining.DAY // 2
    world.now += retraining.DAY
    assert again(world, store, model, ITEMS[:1]).state == "queued"


def test_a_deleted_model_makes_room_for_another(world, store, monkeypatch):
    monkeypatch.setattr(retraining, "MODELS", 1)
    model = create(world, store, ITEMS[:3])
    with pytest.raises(TooManyRequests, match="at most 1 models"):
        create(world, store, ITEMS[:3])
    models.delete(store, model, world.now)
    assert create(world, store, ITEMS[:3]) != model
    assert len(models.page(store, contract.Paging()).items) == 1 + len(models.catalog.models())


def test_models_of_other_accounts_are_not_there(world, store):
    model, stranger = create(world, store, ITEMS[:3]), AccountStore("p97")
    for attempt in (models.view, problems):
        with pytest.raises(NotFound):
            attempt(stranger, model)
    for refused in (models.delete, models.roll_back):
        with pytest.raises(NotFound):
            refused(stranger, model, world.now)


def test_shipped_models_are_seen_and_stay(world, store):
    assert models.view(store, "general").kind == "general"
    assert problems(store, "general").items == []
    for refused in (models.delete, models.roll_back):
        with pytest.raises(Conflict, match="ships"):
            refused(store, "general", world.now)


def test_a_stage_without_sagemaker_says_so(world, store):
    with pytest.raises(Conflict) as refused:  # the request is well formed: another stage would take it
        create(world, store, backend="sagemaker")
    assert refused.value.field == "backend"


def test_models_are_listed_in_pages(world, store):
    made = [create(world, store, ITEMS[:3]) for _ in range(3)]
    listed, cursor = [], contract.Paging(limit=2)
    while True:
        page = models.page(store, cursor)
        listed += [model.id for model in page.items]
        if page.next is None:
            break
        cursor = contract.Paging(limit=2, cursor=page.next)
    assert listed == [*models.catalog.entries(), *sorted(made, reverse=True)]


def test_the_row_of_a_version_outlives_its_work(world, store):
    model = create(world, store)
    world.drain()
    [version] = versions.every(store, model)
    assert version["newest_at"] == int(NOW) - (MORE + 2) * 86_400
    assert json.loads(version["report"])["n"] == COUNT


@pytest.mark.parametrize(
    ("known", "shown", "enough"), [(0, 19, False), (0, 20, True), (300, 329, False), (300, 330, True)]
)
def test_a_schedule_waits_for_twenty_new_images_and_a_tenth(known, shown, enough):
    before = [ids.new_id(NOW - number) for number in range(1, shown + 1)]
    assert retraining.enough_new(known, before, int(NOW)) is enough


@pytest.mark.parametrize(("made", "enough"), [(29, False), (30, True)])
def test_new_images_count_where_as_many_old_ones_are_shown_no_more(made, enough):
    images = [ids.new_id(NOW - 60 + 120 * (number < made)) for number in range(299)] + ["zebra" * 20]
    assert retraining.enough_new(300, images, int(NOW)) is enough


def test_tracked_images_that_differ_by_chance_alone_teach_nothing(world, store, monkeypatch):
    rates = [labels.Label(image, 0.1, 0.0) for image in POSTS.images]
    monkeypatch.setattr(labels, "engagements", lambda *_where: {})
    monkeypatch.setattr(labels, "shrink", lambda *_found: rates)
    model = create(world, store, source={"type": "tracked"})
    world.drain()
    seen = models.view(store, model)
    assert (seen.state, seen.reason) == ("not_enough_signal", trainer.NO_DIFFERENCE)


def test_a_tracked_model_that_nobody_viewed_says_so(world, store):
    model = create(world, store, source={"type": "tracked"})
    world.drain()
    seen = models.view(store, model)
    assert (seen.state, seen.problems, seen.reason) == ("not_enough_signal", 0, trainer.NOTHING_SHOWN)


def test_a_tracked_model_learns_from_nothing_else(world, store):
    model = create(world, store, source={"type": "tracked"})
    world.drain()
    with pytest.raises(Unprocessable) as refused:
        again(world, store, model, ITEMS[:3])
    assert refused.value.field == "source.type"
