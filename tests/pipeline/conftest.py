"""Fixtures of the pipeline: the emulator in this process, and a world that delivers its messages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.inprocess import Emulator
from tests.pipeline.world import World

RUNNING: list[Emulator] = []


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    running = Emulator()
    running.create_stack()
    RUNNING.append(running)
    yield running
    RUNNING.remove(running)
    running.close()


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_over() -> Iterator[None]:
    """What one module leaves in the table of the shared emulator is not swept in another's tests."""
    yield
    for running in RUNNING:
        running.on_call = lambda *_: None
        running.empty_table("proofsheet-local-main")


@pytest.fixture
def make_world(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], World]:
    """make_world(seed): the app, wired to this emulator and to a bag of messages."""
    from chalicelib import accounts, aws, bus

    def make(seed: int = 0) -> World:
        world = World(emulator, seed)
        monkeypatch.setattr(aws, "client", world.client)
        bus.queue_url.cache_clear()
        accounts.born.cache_clear()
        return world

    return make


@pytest.fixture
def world(make_world: Callable[[int], World]) -> World:
    return make_world(0)


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute each photo's real features and working copy once: thousands of schedules use the same few photos."""
    from chalicelib import features
    from chalicelib.images import working_copy

    extract, prepare, known = features.extract, lru_cache(working_copy.prepare), {}

    def remember(prop: str, photo: Any) -> dict[str, Any]:
        key = prop, photo.width, photo.height, hashlib.sha256(photo.rgb.tobytes()).digest()
        if key not in known:
            known[key] = extract(prop, photo)
        return known[key]

    monkeypatch.setattr(features, "extract", remember)
    monkeypatch.setattr(working_copy, "prepare", prepare)


@pytest.fixture(scope="session")
def small_photos(photos: Path) -> list[bytes]:
    """Three photographs, small enough for thousands of runs."""
    import io

    from PIL import Image

    def small(name: str) -> bytes:
        with Image.open(photos / name) as picture:
            picture = picture.convert("RGB")
            picture.thumbnail((96, 96))
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=90)
            return buffer.getvalue()

    return [small(name) for name in ("astronaut.png", "coffee.png", "chelsea.png")]
