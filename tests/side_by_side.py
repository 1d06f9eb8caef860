"""How `make test` shares the tests among its processes (`pytest -n 3`): what shares something expensive stays together.

A file's tests run in one process, in their order. So do those of a folder that start one cloud, one emulator or one
template. Portions of random schedules share nothing, so they go wherever a process is free. What takes longest begins
first, so that no process ends alone. Whoever runs pytest without `-n` has all of it in one process.
"""

from __future__ import annotations

import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# By the beginnings of their paths, those that take longest first.
TOGETHER = {
    "tests/localcloud/test_big_campaign.py": "a cloud of its own",
    "tests/browser/dashboard/": "the dashboard",
    "tests/browser/test_track_end_to_end.py": "the dashboard",
    "tests/http/": "the API",
    "tests/clients/": "the API",
    "tests/localcloud/": "the sample app",
    "tests/deployed/": "an emulator for deployments",
    "tests/package/": "the template",
}
PORTION = re.compile(r"::test_\w*_random_schedules_\w*\[\d+\]$")


def shared(test: str) -> str:
    """What the tests of one process have in common. test: its node id."""
    if PORTION.search(test):
        return test
    file = test.split("::")[0]
    return next((what for beginning, what in TOGETHER.items() if test.startswith(beginning)), file)


def turn(test: str) -> int:
    """When the test's turn comes: its place among those that take longest, or after them. test: its node id."""
    return next((at for at, beginning in enumerate(TOGETHER) if test.startswith(beginning)), len(TOGETHER))


class SideBySide(LoadFileScheduling):
    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # by their number of tests: the longest of all is a single test

    def _split_scope(self, nodeid: str) -> str:
        return shared(nodeid)
