"""The emulator for a deployed stage: nothing runs beside it, so that what answers is what was deployed.

    with emulator(folder) as endpoint:
        deploy(Stage("e2e", endpoint))

Nothing is kept; functions run from their bundle alone (see localcloud/lambda_processes.py).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from localcloud import lambda_processes
from localcloud.processes import Child, python
from localcloud.run import ROOT, Ports, StartError


@contextlib.contextmanager
def emulator(folder: Path) -> Iterator[str]:
    """The address of an emulator with nothing in it. folder: its log, and what it unpacks. Raises StartError."""
    from localcloud.emulator import HEALTH

    state = folder / "emulator"
    # The functions' own temporary files too: 200 MB of unpacked bundle, and whatever a killed process left.
    temporary = state / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    port = Ports.free().emulator
    child = Child(
        "emulator",
        python("localcloud.emulator", "--deployed", "--port", str(port), "--state", str(state)),
        {**lambda_processes.environment(), **_log_level(), "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        ROOT,
        folder / "emulator.log",
        patience=15.0,
    )
    child.start()
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _await(child, endpoint + HEALTH)
        yield endpoint
    finally:
        child.stop()
        shutil.rmtree(state, ignore_errors=True)


def _log_level() -> dict[str, str]:
    return {"LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING")}


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - an address of our own
            return True
    except OSError:
        return False


def _await(child: Child, url: str, patience: float = 30.0) -> None:
    deadline = time.monotonic() + patience
    while not _healthy(url):
        if not child.alive or time.monotonic() > deadline:
            raise StartError(f"The emulator does not answer ({child.last_words()}); see {child.log}")
        time.sleep(0.05)
