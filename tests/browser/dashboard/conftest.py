"""Fixtures of the dashboard's tests: people at their browsers, whose pages must run without any trouble.

A person costs about half a second. Tests of a file that do not mind each other's traces may share one:

    @pytest.fixture(scope="module")
    def seller(people, new_caller):
        return people.person(new_caller())
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.dashboard import looks
from tests.browser.dashboard.people import PATIENCE, Guest, People, Person
from tests.http.conftest import Caller


@pytest.fixture(scope="module")
def people(chromium: Browser, cloud: Any) -> Iterator[People]:
    """people.person(caller), people.guest(): a new browser context each, as long as the module lasts."""
    expect.set_options(timeout=PATIENCE)
    made = People(chromium, cloud)
    yield made
    for guest in [*made.here]:
        made.leave(guest)


@pytest.fixture(autouse=True)
def no_trouble(people: People) -> Iterator[None]:
    """After every test: no page has thrown, logged an error, failed in a request or spoken to a foreign host."""
    yield
    check(people.trouble())


@pytest.fixture
def person(people: People, no_trouble: None, new_caller: Callable[..., Caller]) -> Iterator[Person]:
    """A new user who is signed in; .page, .api, .open("#/models"), .email, .password, .expect_trouble(...)."""
    made = people.person(new_caller())
    yield made
    check(people.leave(made))


@pytest.fixture
def admin(people: People, no_trouble: None, new_caller: Callable[..., Caller]) -> Iterator[Person]:
    """A new user of the group of admins who is signed in."""
    made = people.person(new_caller("admin"))
    yield made
    check(people.leave(made))


@pytest.fixture
def guest(people: People, no_trouble: None) -> Iterator[Guest]:
    """Somebody who is not signed in; .page, .open(...), .expect_trouble(...)."""
    made = people.guest()
    yield made
    check(people.leave(made))


@pytest.fixture
def visitor_page(guest: Guest) -> Page:
    """The dashboard's page where nobody is signed in."""
    return guest.open()


@pytest.fixture
def assert_accessible() -> Callable[[Page], None]:
    """assert_accessible(page): axe-core finds no violation of WCAG 2.2 AA."""
    return looks.assert_accessible


@pytest.fixture
def shot() -> Callable[..., None]:
    """shot(page, "rank", dark=True, phone=True): build/screenshots/rank.png, rank-dark.png and rank-phone.png."""
    return looks.shot


def check(trouble: list[str]) -> None:
    assert not trouble, "\n".join(trouble)
