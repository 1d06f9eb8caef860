"""Images through the API: slots, uploads, what is told of an image, and what a bad request is told."""

from __future__ import annotations

import pytest
import requests

from chalicelib.images.limits import MAX_BYTES
from tests.bad_images import BAD

FILE = {"name": "a.jpg", "content_type": "image/jpeg", "size": 100}


def open_slot(member, data, content_type="image/jpeg"):
    file = {"name": "a.jpg", "content_type": content_type, "size": len(data)}
    return member("POST", "/images", {"files": [file]}).json()["items"][0]


def test_a_photo_is_uploaded_processed_and_described(member, scored):
    image = member("GET", f"/images/{scored[0]}").json()
    assert (image["state"], image["format"], image["width"], image["height"]) == ("ready", "png", 512, 512)
    assert set(image["properties"]) == {"quality", "color", "composition", "content", "faces"}
    assert image["properties"]["faces"]["count"] == 1
    assert sum(len(values) for values in image["properties"].values()) > 98
    assert len(image["labels"]) == 5
    assert 1 <= len(image["palette"]) <= 5
    assert image["scores"]["general"]["interval"][0] <= image["scores"]["general"]["score"]


def test_preview_and_original_can_be_fetched_by_their_signed_urls(member, scored, photo_bytes):
    urls = member("GET", f"/images/{scored[0]}").json()["urls"]
    assert requests.get(urls["original"], timeout=10).content == photo_bytes[0]
    assert requests.get(urls["preview"], timeout=10).content.startswith(b"\xff\xd8")
    assert requests.get(urls["preview"].replace("Signature=", "Signature=0"), timeout=10).status_code == 403


def test_direct_invocation_processes_without_queues(member, jpeg):
    image = member.upload(jpeg, use_queue=False)
    assert member.ready(image)["state"] == "ready"


def test_s3_refuses_another_size(member, jpeg):
    assert member.send(open_slot(member, jpeg), jpeg + b"x").status_code in (400, 403)


def test_s3_refuses_another_type(member, jpeg):
    assert member.send(open_slot(member, jpeg), jpeg, **{"Content-Type": "text/html"}).status_code == 403


def test_s3_refuses_another_key(member, jpeg):
    slot = open_slot(member, jpeg)
    assert member.send(slot, jpeg, key=slot["upload"]["fields"]["key"] + "x").status_code == 403


def test_an_unused_slot_waits_and_shows_nothing(member):
    slot = open_slot(member, b"x" * 50)
    image = member("GET", f"/images/{slot['id']}").json()
    assert (image["state"], image["urls"]) == ("awaiting_upload", {"preview": None, "original": None})


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "files"),
        ({"files": []}, 422, "files"),
        ({"files": [FILE] * 101}, 422, "files"),
        ({"files": [FILE], "colour": "red"}, 400, "colour"),
        ({"files": [{**FILE, "size": 0}]}, 422, "files[0].size"),
        ({"files": [FILE, {**FILE, "size": "big"}]}, 400, "files[1].size"),
        ({"files": [{**FILE, "size": MAX_BYTES + 1}]}, 413, "files[0].size"),
        ({"files": [{**FILE, "content_type": "text/html"}]}, 415, "files[0].content_type"),
        ({"files": [{"name": "a.jpg", "size": 3}]}, 400, "files[0].content_type"),
        ({"files": [{**FILE, "name": ""}]}, 422, "files[0].name"),
        ({"files": [FILE], "collection": ""}, 422, "collection"),
        ([1], 400, None),
    ],
)
def test_a_bad_request_names_its_field(member, body, status, field):
    answer = member("POST", "/images", body)
    error = answer.json()["error"]
    assert (answer.status_code, error.get("field")) == (status, field), error


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[" * 5000, b"null"])
def test_what_is_no_json_object_is_a_clear_400(member, raw):
    answer = member("POST", "/images", data=raw, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_a_body_of_another_type_is_415(member):
    answer = member("POST", "/images", data=b"x", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["error"]["field"]) == (415, "Content-Type")


def test_bad_files_fail_with_a_reason_while_their_neighbor_succeeds(member, jpeg):
    slots = {bad.name: (bad, open_slot(member, bad.make() or b"x")) for bad in BAD if bad.make()}
    for bad, slot in slots.values():
        assert member.send(slot, bad.make()).status_code == 204
    good = member.upload(jpeg)
    for bad, slot in slots.values():
        image = member.ready(slot["id"])
        assert (image["state"], bad.reason in image["reason"]) == ("failed", True), (bad.name, image["reason"])
    assert member.ready(good)["state"] == "ready"


def test_a_png_named_jpg_is_taken_for_what_it_is(member, photo_bytes):
    image = member.ready(member.upload(photo_bytes[1], name="lie.jpg", content_type="image/jpeg"))
    assert (image["state"], image["format"]) == ("ready", "png")


def test_pages_hold_every_image_once_newest_first(new_caller, jpeg):
    caller = new_caller()
    files = [{"name": f"{number}.jpg", "content_type": "image/jpeg", "size": 10} for number in range(7)]
    made = {item["id"] for item in caller("POST", "/images", {"files": files, "collection": "seven"}).json()["items"]}
    seen, cursor = [], ""
    while cursor is not None:
        page = caller("GET", f"/images?collection=seven&limit=3{cursor and '&cursor=' + cursor}").json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert seen == sorted(made, reverse=True)
    assert caller("GET", "/images?state=ready").json()["items"] == []
    assert len(caller("GET", "/images?state=awaiting_upload&collection=seven").json()["items"]) == 7


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "state=lost", "cursor=%21", "color=red", "limit=1&limit=2"]
)
def test_a_bad_query_is_refused(member, query):
    answer = member("GET", f"/images?{query}")
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["field"] in ("limit", "state", "cursor", "color")


def test_processing_again_ends_in_ready(member, jpeg):
    image = member.upload(jpeg)
    member.ready(image)
    answer = member("POST", f"/images/{image}/process", {"properties": ["color"], "use_queue": False})
    assert (answer.status_code, answer.json()["state"]) == (202, "processing")
    assert member.until(f"/images/{image}", lambda seen: seen["state"] == "ready")


def test_an_image_without_upload_cannot_be_processed(member):
    slot = open_slot(member, b"x" * 50)
    answer = member("POST", f"/images/{slot['id']}/process", {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


def test_a_deleted_image_is_gone_with_its_files(member, jpeg):
    image = member.upload(jpeg)
    urls = member.ready(image)["urls"]
    assert member("DELETE", f"/images/{image}").status_code == 204
    assert member("GET", f"/images/{image}").status_code == 404
    assert requests.get(urls["preview"], timeout=10).status_code == 404
    assert member("DELETE", f"/images/{image}").status_code == 404


def test_the_same_idempotency_key_gives_the_same_answer(member):
    headers = {"Idempotency-Key": "one-upload"}
    first = member("POST", "/images", {"files": [FILE]}, headers=headers)
    again = member("POST", "/images", {"files": [FILE]}, headers=headers)
    other = member("POST", "/images", {"files": [FILE, FILE]}, headers=headers)
    assert first.json() == again.json()
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")


def test_a_refused_request_may_be_mended_under_the_same_key(member):
    headers = {"Idempotency-Key": "mended"}
    assert member("POST", "/images", {"files": [{**FILE, "size": MAX_BYTES + 1}]}, headers=headers).status_code == 413
    assert member("POST", "/images", {"files": [FILE]}, headers=headers).status_code == 201
