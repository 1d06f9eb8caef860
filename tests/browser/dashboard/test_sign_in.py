"""The way in and out: Cognito by Amplify in a real browser, on whatever page one wanted to go to."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard.people import age_tokens, end_session
from tests.http.conftest import PASSWORD, new_address
from tools import sign_in

ANOTHER = "Another-staple-2-battery"
# Cognito refuses with a status of 400, which the browser logs.
REFUSED = "status of 400"


def fill(page, button, **fields):
    """Fill a form in: email="...", new_password="..."; and press its button."""
    for name, value in fields.items():
        page.get_by_label(LABELS[name], exact=True).fill(value)
    page.get_by_role("button", name=button, exact=True).click()


LABELS = {"email": "E-mail address", "password": "Password", "new_password": "New password", "code": "Code"}


def heading(page, name):
    return page.get_by_role("heading", name=name, exact=True)


def at(page, name):
    """The link of the main navigation that says where one is."""
    return (
        page.get_by_role("navigation", name="Main").get_by_role("link", name=name).and_(page.locator("[aria-current]"))
    )


@pytest.fixture
def signed_up(pool):
    """The address of a user who has not confirmed it."""
    email = new_address()
    sign_in.sign_up(pool, email, PASSWORD)
    return email


@pytest.fixture
def user(pool, signed_up):
    """The address of a user who has confirmed it."""
    pool.cognito.admin_confirm_sign_up(UserPoolId=pool.id, Username=signed_up)
    return signed_up


def test_a_newcomer_signs_up_confirms_and_lands_where_they_wanted_to_go(guest):
    page = guest.open("#/inbox")
    page.get_by_role("button", name="Create an account").click()
    fill(page, "Create account", email=new_address(), password=PASSWORD)
    fill(page, "Confirm", code="123456")
    expect(at(page, "Inbox")).to_be_visible()
    assert page.url.endswith("#/inbox")


def test_a_wrong_password_is_said_to_be_wrong_and_the_right_one_lets_in(guest, user):
    guest.expect_trouble(REFUSED)
    page = guest.open()
    fill(page, "Sign in", email=user, password="Wrong-horse-1-battery")
    expect(page.get_by_role("alert").filter(has_text="is not right")).to_be_visible()
    fill(page, "Sign in", password=PASSWORD)
    expect(at(page, "Rank")).to_be_visible()


def test_a_password_that_is_too_easy_is_refused_at_its_field(guest):
    guest.expect_trouble(REFUSED)
    page = guest.open()
    page.get_by_role("button", name="Create an account").click()
    fill(page, "Create account", email=new_address(), password="easy")
    expect(page.get_by_label("Password", exact=True)).to_have_accessible_description(re.compile("too easy"))


def test_who_never_confirmed_is_asked_for_the_code_at_the_next_sign_in(guest, signed_up):
    guest.expect_trouble(REFUSED)
    page = guest.open()
    fill(page, "Sign in", email=signed_up, password=PASSWORD)
    fill(page, "Confirm", code="123456")
    expect(at(page, "Rank")).to_be_visible()


def test_a_forgotten_password_is_replaced_by_a_code_and_a_new_one(guest, user, pool):
    page = guest.open()
    page.get_by_role("button", name="Forgotten password").click()
    fill(page, "Send a code", email=user)
    fill(page, "Set password and sign in", code="123456", new_password=ANOTHER)
    expect(at(page, "Rank")).to_be_visible()
    assert sign_in.sign_in(pool, user, ANOTHER).id


def test_a_user_made_by_an_operator_chooses_a_password_at_the_first_sign_in(guest, pool):
    email = new_address()
    attributes = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}]
    pool.cognito.admin_create_user(
        UserPoolId=pool.id,
        Username=email,
        TemporaryPassword=PASSWORD,
        UserAttributes=attributes,
        MessageAction="SUPPRESS",
    )
    page = guest.open()
    fill(page, "Sign in", email=email, password=PASSWORD)
    expect(heading(page, "Choose your password")).to_be_visible()
    fill(page, "Set password", new_password=ANOTHER)
    expect(at(page, "Rank")).to_be_visible()


def test_signing_out_empties_the_storage_and_every_other_tab(person):
    other = person.context.new_page()
    other.goto(f"{person.base_url}/dashboard#/models")
    page = person.open()
    page.locator("summary").filter(has_text=person.email).click()
    page.get_by_role("button", name="Sign out").click()
    for tab in (page, other):
        expect(heading(tab, "Sign in")).to_be_visible()
    assert "eyJ" not in str(person.context.storage_state())


def test_signing_out_works_where_amplify_cannot_be_fetched(person):
    person.expect_trouble("amplify.js")
    person.page.route("**/amplify.js", lambda route: route.abort())
    page = person.open("#/models/new")
    page.locator("summary").filter(has_text=person.email).click()
    page.get_by_role("button", name="Sign out").click()
    expect(heading(page, "Sign in")).to_be_visible()
    assert "eyJ" not in str(person.context.storage_state())


def test_tokens_that_are_about_to_end_are_refreshed_without_a_word(person):
    page = person.open("#/inbox")
    expect(at(page, "Inbox")).to_be_visible()
    age_tokens(page)
    page.reload()
    page.wait_for_function("token => !Object.values(localStorage).includes(token)", arg=person.api.token)
    expect(at(page, "Inbox")).to_be_visible()


def test_a_session_that_was_revoked_is_renewed_over_the_page_which_then_goes_on(person, pool):
    person.expect_trouble(REFUSED)
    page = person.open("#/inbox")
    expect(at(page, "Inbox")).to_be_visible()
    end_session(page, pool)
    page.get_by_role("link", name="Models").click()
    dialog = page.get_by_role("dialog", name="Please sign in again")
    fill(dialog, "Sign in", password=PASSWORD)
    expect(dialog).to_be_hidden()
    expect(at(page, "Models")).to_be_visible()
    assert page.url.endswith("#/models")
