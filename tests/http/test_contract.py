"""The OpenAPI document against the running service, by a tester that nobody here wrote."""

from __future__ import annotations

import warnings

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, assume, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

import app
from chalicelib import openapi

DOCUMENT = openapi.document(app.api.endpoints)
schema = schemathesis.openapi.from_dict(DOCUMENT)

# A schema can say "bytes" and "text", not "bytes of an image" and "operations": these may be refused though they fit.
MORE_THAN_A_SCHEMA_SAYS = {"/score", "/resize", "/urls", "/stats", "/best/{ranking}"}

# API Gateway takes 10,240 bytes of request line and headers; what is longer never reaches us.
LONGEST_ADDRESS = 9000


def says_too_little(path: str) -> bool:
    return path in MORE_THAN_A_SCHEMA_SAYS or path.startswith("/v1/")


@schemathesis.serializer("image/avif", "image/tiff")
def as_it_is(_context, value):
    """Types that the tester does not know: the body is sent as the bytes it made."""
    return value if isinstance(value, bytes) else str(value).encode()


def test_the_served_document_is_made_from_the_routes(cloud):
    assert requests.get(f"{cloud.base_url}/openapi.json", timeout=10).json() == DOCUMENT


def test_every_route_is_described(contract):
    described = {(method.upper(), path) for path, methods in contract["paths"].items() for method in methods}
    routed = {(method, path) for path, methods in app.app.routes.items() for method in methods}
    assert described == routed
    assert all(operation["summary"] for methods in contract["paths"].values() for operation in methods.values())


def test_the_docs_page_and_its_parts_are_served(cloud):
    page = requests.get(f"{cloud.base_url}/docs", timeout=10)
    script = requests.get(f"{cloud.base_url}/docs/docs.js", timeout=10)
    assert page.headers["Content-Type"].startswith("text/html")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert requests.get(f"{cloud.base_url}/docs/secret.txt", timeout=10).status_code == 404


def address(case, cloud):
    asked = case.as_transport_kwargs(base_url=cloud.base_url)
    return requests.Request("GET", asked["url"], params=asked.get("params")).prepare().url


@pytest.fixture(scope="module")
def tester(new_caller):
    """A member whose limits nobody else needs: the tester uses them up."""
    return new_caller()


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@pytest.mark.timeout(300)
def test_no_request_gets_an_undocumented_answer(case, cloud, tester):
    assume(len(address(case, cloud)) <= LONGEST_ADDRESS)
    excluded = [positive_data_acceptance] if says_too_little(case.operation.path) else []
    if case.operation.path == "/v1/pixel.gif":
        excluded.append(negative_data_rejection)  # the tester does not know that 414 is a refusal
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tester's own
        case.call_and_validate(
            base_url=cloud.base_url,
            headers={"Authorization": f"Bearer {tester.token}"},
            timeout=30,
            excluded_checks=excluded,
        )
