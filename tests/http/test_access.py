"""Who gets in: every route asks, nobody sees another account's things, and errors have one shape."""

from __future__ import annotations

import re

import pytest
import requests

import app

GUARDED = [endpoint for endpoint in app.api.endpoints if endpoint.access != "open"]
# The routes that name a thing of an account.
NAMED = [endpoint for endpoint in GUARDED if "{" in endpoint.path]
EXAMPLES = {"/images/{image}/process": {"properties": ["color"]}, "/presets/{name}": {"operations": "w10"}}
# Whoever puts something under a name puts it into an account of their own.
MODEL_ROUTES = ["/models/{model}" + rest for rest in ("", "/train", "/rollback", "/problems")]
CAMPAIGN_ROUTES = ["/campaigns/{campaign}" + rest for rest in ("", "/pause", "/resume", "/cancel", "/recipients")]
FOREIGN = [endpoint for endpoint in NAMED if endpoint.method != "PUT"]


def named(endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def is_error(answer: requests.Response, status: int, code: str) -> bool:
    error = answer.json()["error"]
    return (answer.status_code, error["code"]) == (status, code) and bool(error["message"])


@pytest.mark.parametrize("endpoint", GUARDED, ids=named)
@pytest.mark.parametrize(
    "header", [None, "Bearer", "Basic dTpw", "Bearer a.b.c", "Bearer ps_x_y", "Bearer " + "x" * 9000]
)
def test_every_guarded_route_refuses_who_brings_no_valid_token(cloud, endpoint, header):
    path = re.sub(r"{\w+}", "0" * 26, endpoint.path)
    headers = {"Authorization": header} if header else {}
    answer = requests.request(endpoint.method, cloud.base_url + path, headers=headers, timeout=10)
    assert is_error(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["X-Request-Id"]


@pytest.fixture(scope="module")
def foreign_admin(new_caller):
    """Admin of an account that owns nothing."""
    return new_caller("admin")


@pytest.fixture(scope="module")
def things(member, new_caller, scored):
    """One of everything that an account can own, by the name of its path parameter."""
    admin = new_caller("admin")
    assert admin("PUT", "/presets/theirs", {}).status_code == 200
    assert admin("PUT", "/recipients", {"items": [{"id": "theirs"}]}).json()["stored"] == 1
    template = {"sms": "Hello"}
    campaign = admin("POST", "/campaigns", {"name": "c", "channel": "sms", "audience": {}, "template": template}).json()
    upload = admin("POST", "/imports", {"name": "r.csv", "size": 9}).json()["id"]
    api_key = member("POST", "/api-keys", {"name": "mine"}).json()["id"]
    write_key = member("POST", "/write-keys", {}).json()["key"]
    ranking = member("POST", "/rankings", {"images": scored[:2]}).json()["id"]
    posts = [{"image": image, "engagement": 1} for image in scored[:2]]
    model = member("POST", "/models", {"name": "m", "source": {"type": "posts", "items": posts}}).json()["id"]
    return {
        **dict.fromkeys(MODEL_ROUTES, model),
        **dict.fromkeys(CAMPAIGN_ROUTES, campaign["id"]),
        "/recipients/{recipient}": "theirs",
        "/imports/{name}": upload,
        "/api-keys/{key}": api_key,
        "/write-keys/{key}": write_key,
        "/images/{image}": scored[0],
        "/images/{image}/process": scored[0],
        "/presets/{name}": "theirs",
        "/rankings/{identifier}": ranking,
        "/rankings/{identifier}/links": ranking,
    }


@pytest.mark.parametrize("endpoint", FOREIGN, ids=named)
def test_another_accounts_thing_is_as_if_it_did_not_exist(foreign_admin, things, endpoint):
    path = re.sub(r"{\w+}", things[endpoint.path], endpoint.path)
    answer = foreign_admin(endpoint.method, path, EXAMPLES.get(endpoint.path))
    assert is_error(answer, 404, "not_found")


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in GUARDED if endpoint.access == "admin"], ids=named)
def test_an_admins_route_is_forbidden_to_members(member, endpoint):
    path = re.sub(r"{\w+}", "name", endpoint.path)
    assert is_error(member(endpoint.method, path, EXAMPLES.get(endpoint.path)), 403, "forbidden")


