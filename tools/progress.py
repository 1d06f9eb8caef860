"""Progress for whoever watches: a bar on a terminal, a line now and then in a log. Always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tools.client import Watch

SECONDS_BETWEEN_LINES = 2.0


class Lines:
    """Plain lines, for a log or a pipe."""

    def __init__(self) -> None:
        self.next = 0.0
        self.last = -1

    def show(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done != self.last and (done == total or now >= self.next):
            self.next, self.last = now + SECONDS_BETWEEN_LINES, done
            print(f"{step}: {done} of {total}", file=sys.stderr, flush=True)


@contextmanager
def progress(step: str) -> Iterator[Watch]:
    """What to call with (done, total) while the step runs; `step` is said as it stands, "Uploading"."""
    if not sys.stderr.isatty():
        yield partial(Lines().show, step)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(step, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show
