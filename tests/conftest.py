"""Fixtures: the stage's settings, real photos, and one local cloud for all tests that speak HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Before anything reads the settings. Tests that need a running cloud get its own environment from `cloud.env`.
os.environ.update(
    PROOFSHEET_STAGE="local",
    PROOFSHEET_MEDIA_BUCKET="proofsheet-local-media-000000000000",
    PROOFSHEET_SITE_BUCKET="proofsheet-local-site-000000000000",
    PROOFSHEET_EVENTS_BUCKET="proofsheet-local-events-000000000000",
    PROOFSHEET_NOTICES_TOPIC="arn:aws:sns:us-east-1:000000000000:proofsheet-local-notices",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_EC2_METADATA_DISABLED="true",
    OPENBLAS_NUM_THREADS="1",
)
os.environ.pop("AWS_ENDPOINT_URL", None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    from tests.side_by_side import SideBySide

    return SideBySide(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    from tests.side_by_side import turn

    items.sort(key=lambda item: turn(item.nodeid))


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of sample photographs that scikit-image carries."""
    import skimage

    return Path(skimage.__file__).parent / "data"


@dataclass(frozen=True)
class DeployedCloud:
    """A deployed stage, as `python -m tools.deploy` noted it in outputs.json."""

    base_url: str
    site_url: str
    env: dict[str, str]
    outputs: dict[str, str]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """What the black-box tests talk to; `.base_url` and `.env` lead to it.

    A local cloud on free ports, as `make run` starts it, or the deployed stage whose outputs.json PROOFSHEET_E2E names.
    """
    from localcloud.run import Ports, cloud

    if deployed := os.environ.get("PROOFSHEET_E2E"):
        yield DeployedCloud(**json.loads(Path(deployed).read_text()))
        return

    with cloud(tmp_path_factory.mktemp("cloud"), Ports.free(), visibility_seconds=10) as running:
        yield running
