"""The client against a real HTTP server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.images.limits import MAX_BYTES
from tests.unit.tiny_api import TinyApi, tiny_api
from tools import client as module
from tools.client import Client, plain
from tools.transport import Refused, Stalled, Unreachable


@pytest.fixture
def api() -> Iterator[TinyApi]:
    with tiny_api() as running:
        yield running


@pytest.fixture
def client(api: TinyApi) -> Client:
    return Client(api.url + "/", "ps_key")


def photos(folder: Path, *values: int | str) -> list[Path]:
    """Files that begin as a JPEG and hold their score."""
    files = [folder / f"{index:03}.jpg" for index in range(len(values))]
    for file, value in zip(files, values, strict=True):
        file.write_bytes(b"\xff\xd8\xff" + str(value).encode())
    return files


def images(client: Client, files: list[Path]) -> list[str]:
    return [sent.image for sent in client.upload(files) if sent.image]


# Upload


def test_each_file_gets_the_image_of_its_own_slot(client: Client, api: TinyApi, tmp_path: Path) -> None:
    files = photos(tmp_path, *range(130))
    sent = client.upload(files)
    assert [api.images[str(upload.image)]["value"] for upload in sent] == list(range(130))
    assert [upload.file for upload in sent] == files


def test_slots_are_opened_a_hundred_at_a_time(client: Client, api: TinyApi, tmp_path: Path) -> None:
    client.upload(photos(tmp_path, *range(101)))
    assert [path for _, path, _ in api.asked].count("/images") == 2


def test_the_token_goes_to_the_api_and_never_to_the_bucket(client: Client, api: TinyApi, tmp_path: Path) -> None:
    client.upload(photos(tmp_path, 1))
    assert [(path, headers.get("Authorization")) for _, path, headers in api.asked] == [
        ("/images", "Bearer ps_key"),
        ("/bucket/i00000", None),
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.jpg", b"", "The file is empty."),
        ("page.html", b"<!doctype html><html>", "This is a web page, not an image."),
        ("missing.jpg", None, "The file cannot be read: No such file or directory."),
    ],
)
def test_a_file_that_a_whole_call_would_be_refused_for_is_not_announced(
    client: Client, tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    bad = tmp_path / name
    if content is not None:
        bad.write_bytes(content)
    good = photos(tmp_path, 7)[0]
    refused, accepted = client.upload([bad, good])
    assert refused.image is None
    assert refused.reason == reason
    assert accepted.image == "i00000"


def test_a_file_over_the_limit_is_not_announced(client: Client, tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    large.touch()
    os.truncate(large, MAX_BYTES + 1)
    [sent] = client.upload([large])
    assert sent.reason == "An image takes at most 25 MB."


def test_the_type_is_told_from_the_bytes_and_only_then_from_the_name(
    client: Client, api: TinyApi, tmp_path: Path
) -> None:
    png, junk = tmp_path / "png.jpg", tmp_path / "junk.webp"
    png.write_bytes(b"\x89PNG\r\n\x1a\n")
    junk.write_bytes(b"junk")
    client.upload([png, junk])
    assert [image["content_type"] for image in api.images.values()] == ["image/png", "image/webp"]


def test_what_the_bucket_says_is_the_reason(client: Client, api: TinyApi, tmp_path: Path) -> None:
    api.bucket_refuses = True
    [sent] = client.upload(photos(tmp_path, 1))
    assert sent.reason == "The bucket refused the upload: Policy expired."


def test_progress_is_told_from_nothing_to_all(client: Client, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    client.upload(photos(tmp_path, 1, 2, 3), watch=lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_name_that_is_no_unicode_can_be_announced() -> None:
    assert plain(os.fsdecode(b"caf\xe9.jpg")) == "caf\N{REPLACEMENT CHARACTER}.jpg"


# Rank


def test_images_are_ranked_best_first_and_failed_ones_last(client: Client, tmp_path: Path) -> None:
    ids = images(client, photos(tmp_path, 40, "x", 80))
    entries = client.rank(ids).entries
    assert [(entry.rank, entry.image, entry.score) for entry in entries] == [
        (1, ids[2], 20.0),
        (2, ids[0], 10.0),
        (3, ids[1], None),
    ]
    assert entries[2].reason == "No number."


def test_one_image_alone_gets_its_score_without_a_ranking(client: Client, api: TinyApi, tmp_path: Path) -> None:
    ranked = client.rank(images(client, photos(tmp_path, 40)))
    assert [(entry.rank, entry.score, entry.beats_next) for entry in ranked.entries] == [(1, 10.0, None)]
    assert api.rankings == {}


@pytest.mark.parametrize("count", [201, 450])
def test_more_images_than_a_ranking_holds_are_merged_with_odds_for_every_pair(
    client: Client, tmp_path: Path, count: int
) -> None:
    values = [index * 7919 % count for index in range(count)]
    ids = images(client, photos(tmp_path, *values))
    entries = client.rank(ids).entries
    order = [values[ids.index(str(entry.image))] for entry in entries]
    scores = [entry.score or 0.0 for entry in entries]
    assert scores == sorted(scores, reverse=True)
    assert sorted(order) == sorted(values)
    assert [entry.rank for entry in entries] == list(range(1, count + 1))
    told = [
        (entry.beats_next, 0.5 + (here - below) / 10_000)
        for entry, here, below in zip(entries, order, order[1:], strict=False)
        if entry.beats_next is not None
    ]
    assert all(said == pytest.approx(true) for said, true in told)
    assert len(told) >= count - 3
    assert entries[-1].beats_next is None


def test_failed_images_of_every_part_stand_at_the_end(client: Client, tmp_path: Path) -> None:
    ids = images(client, photos(tmp_path, "x", *range(1, 250), "y"))
    entries = client.rank(ids).entries
    assert {entry.image for entry in entries[-2:]} == {ids[0], ids[-1]}
    assert all(entry.score is not None for entry in entries[:-2])


def test_waiting_without_progress_ends(client: Client, api: TinyApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    client.patience = 0.05
    api.images["i0"] = {"name": "", "state": "awaiting_upload", "value": 0}
    with pytest.raises(Stalled, match="0 of 1 are done"):
        client.wait(["i0"])


def test_removing_what_is_gone_already_is_no_error(client: Client, api: TinyApi, tmp_path: Path) -> None:
    ids = images(client, photos(tmp_path, 1, 2))
    ranked = client.rank(ids)
    client.remove([*ids, "gone"], ranked.rankings)
    assert (api.images, api.rankings) == ({}, {})


# Manners


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_api_is_asked_again_after_the_time_it_wants(client: Client, api: TinyApi, status: int) -> None:
    api.refusals["/models"] = [(status, {"Retry-After": "1"})]
    before = time.monotonic()
    assert [model.id for model in client.models()] == ["general"]
    assert 1.0 <= time.monotonic() - before < 5


def test_a_busy_bucket_is_asked_again_too(client: Client, api: TinyApi, tmp_path: Path) -> None:
    api.refusals["/bucket/i00000"] = [(503, {}), (503, {})]
    [sent] = client.upload(photos(tmp_path, 1))
    assert sent.image == "i00000"


def test_a_ranking_that_is_asked_for_again_carries_the_same_key(client: Client, api: TinyApi, tmp_path: Path) -> None:
    ids = images(client, photos(tmp_path, 1, 2))
    api.refusals["/rankings"] = [(503, {})]
    client.rank(ids)
    keys = [
        headers["Idempotency-Key"] for method, path, headers in api.asked if (method, path) == ("POST", "/rankings")
    ]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_refusal_says_what_the_api_said(client: Client) -> None:
    with pytest.raises(Refused, match=r"\(404 not_found\): There is no such thing\.") as refused:
        client.image("no/such")
    assert refused.value.status == 404


def test_an_answer_that_is_not_proofsheets_is_told_in_one_line(client: Client, api: TinyApi) -> None:
    api.refusals["/models"] = [(200, {})]
    with pytest.raises(Unreachable, match="does not answer GET /models"):
        client.models()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "no address", "http://"])
def test_an_address_where_nothing_answers_is_told_in_one_line(url: str) -> None:
    with pytest.raises(Unreachable, match="cannot be reached") as unreachable:
        Client(url, "key").models()
    assert "\n" not in str(unreachable.value)
