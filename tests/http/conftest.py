"""Fixtures of the black-box tests: callers with tokens of the pool, known by a base URL and nothing else."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from tools import sign_in

NUMBERS = itertools.count()
PASSWORD = "Correct-horse-1-battery"


@dataclass
class Caller:
    """One user of the API."""

    base_url: str
    email: str
    tokens: sign_in.Tokens
    http: requests.Session = field(default_factory=requests.Session)

    @property
    def token(self) -> str:
        return self.tokens.id

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self.http.request(method, self.base_url + path, json=body, headers=headers, timeout=30, **options)

    def upload(self, data: bytes, *, name: str = "photo.jpg", content_type: str = "image/jpeg", **options: Any) -> str:
        """Open a slot, send the bytes to S3; the image's id."""
        file = {"name": name, "content_type": content_type, "size": len(data)}
        answer = self("POST", "/images", {"files": [file], **options})
        assert answer.status_code == 201, answer.text
        slot = answer.json()["items"][0]
        assert self.send(slot, data).status_code == 204
        return slot["id"]

    def send(self, slot: dict[str, Any], data: bytes, **changed: str) -> requests.Response:
        fields = {**slot["upload"]["fields"], **changed}
        return self.http.post(slot["upload"]["url"], data=fields, files={"file": data}, timeout=30)

    def until(self, path: str, done: Callable[[dict[str, Any]], bool], seconds: float = 60) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while True:
            found = self("GET", path).json()
            if done(found):
                return found
            assert time.monotonic() < end, f"{path} stays {found}"
            time.sleep(0.2)

    def ready(self, image: str) -> dict[str, Any]:
        """Wait until the image is final, and scored if it can be."""
        return self.until(f"/images/{image}", lambda seen: seen["state"] == "failed" or "general" in seen["scores"])


@pytest.fixture(scope="session")
def pool(cloud: Any) -> Iterator[sign_in.Pool]:
    """The user pool, with the rights of its administrator."""
    env = cloud.env
    cognito = boto3.client("cognito-idp", endpoint_url=env["AWS_ENDPOINT_URL"], region_name="us-east-1")
    yield sign_in.Pool(cognito, env["PROOFSHEET_USER_POOL"], env["PROOFSHEET_USER_POOL_CLIENT"])
    cognito.close()


@pytest.fixture(scope="session")
def new_caller(cloud: Any, pool: sign_in.Pool) -> Iterator[Callable[..., Caller]]:
    """new_caller(*groups): a user who just signed up, in an account of their own."""
    callers: list[Caller] = []

    def make(*groups: str) -> Caller:
        email = new_address()
        sign_in.sign_up(pool, email, PASSWORD)
        pool.cognito.admin_confirm_sign_up(UserPoolId=pool.id, Username=email)
        for group in groups:
            pool.cognito.admin_add_user_to_group(UserPoolId=pool.id, Username=email, GroupName=group)
        callers.append(Caller(cloud.base_url, email, sign_in.sign_in(pool, email, PASSWORD)))
        return callers[-1]

    yield make
    for caller in callers:
        caller.http.close()


def new_address() -> str:
    """An e-mail address that nobody has signed up with."""
    return f"user{next(NUMBERS)}-{uuid.uuid4().hex[:8]}@example.com"


@pytest.fixture(scope="session")
def member(new_caller: Callable[..., Caller]) -> Caller:
    return new_caller()


@pytest.fixture(scope="session")
def stranger(new_caller: Callable[..., Caller]) -> Caller:
    """A member of another account."""
    return new_caller()


@pytest.fixture(scope="session")
def contract(cloud: Any) -> dict[str, Any]:
    return requests.get(f"{cloud.base_url}/openapi.json", timeout=10).json()


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    from tests.bad_images import sample

    return sample("jpeg", 320, 240)


@pytest.fixture(scope="session")
def photo_bytes(photos: Path) -> list[bytes]:
    """Four photographs as they lie in scikit-image, PNG and JPEG."""
    return [(photos / name).read_bytes() for name in ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg")]


@pytest.fixture(scope="session")
def scored(member: Caller, photo_bytes: list[bytes]) -> list[str]:
    """Ids of four photographs that are ready and scored."""
    types = ["image/png"] * 3 + ["image/jpeg"]
    images = [
        member.upload(data, content_type=kind, collection="scored")
        for data, kind in zip(photo_bytes, types, strict=True)
    ]
    for image in images:
        assert member.ready(image)["state"] == "ready"
    return images
