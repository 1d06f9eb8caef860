"""A link shows one ranking to whoever has it, until its time is over, and nothing else."""

from __future__ import annotations

import base64
import hmac
import time

import pytest
import requests


@pytest.fixture(scope="module")
def ranked(member, scored):
    """Id of a complete ranking."""
    ranking = member("POST", "/rankings", {"images": scored, "name": "four"}).json()["id"]
    member.until(f"/rankings/{ranking}", lambda seen: seen["state"] == "complete")
    return ranking


@pytest.fixture(scope="module")
def token(member, ranked):
    return member("POST", f"/rankings/{ranked}/links", {}).json()["token"]


@pytest.fixture
def shared(cloud):
    """shared(token): the answer to somebody who has nothing but it."""
    return lambda token: requests.post(f"{cloud.base_url}/shared", json={"token": token}, timeout=30)


@pytest.fixture(scope="module")
def forge(new_caller):
    """forge(account, ranking, end): a token with the signature of an admin's own key, and the account of that key."""
    admin = new_caller("admin")
    key = admin("GET", "/signing-key").json()

    def made(account: str | None, ranking: str, end: int) -> str:
        text = f"shared-ranking:{ranking}:{end}"
        mac = hmac.digest(key["account_key"].encode(), text.encode(), "sha256")[:16]
        signature = f"{key['key_id']}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        return f"{account or key['account']}.{ranking}.{end}.{signature}"

    made.admin = admin
    return made


@pytest.fixture(scope="module")
def own(forge, jpeg):
    """A ranking of the account whose key forges."""
    images = [forge.admin.upload(jpeg) for _ in range(2)]
    return forge.admin("POST", "/rankings", {"images": images}).json()["id"]


def refused(answer: requests.Response) -> bool:
    error = answer.json()["error"]
    return (answer.status_code, error["code"], error["field"]) == (404, "not_found", "token")


def test_whoever_has_the_link_sees_the_ranking_without_originals(member, ranked, token, shared):
    mine, theirs = member("GET", f"/rankings/{ranked}").json(), shared(token).json()
    told = ("rank", "image", "score", "interval", "beats_next", "reasons", "domain", "name")
    assert [[entry[name] for name in told] for entry in theirs["entries"]] == [
        [entry[name] for name in told] for entry in mine["entries"]
    ]
    assert (theirs["name"], theirs["state"]) == ("four", "complete")
    for entry in theirs["entries"]:
        assert requests.get(entry["urls"]["preview"], timeout=30).headers["Content-Type"].startswith("image/")
        assert (entry["urls"]["original"], entry["similar"]) == (None, [])


@pytest.mark.parametrize(("days", "status"), [(1, 201), (90, 201), (0, 422), (91, 422), ("1", 400)])
def test_a_link_lasts_from_one_day_to_ninety(member, ranked, days, status):
    assert member("POST", f"/rankings/{ranked}/links", {"days": days}).status_code == status


def test_a_link_says_when_it_ends(member, ranked):
    link = member("POST", f"/rankings/{ranked}/links", {"days": 2}).json()
    end = int(link["token"].split(".")[2])
    assert abs(end - time.time() - 2 * 86400) < 60
    assert link["expires_at"] == time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(end))


def test_nobody_makes_a_link_to_another_accounts_ranking(stranger, ranked):
    assert stranger("POST", f"/rankings/{ranked}/links", {}).status_code == 404


def test_a_link_is_good_for_one_ranking_of_one_account(forge, own, ranked, token, shared):
    account, ranking, end, *signature = token.split(".")
    assert refused(shared(".".join([account, own, end, *signature])))
    assert refused(shared(".".join([account, ranking, str(int(end) + 1), *signature])))
    assert refused(shared(forge(account, ranked, int(end))))


def test_a_link_whose_time_is_over_shows_nothing(forge, own, shared):
    assert shared(forge(None, own, int(time.time()) + 60)).json()["id"] == own
    assert refused(shared(forge(None, own, int(time.time()) - 1)))


@pytest.mark.parametrize("change", [str.upper, lambda token: token[:-1], lambda token: token + "=", lambda _: "x"])
def test_a_changed_link_shows_nothing(token, shared, change):
    assert refused(shared(change(token)))


def test_a_link_to_a_deleted_ranking_shows_nothing(member, scored, shared):
    ranking = member("POST", "/rankings", {"images": scored[:2]}).json()["id"]
    token = member("POST", f"/rankings/{ranking}/links", {}).json()["token"]
    assert shared(token).status_code == 200
    member("DELETE", f"/rankings/{ranking}")
    assert refused(shared(token))


def test_a_key_of_the_caller_does_not_keep_what_a_link_showed(cloud, member, scored):
    ranking = member("POST", "/rankings", {"images": scored[:2]}).json()["id"]
    body = {"token": member("POST", f"/rankings/{ranking}/links", {}).json()["token"]}
    statuses = []
    for _ in range(2):
        headers = {"Idempotency-Key": "the same"}
        statuses.append(requests.post(f"{cloud.base_url}/shared", json=body, headers=headers, timeout=30).status_code)
        member("DELETE", f"/rankings/{ranking}")
    assert statuses == [200, 404]
