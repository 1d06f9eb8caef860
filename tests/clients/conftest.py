"""Segment's own libraries, pointed at the local API, and an account whose images they tell of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.http.conftest import new_caller, pool
from tests.tracked import EVENT_NAMES, Account

__all__ = ["new_caller", "pool"]  # fixtures from next door

NODE_LIBRARY, NODE_VERSION = "@segment/analytics-node", "3.1.0"
INSTALLED = Path(__file__).parent.parent.parent / "build" / "clients"


@pytest.fixture
def account(new_caller):
    return Account.open(new_caller(), 5)


@pytest.fixture
def fifty(account):
    """Fifty events about five images, as name and properties."""
    return [
        (
            EVENT_NAMES[number % 4],
            {"image": account.images[number % 5], "ranking": account.ranking, "position": number % 5},
        )
        for number in range(50)
    ]


@pytest.fixture
def expected(account, fifty):
    """What must be counted of each image."""
    sent = Counter((properties["image"], name) for name, properties in fifty)
    return {image: tuple(sent[image, name] for name in EVENT_NAMES) for image in account.images}


@pytest.fixture(scope="session")
def node_surroundings():
    """The environment of a Node that knows Segment's library, fetched from npm once into build/."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("needs node and npm")
    note = INSTALLED / "node_modules" / NODE_LIBRARY / "package.json"
    if not note.exists() or json.loads(note.read_text())["version"] != NODE_VERSION:
        INSTALLED.mkdir(parents=True, exist_ok=True)
        quiet = ("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
        command = ["npm", "install", *quiet, "--prefix", str(INSTALLED), f"{NODE_LIBRARY}@{NODE_VERSION}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=150)
        if done.returncode:
            pytest.skip(f"npm could not fetch {NODE_LIBRARY}: {done.stderr.strip()[-300:]}")
    return {**os.environ, "NODE_PATH": str(INSTALLED / "node_modules")}
