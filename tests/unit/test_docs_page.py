"""The docs page asks nobody but its own server, wherever it stands."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import web
from tools import vendor_web
from tools.web_packages import SWAGGER

ASSETS = {"docs.html", "docs.js", "swagger-ui-bundle.js", "swagger-ui.css"}


class Page(HTMLParser):
    """The elements of a page, each with its attributes, and the text inside scripts and styles."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] in ("script", "style"):
            self.inline += data.strip()

    @property
    def addresses(self) -> list[str]:
        return [value for _, attributes in self.elements for name in ("src", "href") if (value := attributes.get(name))]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(web.asset("docs.html")[0].decode())


def test_every_asset_comes_with_its_content_type() -> None:
    types = {name: web.asset(name)[1] for name in ASSETS}
    assert types["docs.html"] == "text/html; charset=utf-8"
    assert types["docs.js"] == types["swagger-ui-bundle.js"] == "text/javascript; charset=utf-8"
    assert types["swagger-ui.css"] == "text/css; charset=utf-8"


@pytest.mark.parametrize("name", ["", ".", "..", "VENDORED.json", "LICENSE", "__init__.py", "vendor/swagger-ui.css"])
def test_a_file_that_is_not_for_browsers_is_not_an_asset(name: str) -> None:
    with pytest.raises(KeyError):
        web.asset(name)


@given(st.text() | st.sampled_from(["../", "/", "%2e%2e/", "..\\"]).flatmap(lambda up: st.just(f"{up}web/docs.html")))
def test_no_other_name_reaches_a_file(name: str) -> None:
    with pytest.raises(KeyError):
        web.asset(name)


@pytest.mark.parametrize("base", ["http://127.0.0.1:8000/", "https://api.example.com/api/"])
def test_every_address_on_the_page_leads_to_an_asset_or_the_contract(page: Page, base: str) -> None:
    found = [urljoin(base + "docs", address) for address in page.addresses if not address.startswith("data:")]
    assert len(found) == 4
    for address in found:
        path = address.removeprefix(base)
        assert path == "openapi.json" or path.removeprefix("docs/") in ASSETS - {"docs.html"}


def test_the_script_asks_for_the_contract_beside_the_page_and_for_no_validator() -> None:
    script = web.asset("docs.js")[0].decode()
    assert 'url: "openapi.json"' in script
    assert "validatorUrl: null" in script
    assert "://" not in script


def test_the_page_has_no_inline_code(page: Page) -> None:
    assert page.inline == ""
    assert not [name for _, attributes in page.elements for name in attributes if name == "style" or name[:2] == "on"]


def test_the_page_forbids_itself_every_other_host(page: Page) -> None:
    policies = [
        attributes["content"] for tag, attributes in page.elements if tag == "meta" and "http-equiv" in attributes
    ]
    assert len(policies) == 1
    directives = dict(directive.split(maxsplit=1) for directive in (policies[0] or "").split(";"))
    assert directives["default-src"] == "'none'"
    assert {source for sources in directives.values() for source in sources.split()} == {"'none'", "'self'", "data:"}


def test_the_policy_stands_before_anything_that_loads(page: Page) -> None:
    tags = [tag for tag, attributes in page.elements if "http-equiv" in attributes or tag in ("link", "script")]
    assert tags[0] == "meta"


def test_the_vendored_files_are_those_that_were_noted() -> None:
    vendor_web.check()


@pytest.mark.parametrize("folder", [vendor_web.DOCS, vendor_web.DASHBOARD], ids=["docs", "dashboard"])
def test_the_note_names_free_licenses_whose_texts_are_there_and_no_address(folder: Path) -> None:
    text = (folder / vendor_web.NOTE).read_text()
    packages = json.loads(text)["packages"]
    assert packages
    assert {package["license"] for package in packages} <= {"MIT", "Apache-2.0", "0BSD"}
    assert "://" not in text
    assert "Apache License" in "".join(path.read_text() for path in folder.glob("LICENSE*"))


def test_the_dashboards_licenses_name_every_package_in_it() -> None:
    named = (vendor_web.DASHBOARD / vendor_web.TERMS).read_text()
    packages = json.loads((vendor_web.DASHBOARD / vendor_web.NOTE).read_text())["packages"]
    assert {"preact", "htm", "uplot", "@aws-amplify/auth", "tslib"} <= {package["name"] for package in packages}
    assert all(f"{each['name']} {each['version']} ({each['license']})\n" in named for each in packages)


def test_a_changed_vendored_file_is_noticed(tmp_path: Path) -> None:
    for path in vendor_web.DOCS.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "swagger-ui.css").write_text("body { color: red }")
    (tmp_path / "added.js").write_text("")
    with pytest.raises(vendor_web.VendorError, match=r": added.js, swagger-ui.css$"):
        vendor_web.compare(tmp_path, [SWAGGER])


def test_a_package_that_is_not_pinned_is_noticed(tmp_path: Path) -> None:
    for path in vendor_web.DOCS.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(vendor_web.VendorError, match=r"names swagger-ui-dist .*not pinned"):
        vendor_web.compare(tmp_path, [])


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_no_file_names_a_source_map(name: str) -> None:
    assert not re.search(rb"[#@] sourceMappingURL=", web.asset(name)[0])


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.js", "f()\n//# sourceMappingURL=a.js.map"), ("a.css", "f()\n/*# sourceMappingURL=a.css.map*/\n")],
)
def test_a_source_map_comment_is_taken_off(name: str, text: str) -> None:
    assert vendor_web.clean(name, text) == "f()\n"


@pytest.mark.parametrize(
    "css", ["@import 'a.css'", "a { b: url(//a.example/x) }", 'a { b: url( "x.png") }', "a { b: url('data.png') }"]
)
def test_a_style_sheet_that_fetches_is_not_vendored(css: str) -> None:
    with pytest.raises(vendor_web.VendorError):
        vendor_web.clean("a.css", css)


def test_a_style_sheet_may_hold_its_own_images() -> None:
    css = "a { b: url( 'data:image/png;base64,AAAA') } c { d: url(data:,) }\n"
    assert vendor_web.clean("a.css", css) == css
