"""Processes that end together.

A child holds the read end of a pipe whose write end only its parent has. However the parent ends, SIGKILL included, the
pipe closes and the child stops in its orderly way. (Linux has PR_SET_PDEATHSIG for this; a pipe also works on macOS.)
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path


class PortInUseError(Exception):
    def __init__(self, port: int, purpose: str):
        super().__init__(f"Port {port} ({purpose}) is in use: stop what listens there, or choose another port")


def listen(port: int, purpose: str) -> socket.socket:
    """A listening socket on 127.0.0.1. Raises PortInUseError.

    The supervisor keeps it and children inherit it, so requests wait in its backlog while a child restarts.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise PortInUseError(port, purpose) from error
    listener.listen(1024)
    return listener


def require_free(port: int, purpose: str) -> None:
    listen(port, purpose).close()


def stop_at_eof(lifeline: int | None) -> None:
    """Send this process SIGTERM when the pipe closes; None: nobody holds one, run until told otherwise."""
    if lifeline is None:
        return

    def wait() -> None:
        while os.read(lifeline, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


@dataclass
class Child:
    """One child process: its command, its log, and how it is started and stopped."""

    name: str
    command: list[str]
    env: dict[str, str]
    cwd: Path
    log: Path
    inherited: tuple[int, ...] = ()
    patience: float = 5.0  # seconds between SIGTERM and SIGKILL
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    _lifeline: int | None = field(default=None, repr=False)
    # Whoever tends the children and whoever stops one may be different threads.
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def start(self) -> None:
        with self._lock:
            self._start()

    def _start(self) -> None:
        reading, self._lifeline = os.pipe()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "--lifeline", str(reading)],
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(reading, *self.inherited),
                # Ctrl-C is for the supervisor, which stops the children in order.
                start_new_session=True,
            )
        os.close(reading)
        self.started_at = time.monotonic()

    @property
    def alive(self) -> bool:
        process = self.process
        return process is not None and process.poll() is None

    @property
    def age(self) -> float:
        return time.monotonic() - self.started_at

    def stop(self) -> None:
        """SIGTERM, then SIGKILL when it does not end in time."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def restart(self) -> None:
        with self._lock:
            self._stop()
            self._start()

    def last_words(self) -> str:
        """The last line it wrote, which names its trouble."""
        lines = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        return next((line for line in reversed(lines) if line.strip()), "no output")


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