@pytest.mark.parametrize("endpoint", NAMED, ids=named)
@pytest.mark.parametrize("name", ["x" * 3000, "%F0%9F%98%80", "a%2Fimage%2Fb", "%00"])
def test_a_name_that_nothing_can_have_is_not_found(foreign_admin, endpoint, name):
    answer = foreign_admin(endpoint.method, re.sub(r"{\w+}", name, endpoint.path), EXAMPLES.get(endpoint.path))
    assert is_error(answer, 404, "not_found")


def test_lists_show_only_what_is_ones_own(stranger, things):
    for path in ("/images", "/rankings", "/api-keys", "/write-keys", "/presets"):
        assert stranger("GET", path).json() == {"items": [], "next": None}


def test_a_ranking_cannot_use_another_accounts_image(stranger, scored, jpeg):
    own = stranger.upload(jpeg)
    answer = stranger("POST", "/rankings", {"images": [own, scored[0]]})
    stranger("DELETE", f"/images/{own}")
    assert is_error(answer, 404, "not_found")
    assert answer.json()["error"]["field"] == "images[1]"


def test_me_tells_account_user_and_roles(member, stranger):
    mine, theirs = member("GET", "/me").json(), stranger("GET", "/me").json()
    assert mine["roles"] == ["member"]
    assert mine["account"] != theirs["account"]


def test_the_group_admin_makes_an_admin(new_caller):
    assert new_caller("admin")("GET", "/me").json()["roles"] == ["admin", "member"]


def test_an_api_key_stands_for_its_maker_until_it_is_revoked(member):
    made = member("POST", "/api-keys", {"name": "deploy"}).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert requests.get(f"{member.base_url}/me", headers=headers, timeout=10).json() == member("GET", "/me").json()
    assert member("DELETE", f"/api-keys/{made['id']}").status_code == 204
    assert is_error(requests.get(f"{member.base_url}/me", headers=headers, timeout=10), 401, "unauthorized")


def test_an_api_keys_secret_is_shown_once(member):
    made = member("POST", "/api-keys", {"name": "once"}).json()
    listed = member("GET", "/api-keys?limit=200").json()["items"]
    assert made["key"].startswith(f"ps_{made['id']}_")
    assert made["id"] in {key["id"] for key in listed}
    assert not any("key" in key for key in listed)


def test_a_tampered_secret_is_refused(member):
    key = member("POST", "/api-keys", {"name": "tampered"}).json()["key"]
    forged = key[:-1] + ("a" if key[-1] != "a" else "b")
    answer = requests.get(f"{member.base_url}/me", headers={"Authorization": f"Bearer {forged}"}, timeout=10)
    assert is_error(answer, 401, "unauthorized")


def test_unknown_paths_and_wrong_methods_have_the_same_error_shape(cloud):
    assert is_error(requests.get(f"{cloud.base_url}/nowhere", timeout=10), 404, "not_found")
    assert is_error(requests.put(f"{cloud.base_url}/images", timeout=10), 405, "method_not_allowed")


def test_a_browser_of_another_origin_may_call_and_read_errors(cloud):
    preflight = requests.options(
        f"{cloud.base_url}/images",
        headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"},
        timeout=10,
    )
    refused = requests.get(f"{cloud.base_url}/images", headers={"Origin": "https://shop.example"}, timeout=10)
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]
    assert refused.headers["Access-Control-Allow-Origin"] == "*"


def test_health_needs_no_token(cloud):
    assert requests.get(f"{cloud.base_url}/health", timeout=10).json()["status"] == "ok"
