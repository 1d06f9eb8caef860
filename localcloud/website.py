"""S3's website endpoint, which ministack lacks: http://127.0.0.1:PORT/_website/{bucket}/{key}

By path, since a name like {bucket}.s3-website-us-east-1.amazonaws.com leads to AWS. What CloudFormation stored of the
bucket decides, as on AWS:

| the bucket's                  | decides                                                                  |
|-------------------------------|--------------------------------------------------------------------------|
| website configuration         | index document, routing rules, error document; without one, 404          |
| policy, public access block   | what anybody may read; a missing object is 404 for who may list, or 403   |
| cross-origin rules            | nothing here: ministack lets every origin read everything                |

A rule's target on {api}.execute-api.{region}.amazonaws.com becomes that API's address in the emulator. Not there:
RedirectAllRequestsTo, and the redirect from a folder's name without its slash.
"""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree

from localcloud.asgi import App

PREFIX = "/_website/"
# What a website endpoint heeds of a request for an object; neither the query nor a signature.
HEEDED = ("range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "origin")
GATEWAY = re.compile(r"([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
MESSAGES = {
    "AccessDenied": "Access Denied",
    "MethodNotAllowed": "The specified method is not allowed against this resource.",
    "NoSuchBucket": "The specified bucket does not exist",
    "NoSuchKey": "The specified key does not exist.",
    "NoSuchWebsiteConfiguration": "The specified bucket does not have a website configuration",
}

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Rule:
    """A routing rule; status is None in a rule that asks for no error."""

    prefix: str
    status: int | None
    target: dict[str, str]

    def location(self, key: str, host: str) -> str:
        """S3 passes the key on percent-encoded, the rule's own text as it is, and drops the request's query."""
        if "ReplaceKeyWith" in self.target:
            path = self.target["ReplaceKeyWith"]
        elif "ReplaceKeyPrefixWith" in self.target:
            path = self.target["ReplaceKeyPrefixWith"] + quote(key.removeprefix(self.prefix), safe="/")
        else:
            path = quote(key, safe="/")
        name = self.target.get("HostName") or host
        if api := GATEWAY.fullmatch(name):
            stage, _, rest = path.partition("/")
            return f"http://{host}/restapis/{api[1]}/{stage}/_user_request_/{rest}"
        return f"{self.target.get('Protocol', 'http')}://{name}/{path}"


@dataclass(frozen=True)
class Site:
    """A bucket's website configuration."""

    index: str
    error: str | None
    rules: tuple[Rule, ...]

    @classmethod
    def parse(cls, xml: bytes) -> Site:
        root = ElementTree.fromstring(xml)  # noqa: S314 - CloudFormation wrote it
        rules = []
        for rule in root.iterfind("{*}RoutingRules/{*}RoutingRule"):
            status = rule.findtext("{*}Condition/{*}HttpErrorCodeReturnedEquals")
            rules.append(
                Rule(
                    prefix=rule.findtext("{*}Condition/{*}KeyPrefixEquals") or "",
                    status=int(status) if status else None,
                    target={each.tag.rpartition("}")[2]: each.text or "" for each in rule.iterfind("{*}Redirect/*")},
                )
            )
        index = root.findtext("{*}IndexDocument/{*}Suffix") or "index.html"
        return cls(index, root.findtext("{*}ErrorDocument/{*}Key"), tuple(rules))

    def redirect(self, key: str, status: int | None, host: str) -> tuple[int, str] | None:
        """Status and address of the first rule for this key and error, or for this key alone with None."""
        for rule in self.rules:
            if rule.status == status and key.startswith(rule.prefix):
                return int(rule.target.get("HttpRedirectCode", 301)), rule.location(key, host)
        return None


def address(endpoint: str, bucket: str) -> str:
    """Of the bucket's website in the emulator at `endpoint`, without a slash at the end."""
    return f"{endpoint.rstrip('/')}{PREFIX}{bucket}"


class Website:
    """ministack's app with website endpoints in front of it."""

    def __init__(self, app: App):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        answer = await self.answer(scope)
        own: Headers = [
            (b"server", b"AmazonS3"),
            (b"x-amz-request-id", uuid.uuid4().hex.encode()),
            (b"access-control-allow-origin", b"*"),
        ]
        named = {name for name, _ in own}
        headers = [*((name, value) for name, value in answer.headers if name not in named), *own]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    async def answer(self, scope: Any) -> Answer:
        bucket, _, encoded = scope["raw_path"].decode("latin-1").removeprefix(PREFIX).partition("/")
        key = unquote(encoded)
        if scope["method"] not in ("GET", "HEAD"):
            return page(405, "MethodNotAllowed", key)
        stored = await self.ask(scope, "GET", f"/{bucket}", query=b"website")
        if stored.status != 200:
            return page(404, _code(stored.body) or "NoSuchWebsiteConfiguration", key)
        return await self.find(scope, bucket, key, Site.parse(stored.body))

    async def find(self, scope: Any, bucket: str, key: str, site: Site) -> Answer:
        host = next((value.decode() for name, value in scope["headers"] if name == b"host"), "127.0.0.1")
        if always := site.redirect(key, None, host):
            return redirection(*always)
        named = key + site.index if key.endswith("/") or not key else key
        found = await self.read(scope, bucket, named)
        if found.status not in (403, 404):
            return found
        if elsewhere := site.redirect(key, found.status, host):
            return redirection(*elsewhere)
        if site.error and (told := await self.read(scope, bucket, site.error)).status == 200:
            return Answer(found.status, told.headers, told.body)
        return found

    async def read(self, scope: Any, bucket: str, key: str) -> Answer:
        """The object as anybody may read it; S3's own page otherwise."""
        policy = await self.ask(scope, "GET", f"/{bucket}", query=b"policy")
        block = await self.ask(scope, "GET", f"/{bucket}", query=b"publicAccessBlock")
        may = Anybody(policy.body.decode() if policy.status == 200 else None, block.body)
        if not may.do("s3:GetObject", f"{bucket}/{key}"):
            return page(403, "AccessDenied", key)
        given = [(name, value) for name, value in scope["headers"] if name.decode() in HEEDED]
        found = await self.ask(scope, scope["method"], f"/{bucket}/{quote(key, safe='/')}", given)
        if found.status == 404:
            return page(404, "NoSuchKey", key) if may.do("s3:ListBucket", bucket) else page(403, "AccessDenied", key)
        return found

    async def ask(
        self, scope: Any, method: str, path: str, headers: Iterable[tuple[bytes, bytes]] = (), query: bytes = b""
    ) -> Answer:
        """ministack's answer to a request of our own."""
        start: dict[str, Any] = {}
        body = bytearray()
        own = [(b"host", b"127.0.0.1"), *headers]
        asked = {"method": method, "path": unquote(path), "raw_path": path.encode(), "query_string": query}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            start.update(message if message["type"] == "http.response.start" else {})
            body.extend(message.get("body", b""))

        await self.app({**scope, **asked, "headers": own}, receive, send)
        return Answer(start["status"], [(name.lower(), value) for name, value in start["headers"]], bytes(body))


@dataclass(frozen=True)
class Anybody:
    """Who brings no credentials: what a bucket's policy and its public access block leave them."""

    policy: str | None
    block: bytes

    def do(self, action: str, resource: str) -> bool:
        from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy

        if self.policy is None or re.search(rb"<RestrictPublicBuckets>true<", self.block):
            return False
        context = EvalContext(
            principal_arn="*",
            principal_type="Anonymous",
            principal_account="",
            action=action,
            resource_arn=f"arn:aws:s3:::{resource}",
            region="us-east-1",
            secure_transport=False,
        )
        return bool(evaluate_resource_policy(self.policy, context).decision == "Allow")


def redirection(status: int, location: str) -> Answer:
    return Answer(status, [(b"location", location.encode()), (b"content-length", b"0")], b"")


def page(status: int, code: str, key: str) -> Answer:
    """An error in S3's manner."""
    title = f"{status} {HTTPStatus(status).phrase}"
    told = f"<li>Code: {code}</li>\n<li>Message: {MESSAGES.get(code, code)}</li>"
    if code == "NoSuchKey":
        told += f"\n<li>Key: {html.escape(key)}</li>"
    body = (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n{told}\n</ul>\n<hr/>\n</body>\n"
        "</html>\n"
    ).encode()
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    return Answer(status, headers, body)


def _code(error: bytes) -> str | None:
    return ElementTree.fromstring(error).findtext("{*}Code") or ElementTree.fromstring(error).findtext("Code")  # noqa: S314
