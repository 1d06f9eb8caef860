"""People at the dashboard: a browser context each, and the same account's API beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.dashboard.trouble import Guard
from tests.http.conftest import PASSWORD, Caller
from tools import sign_in

WINDOW = {"width": 1280, "height": 800}
PATIENCE = 20_000  # ms, with a busy machine in mind


@dataclass
class Guest:
    """Someone with a browser of their own."""

    base_url: str
    context: BrowserContext
    guard: Guard
    page: Page

    def open(self, address: str = "") -> Page:
        """Go to an address of the dashboard, such as "#/models"."""
        self.page.goto(f"{self.base_url}/dashboard{address}")
        return self.page

    def expect_trouble(self, *patterns: str) -> None:
        """In this test, console errors and failed requests that match one of these regular expressions are fine."""
        self.guard.expect(*patterns)


@dataclass
class Person(Guest):
    """A user who is signed in. api: calls in the same account."""

    api: Caller
    email: str
    password: str = PASSWORD


class People:
    """Makes them, and sees their contexts closed."""

    def __init__(self, browser: Browser, cloud: Any) -> None:
        self.browser = browser
        self.cloud = cloud
        self.here: list[Guest] = []

    def guest(self, **options: Any) -> Guest:
        """Somebody who is not signed in. options: of Playwright's Browser.new_context."""
        guest = Guest(*self._seated(options))
        self.here.append(guest)
        return guest

    def person(self, caller: Caller, **options: Any) -> Person:
        """Somebody who has signed in already. options: of Playwright's Browser.new_context."""
        person = Person(*self._seated({"storage_state": self._signed_in(caller), **options}), caller, caller.email)
        self.here.append(person)
        return person

    def leave(self, guest: Guest) -> list[str]:
        """Close their browser; what went wrong on their pages."""
        self.here.remove(guest)
        guest.context.close()
        return guest.guard.settle()

    def trouble(self) -> list[str]:
        """What went wrong on anybody's page since it was last asked."""
        for guest in self.here:
            guest.page.evaluate("0")  # what the page said before has arrived then
        return [what for guest in self.here for what in guest.guard.settle()]

    def _seated(self, options: dict[str, Any]) -> tuple[str, BrowserContext, Guard, Page]:
        context = self.browser.new_context(**{"viewport": WINDOW, "reduced_motion": "reduce", **options})
        context.set_default_timeout(PATIENCE)
        return self.cloud.base_url, context, Guard(context, self._hosts()), context.new_page()

    def _hosts(self) -> set[str]:
        endpoint = self.cloud.env.get("AWS_ENDPOINT_URL", "")
        return {urlsplit(url).netloc for url in (self.cloud.base_url, self.cloud.site_url, endpoint)}

    def _signed_in(self, caller: Caller) -> dict[str, Any]:
        address = urlsplit(self.cloud.base_url)
        kept = storage(self.cloud.env["PROOFSHEET_USER_POOL_CLIENT"], caller.tokens)
        items = [{"name": name, "value": value} for name, value in kept.items()]
        return {"cookies": [], "origins": [{"origin": f"{address.scheme}://{address.netloc}", "localStorage": items}]}


def storage(client: str, tokens: sign_in.Tokens) -> dict[str, str]:
    """What localStorage holds of a user who is signed in: Amplify's items, and ours. client: of the user pool."""
    said = claims(tokens.id)
    user = said["cognito:username"]
    root = f"CognitoIdentityServiceProvider.{client}"
    who = {"account": said["sub"], "email": said["email"], "admin": "admin" in said.get("cognito:groups", [])}
    return {
        f"{root}.LastAuthUser": user,
        f"{root}.{user}.accessToken": tokens.access,
        f"{root}.{user}.idToken": tokens.id,
        f"{root}.{user}.refreshToken": tokens.refresh,
        f"{root}.{user}.clockDrift": "0",
        "proofsheet.session": json.dumps(who),
    }


def age_tokens(page: Page) -> None:
    """Have the browser take its clock for two hours ahead of its tokens, which last one."""
    page.evaluate(AGE)


AGE = """() => {
  for (const name of Object.keys(localStorage)) if (name.endsWith(".clockDrift")) localStorage.setItem(name, 7_200_000);
}"""


def end_session(page: Page, pool: sign_in.Pool) -> None:
    """Nobody refreshes a token with what this browser has, and those that it has are over."""
    name = "Object.keys(localStorage).find((name) => name.endsWith('.refreshToken'))"
    pool.cognito.revoke_token(Token=page.evaluate(f"localStorage.getItem({name})"), ClientId=pool.client)
    age_tokens(page)


def claims(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    import jwt

    return jwt.decode(token, options={"verify_signature": False})
