"""The dashboard as a browser gets it: one page, its parts for ever, and a policy that names our own hosts alone."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import pytest
import requests

FOREVER = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def page(cloud):
    return requests.get(f"{cloud.base_url}/dashboard", timeout=30)


@pytest.fixture(scope="module")
def addresses(page):
    """Everything that the page loads."""
    return re.findall(r'(?:src|href)="(dashboard/[^"]+)"', page.text)


@pytest.fixture(scope="module")
def config(cloud):
    return requests.get(f"{cloud.base_url}/config.json", timeout=30).json()


@pytest.fixture(scope="module")
def policy(page):
    directives = page.headers["Content-Security-Policy"].split("; ")
    return {name: sources.split() for name, _, sources in (directive.partition(" ") for directive in directives)}


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def stage_path(base_url: str) -> str:
    """What stands before our routes, as API Gateway tells it: of the emulator's longer addresses the stage alone."""
    path = urlsplit(base_url).path
    stage = re.fullmatch(r"/restapis/\w+/(\w+)/_user_request_", path)
    return f"/{stage[1]}" if stage else path


@pytest.mark.parametrize("end", ["", "/"])
def test_the_root_leads_to_the_dashboard_however_it_is_written(cloud, end):
    answer = requests.get(cloud.base_url + end, timeout=30, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{stage_path(cloud.base_url)}/dashboard")


def test_the_page_is_asked_for_anew_and_its_parts_never_again(cloud, page, addresses):
    assert page.headers["Cache-Control"] == "no-cache"
    assert any(address.endswith("/main.js") for address in addresses)
    for address in addresses:
        part = requests.get(urljoin(page.url, address), timeout=30)
        assert (address, part.status_code, part.headers["Cache-Control"]) == (address, 200, FOREVER)
        assert part.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("main.js", "text/javascript; charset=utf-8"),
        ("base.css", "text/css; charset=utf-8"),
        ("favicon.svg", "image/svg+xml"),
        ("amplify.js", "text/javascript; charset=utf-8"),
        ("LICENSES.txt", "text/plain; charset=utf-8"),
    ],
)
def test_each_part_has_its_type(cloud, config, name, content_type):
    part = requests.get(f"{cloud.base_url}/dashboard/{config['version']}/{name}", timeout=30)
    assert part.headers["Content-Type"] == content_type
    assert part.text


def test_a_part_of_another_version_is_not_found(cloud):
    answer = requests.get(f"{cloud.base_url}/dashboard/000000000000/main.js", timeout=30)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")


@pytest.mark.parametrize(
    "name", ["index.html", "VENDORED.json", "__init__.py", "docs.html", "..%2fdocs.html", "%2e%2e"]
)
def test_nothing_else_is_a_part(cloud, config, name):
    address = f"{cloud.base_url}/dashboard/{config['version']}/{name}"
    assert requests.get(address, timeout=30).status_code == 404


def test_the_configuration_leads_to_the_pool_and_says_nothing_else(cloud, config):
    assert {name: config[name] for name in ("user_pool", "user_pool_client", "region")} == {
        "user_pool": cloud.env["PROOFSHEET_USER_POOL"],
        "user_pool_client": cloud.env["PROOFSHEET_USER_POOL_CLIENT"],
        "region": "us-east-1",
    }
    assert (config["local"], config["user_pool_endpoint"]) == (True, cloud.env["AWS_ENDPOINT_URL"])
    assert set(config) == {
        *("region", "user_pool", "user_pool_client", "user_pool_endpoint"),
        *("site_url", "stage", "version", "local"),
    }


def test_the_policy_lets_scripts_come_from_our_server_alone(policy):
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == ["'none'"]


def test_the_policy_names_exactly_the_hosts_that_the_api_sends_the_page_to(policy, config, member, scored):
    image = member("GET", f"/images/{scored[0]}").json()
    file = {"name": "a", "content_type": "image/jpeg", "size": 9}
    upload = member("POST", "/images", {"files": [file]}).json()["items"][0]["upload"]
    s3 = {origin(upload["url"]), origin(image["urls"]["preview"])}
    assert set(policy["connect-src"]) == {"'self'", origin(config["user_pool_endpoint"]), *s3}
    assert set(policy["img-src"]) == {"'self'", "blob:", "data:", origin(config["site_url"]), *s3}


def test_the_page_tells_nobody_where_its_visitor_comes_from_and_asks_for_no_device(page):
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in page.headers["Permissions-Policy"]


def test_the_page_has_no_inline_code_and_no_address_of_its_own_host(page):
    assert not re.search(r"<script[^>]*>[^<]|<style|\sstyle=|\son\w+=|javascript:", page.text)
    assert not re.search(r'(src|href)="(/|https?:)', page.text)
