"""What must not happen on a page: errors in its console, requests that fail, tokens in addresses, requests
to hosts that are not ours."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

# What a page fetches from itself, and Amazon's own names once it is deployed there.
OWN = re.compile(r"(blob|data):|https://[\w.-]+\.amazonaws\.com/")
TOKEN = re.compile(r"eyJ[\w-]+\.eyJ")  # two JSON objects in base64url, which only a JWT is


class Guard:
    """Notes the trouble of every page in a context.

    context: watched from now on. hosts: "host:port" of all that a page may speak to.
    """

    def __init__(self, context: BrowserContext, hosts: set[str]) -> None:
        self.hosts = hosts
        self.seen: list[str] = []
        self.expected: list[str] = []
        context.on("console", self._said)
        context.on("weberror", self._threw)
        context.on("request", self._asked)
        context.on("requestfailed", self._failed)

    def expect(self, *patterns: str) -> None:
        """Until the test ends, trouble in which one of these regular expressions is found is none."""
        self.expected += patterns

    def settle(self) -> list[str]:
        """The trouble that nobody expected; then the page has a clean slate."""
        left = [what for what in self.seen if not any(re.search(pattern, what) for pattern in self.expected)]
        self.seen, self.expected = [], []
        return left

    # Answers of 400 and above and violations of the content security policy are errors in the console.
    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.seen.append(f"console: {message.text} ({message.location['url']})")

    def _threw(self, error: WebError) -> None:
        self.seen.append(f"uncaught: {error.error}")

    def _asked(self, request: Request) -> None:
        if not OWN.match(request.url) and urlsplit(request.url).netloc not in self.hosts:
            self.seen.append(f"foreign: {request.method} {request.url}")
        if TOKEN.search(request.url):
            self.seen.append(f"a token in an address: {request.method} {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page that is left gives up what it asked for
            self.seen.append(f"failed: {request.method} {request.url} {request.failure}")
