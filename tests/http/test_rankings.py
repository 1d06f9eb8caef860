"""Rankings through the API: the order, the honest numbers beside it, and every way to ask for the impossible."""

from __future__ import annotations

import pytest


def complete(member, identifier):
    return member.until(f"/rankings/{identifier}", lambda seen: seen["state"] != "pending")


def test_photos_are_ranked_best_first_with_interval_chance_and_reasons(member, scored):
    accepted = member("POST", "/rankings", {"images": scored, "name": "four"})
    seen = complete(member, accepted.json()["id"])
    scores = [entry["score"] for entry in seen["entries"]]
    assert accepted.status_code == 202
    assert (seen["state"], seen["name"], seen["model"]) == ("complete", "four", "general")
    assert seen["progress"] == {"done": 4, "total": 4}
    assert scores == sorted(scores, reverse=True)
    assert [entry["rank"] for entry in seen["entries"]] == [1, 2, 3, 4]
    for entry in seen["entries"]:
        low, high = entry["interval"]
        assert 0 <= low <= entry["score"] <= high <= 100
        assert entry["reasons"][0]["text"]
        assert entry["domain"] in ("in", "edge", "out")
    assert all(0.5 <= entry["beats_next"] <= 1 for entry in seen["entries"][:-1])
    assert seen["entries"][-1]["beats_next"] is None


def test_a_ranking_may_be_made_before_its_images_are_uploaded(member, jpeg, photo_bytes):
    file = {"name": "a", "content_type": "image/jpeg", "size": len(jpeg)}
    slots = member("POST", "/images", {"files": [file, file]}).json()["items"]
    ranking = member("POST", "/rankings", {"images": [slot["id"] for slot in slots]}).json()
    assert (ranking["state"], ranking["progress"]) == ("pending", {"done": 0, "total": 2})
    for slot in slots:
        member.send(slot, jpeg)
    assert complete(member, ranking["id"])["state"] == "complete"


def test_a_failed_image_stands_last_with_its_reason(member, scored):
    broken = member.upload(b"this is no image")
    seen = complete(member, member("POST", "/rankings", {"images": [broken, *scored[:2]]}).json()["id"])
    last = seen["entries"][-1]
    assert seen["state"] == "partial"
    assert (last["image"], last["score"], last["rank"]) == (broken, None, 3)
    assert all(entry["name"] == member("GET", f"/images/{entry['image']}").json()["name"] for entry in seen["entries"])
    assert last["reason"]


@pytest.mark.parametrize("count", [0, 1, 201])
def test_a_ranking_takes_two_to_two_hundred_images(member, count):
    answer = member("POST", "/rankings", {"images": [f"{number:026d}" for number in range(count)]})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "images")


def test_an_image_named_twice_is_refused(member, scored):
    answer = member("POST", "/rankings", {"images": [scored[0], scored[1], scored[0]]})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "images[2]")


def test_unknown_images_and_models_are_not_found(member, scored):
    image = member("POST", "/rankings", {"images": [scored[0], "0" * 26]})
    model = member("POST", "/rankings", {"images": scored[:2], "model": "astrology"})
    assert (image.status_code, image.json()["error"]["field"]) == (404, "images[1]")
    assert (model.status_code, model.json()["error"]["field"]) == (404, "model")


def test_a_model_without_a_version_conflicts_and_another_accounts_is_not_found(member, new_caller, scored, photo_bytes):
    posts = [{"image": image, "engagement": count} for count, image in enumerate(scored)]
    source = {"type": "posts", "items": posts}
    model = member("POST", "/models", {"name": "a few", "source": source}).json()["id"]
    photo = {"data": photo_bytes[0], "headers": {"Content-Type": "image/jpeg"}}
    for caller, status in ((member, 409), (new_caller(), 404)):
        ranking = caller("POST", "/rankings", {"images": scored[:2], "model": model})
        score = caller("POST", f"/score?model={model}", **photo)
        for answer in (ranking, score):
            assert (answer.status_code, answer.json()["error"]["field"]) == (status, "model")


def test_rankings_are_listed_and_deleted_without_their_images(member, scored):
    identifier = member("POST", "/rankings", {"images": scored[:2]}).json()["id"]
    assert identifier in {item["id"] for item in member("GET", "/rankings?limit=200").json()["items"]}
    assert member("DELETE", f"/rankings/{identifier}").status_code == 204
    assert member("GET", f"/rankings/{identifier}").status_code == 404
    assert member("GET", f"/images/{scored[0]}").status_code == 200


def test_a_deleted_image_leaves_the_ranking_it_was_in(member, scored, jpeg):
    image = member.upload(jpeg)
    identifier = member("POST", "/rankings", {"images": [image, scored[0]]}).json()["id"]
    complete(member, identifier)
    member("DELETE", f"/images/{image}")
    last = member("GET", f"/rankings/{identifier}").json()["entries"][-1]
    assert (last["image"], last["score"], last["reason"]) == (image, None, "The image was deleted.")
    assert last["name"] is None


def test_the_same_idempotency_key_makes_one_ranking(member, scored):
    headers = {"Idempotency-Key": "one-ranking"}
    made = {member("POST", "/rankings", {"images": scored}, headers=headers).json()["id"] for _ in range(3)}
    assert len(made) == 1


def test_a_photo_in_the_body_is_scored_at_once_like_an_uploaded_one(member, scored, photo_bytes):
    answer = member("POST", "/score", data=photo_bytes[3], headers={"Content-Type": "image/jpeg"})
    stored = member("GET", f"/images/{scored[3]}").json()["scores"]["general"]
    assert answer.status_code == 200
    assert answer.json()["score"] == pytest.approx(stored["score"], abs=0.5)


@pytest.mark.parametrize(
    ("data", "content_type", "path", "status"),
    [
        (b"no image", "image/jpeg", "/score", 422),
        (b"", "image/jpeg", "/score", 422),
        (b"x", "text/plain", "/score", 415),
        (b"x" * (4 * 1024 * 1024 + 1), "image/jpeg", "/score", 413),
        (b"x", "image/jpeg", "/score?model=astrology", 404),
        (b"x", "image/jpeg", "/score?colour=red", 400),
    ],
)
def test_what_cannot_be_scored_is_told_so(member, data, content_type, path, status):
    answer = member("POST", path, data=data, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_the_general_model_is_listed_with_its_numbers(member):
    models = {model["id"]: model for model in member("GET", "/models").json()["items"]}
    assert models["general"]["kind"] == "general"
    assert models["general"]["report"]["rank_correlation"] > 0.6
