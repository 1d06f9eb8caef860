"""Models at the dashboard: trained from a file, judged in plain words, taken back and deleted."""

from __future__ import annotations

import csv
import io
import re

import pytest
from playwright.sync_api import expect

from tests.posting import COUNT, posted

A_WHILE = 90_000  # ms; a training, on a machine that does ten other things
NEWER = 12  # posts that a second training has more: a few more than it takes to compare two versions
NAME = "<b>our</b> followers שלום"


@pytest.fixture(scope="module")
def owner(people, new_caller):
    """A member whose models nobody else minds."""
    return people.person(new_caller())


@pytest.fixture(scope="module")
def posts(owner, cloud):
    return posted(cloud, owner.api("GET", "/me").json()["account"], COUNT + NEWER)


@pytest.fixture
def form(owner):
    """The page of a new model with nothing filled in yet."""
    page = owner.open("#/models/new")
    page.reload()  # the same address again would be the same page
    return page


def table(rows):
    """A CSV file as an input takes it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return {"name": "posts.csv", "mimeType": "text/csv", "buffer": out.getvalue().encode()}


def ended(owner, model):
    return owner.api.until(f"/models/{model}", lambda seen: seen["state"] not in ("queued", "training"), seconds=180)


def begun(owner, name, items):
    """The end of a training by the API."""
    answer = owner.api("POST", "/models", {"name": name, "source": {"type": "posts", "items": items}})
    return ended(owner, answer.json()["id"])


@pytest.fixture(scope="module")
def trained(owner, posts):
    """A model of all but the newest posts, as the API ended it, made by hand in a browser."""
    page = owner.open("#/models")
    page.get_by_role("link", name="Train a model").click()
    page.get_by_label("Name", exact=True).fill(NAME)
    bad = [{"image": "somebody-elses", "engagement": 3}, {"image": posts[0]["image"], "engagement": -1}]
    page.get_by_label("File of posts", exact=True).set_input_files(table([*posts[:COUNT], *bad]))
    expect(page.get_by_text("image, engagement, posted_at")).to_be_visible()
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url(re.compile(r"#/models/\w{26}$"))
    expect(page.get_by_role("region", name="Training")).to_contain_text("the training goes on")
    return ended(owner, page.url.rsplit("/", 1)[1])


def test_a_model_that_was_trained_from_a_file_says_how_good_it_is(owner, trained, assert_accessible, shot):
    page, report = owner.page, trained["report"]
    times = round(report["pair_accuracy"] * 100)
    expect(page.get_by_text("Ready", exact=True)).to_be_visible(timeout=A_WHILE)
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    expect(page.locator(".model-headline")).to_have_text(
        f"Picks the better of two of your posts in {times} of 100 cases."
    )
    expect(page.locator(".hundred-hit")).to_have_count(times)
    expect(page.get_by_text("Learns from the posts of a file")).to_contain_text(trained["source"]["dataset"])
    expect(page.locator(".model-cost")).to_contain_text(
        re.compile(r"training this version \$0\.000\d+, 1,000 scores \$")
    )
    expect(page.get_by_role("cell", name="There is no such image.")).to_be_visible()
    expect(page.get_by_role("cell", name="engagement is negative.")).to_be_visible()
    assert_accessible(page)
    shot(page, "model-own", dark=True, phone=True)


def test_the_learning_curve_is_drawn_and_told(owner, trained):
    page, curve = owner.open(f"#/models/{trained['id']}"), trained["report"]["learning_curve"]
    expect(page.locator(".plot canvas")).to_be_visible()
    crosshair = page.get_by_role("slider", name="Learning curve")
    crosshair.press("Home")
    expect(crosshair).to_have_attribute("aria-valuetext", re.compile(f"^{curve[0]['n']} posts: "))
    page.get_by_role("button", name="Show as table").click()
    rows = page.get_by_role("region", name="Learning curve, as a table").get_by_role("row")
    expect(rows).to_contain_text(["Learned from", *(f"{point['n']} posts" for point in curve)])


def test_a_model_is_trained_again_with_newer_posts_and_taken_back(owner, trained, posts):
    page = owner.open(f"#/models/{trained['id']}")
    page.get_by_role("button", name="Train again").click()
    dialog = page.get_by_role("dialog", name="Train again")
    dialog.get_by_label("File of posts", exact=True).set_input_files(table(posts))
    dialog.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text(f"{len(posts)} posts · version")).to_be_visible(timeout=A_WHILE)
    page.get_by_role("button", name=re.compile(r"Take version \d back")).click()
    page.get_by_role("dialog").get_by_role("button", name="Take back").click()
    expect(page.get_by_text(f"{COUNT} posts · version")).to_be_visible()


def test_posts_without_signal_are_explained_with_their_numbers(owner, posts, assert_accessible, shot):
    earned = [post["engagement"] for post in posts]
    shifted = earned[7:] + earned[:7]
    noise = [{**post, "engagement": count} for post, count in zip(posts, shifted, strict=True)]
    model = begun(owner, "noise", noise)
    page = owner.open(f"#/models/{model['id']}")
    told = page.get_by_role("region", name="These posts do not show enough signal yet")
    expect(told).to_contain_text(f"(p = {model['report']['p_value']})")
    expect(told).to_contain_text("the general model goes on scoring")
    assert_accessible(page)
    shot(page, "model-no-signal")


def test_too_few_posts_are_explained_with_how_many_it_takes(owner, posts):
    model = begun(owner, "few", posts[:3])
    told = owner.open(f"#/models/{model['id']}").get_by_role("region", name="These posts do not show enough signal")
    expect(told).to_contain_text(model["reason"])
    expect(told).to_contain_text("At least 20 posts of different pictures; these show 3.")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("likes.csv", "image;likes\na;1\n", "The column engagement is missing. The first line names “image”, “likes”."),
        ("x.jsonl", '{"engagement": 1}\n', "The column image is missing. The first object names “engagement”."),
        ("x.jsonl", "image,engagement\n", "The first line is not a JSON object."),
        ("photo.jpg", "JFIF", "The file's name must end in .csv or .jsonl."),
        ("empty.csv", "", "The file is empty."),
    ],
)
def test_a_wrong_file_is_told_of_before_it_is_sent(form, name, text, says):
    form.get_by_label("Name", exact=True).fill("mine")
    form.get_by_label("File of posts", exact=True).set_input_files(
        {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
    )
    expect(form.get_by_text(says)).to_be_visible()
    form.get_by_role("button", name="Train", exact=True).click()
    expect(form.get_by_label("File of posts", exact=True)).to_be_focused()
    assert form.url.endswith("#/models/new")


def test_a_file_above_the_limit_is_told_of_before_it_is_sent(form):
    form.get_by_label("File of posts", exact=True).evaluate(CHOOSE_LARGE)
    expect(form.get_by_text("it may have at most 32 MB")).to_be_visible()


CHOOSE_LARGE = """(input) => {
  const chosen = new DataTransfer();
  chosen.items.add(new File([new Uint8Array(32_000_001)], "posts.csv"));
  input.files = chosen.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}"""


def test_what_is_refused_stands_at_its_field(owner, form):
    owner.expect_trouble("status of 422")
    form.get_by_role("button", name="Train", exact=True).click()
    expect(form.get_by_text("Give it a name.")).to_be_visible()
    expect(form.get_by_label("Name", exact=True)).to_be_focused()
    form.get_by_label("Name", exact=True).fill("for ever")
    form.get_by_label("Tracked clicks").check()
    days = form.get_by_label("Clicks of the last")
    days.evaluate("(select) => select.add(new Option('ten years', '3650'))")
    days.select_option("3650")
    form.get_by_role("button", name="Train", exact=True).click()
    expect(days).to_have_attribute("aria-invalid", "true")


def test_a_lost_network_while_the_file_is_sent_is_only_a_pause(owner, form, posts):
    owner.expect_trouble("ERR_FAILED")
    lost = []

    def lose_first(route):
        is_form = route.request.headers.get("content-type", "").startswith("multipart")
        if not is_form or lost:
            return route.fallback()
        lost.append(route.request.url)
        return route.abort()

    form.route("**/*", lose_first)
    form.get_by_label("Name", exact=True).fill("through a tunnel")
    form.get_by_label("File of posts", exact=True).set_input_files(table(posts[:3]))
    form.get_by_role("button", name="Train", exact=True).click()
    form.wait_for_url(re.compile(r"#/models/\w{26}$"))
    form.unroute_all()
    assert len(lost) == 1


def test_a_template_has_the_accounts_pictures(form, posts):
    form.get_by_text("Which columns it takes").click()
    with form.expect_download() as download:
        form.get_by_role("button", name="Download a template").click()
    lines = download.value.path().read_bytes().decode().split("\r\n")
    assert lines[0] == "image,engagement,impressions,posted_at,campaign,"
    assert {line.split(",")[0] for line in lines[1:-1]} == {post["image"] for post in posts}


def test_a_model_is_deleted_once_that_is_confirmed(owner, posts):
    model = begun(owner, "mistake", posts[:3])
    page = owner.open(f"#/models/{model['id']}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url(re.compile("#/models$"))
    expect(page.get_by_role("heading", name="Your own")).to_be_visible()
    expect(page.get_by_role("link", name="mistake")).to_have_count(0)
    assert owner.api("GET", f"/models/{model['id']}").status_code == 404


def test_an_account_without_models_is_told_how_to_get_one(person, assert_accessible):
    page = person.open("#/models")
    expect(page.get_by_role("heading", name="None yet")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^Picks the better of two photos in \d\d of 100 cases\.$"))).to_be_visible()
    assert_accessible(page)
