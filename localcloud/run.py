"""The whole platform on this machine: python -m localcloud.run [--once COMMAND ...]

Starts the emulator, creates the stack in it, serves the API and fires event handlers; restarts what dies, reloads what
changes, and stops everything in order at Ctrl-C. With --once, runs a command in the ready cloud and exits with its
code.

    with cloud(state, Ports.free()) as local:
        requests.get(local.base_url + "/health")
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud import emulator, processes, stack
from localcloud.processes import Child, PortInUseError, python
from localcloud.stack import StaleStateError

ROOT = Path(__file__).parent.parent
WORKERS = 2


class StartError(Exception):
    """The cloud cannot start; the message is for a person, in one line."""


@dataclass(frozen=True)
class Ports:
    api: int = 8000
    emulator: int = 4566
    invoke: int = 4567

    @classmethod
    def free(cls) -> Ports:
        """Ports nobody uses now."""
        with contextlib.ExitStack() as held:
            sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
            return cls(*(one.getsockname()[1] for one in sockets))


class Cloud:
    """A running local cloud.

    base_url: of the API, without a slash at the end
    site_url: of the site bucket's website, without a slash at the end
    env: what a process needs to use the stage, PROOFSHEET_URL included
    """

    def __init__(self, state: Path, ports: Ports, project: Path = ROOT, visibility_seconds: int = 90):
        self.state = state.resolve()
        self.ports = ports
        self.project = project.resolve()
        self.visibility_seconds = visibility_seconds
        self.base_url = f"http://127.0.0.1:{ports.api}"
        self.endpoint = f"http://127.0.0.1:{ports.emulator}"
        self.invoke_url = f"http://127.0.0.1:{ports.invoke}"
        self.env: dict[str, str] = {}
        self.emulator: Child | None = None
        self.app: list[Child] = []
        self.failure: str | None = None
        self._listeners: list[socket.socket] = []

    @property
    def site_url(self) -> str:
        return self.env["PROOFSHEET_SITE_URL"]

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def worker_pids(self) -> list[int]:
        """The process ids of the dispatcher's workers."""
        return [int(line) for line in (self.state / "workers").read_text().split()]

    # Start

    def start(self) -> None:
        """Bring everything up and wait until it answers. Raises StartError, PortInUseError, StaleStateError."""
        self.logs.mkdir(parents=True, exist_ok=True)
        processes.require_free(self.ports.emulator, "emulator")
        self._listeners = [
            processes.listen(self.ports.api, "API"),
            processes.listen(self.ports.invoke, "Invoke endpoint"),
        ]
        self._start_emulator()
        outputs = stack.deploy(
            self.endpoint, visibility_seconds=self.visibility_seconds, api_host=f"127.0.0.1:{self.ports.api}"
        )
        stack.forward_sign_ups(self.endpoint, self.invoke_url)
        self.env = stack.environment(self.endpoint, outputs, invoke_url=self.invoke_url)
        self.env["PROOFSHEET_URL"] = self.base_url
        self._start_app()
        stack.write_environment(self.state / "env.json", self.base_url, self.env)

    def _start_emulator(self) -> None:
        command = python(
            "localcloud.emulator", "--port", str(self.ports.emulator), "--state", str(self.state / "emulator")
        )
        self.emulator = self._child("emulator", command, child_environment({}), patience=15.0)
        self.emulator.start()
        self._await(self.emulator, self.endpoint + emulator.HEALTH, patience=30.0)

    def _start_app(self) -> None:
        self.app = [self._api(), self._dispatcher()]
        for child in self.app:
            child.start()
        for child, url in zip(self.app, (self.base_url + "/health", self.invoke_url), strict=True):
            self._await(child, url, patience=30.0)

    def _api(self) -> Child:
        listener = self._listeners[0].fileno()
        command = python("localcloud.api", "--port", str(self.ports.api), "--fd", str(listener))
        return self._child("api", command, child_environment(self.env), (listener,))

    def _dispatcher(self) -> Child:
        listener = self._listeners[1].fileno()
        command = python(
            *("localcloud.dispatcher", "--workers", str(WORKERS), "--invoke-fd", str(listener)),
            *("--visibility", str(self.visibility_seconds), "--pids", str(self.state / "workers")),
        )
        # One thread for arithmetic in each worker, as a Lambda function of this size has one processor.
        single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        return self._child("dispatcher", command, child_environment({**self.env, **single}), (listener,))

    def _child(
        self,
        name: str,
        command: list[str],
        env: dict[str, str],
        inherited: tuple[int, ...] = (),
        patience: float = 5.0,
    ) -> Child:
        log = self.logs / f"{name}.log"
        log.write_bytes(b"")
        return Child(name, command, env, self.project, log, inherited, patience)

    def _await(self, child: Child, url: str, patience: float) -> None:
        deadline = time.monotonic() + patience
        while not _answers(url):
            if not child.alive:
                raise StartError(f"The {child.name} ended at once ({child.last_words()}); see {child.log}")
            if time.monotonic() > deadline:
                raise StartError(f"The {child.name} does not answer at {url}; see {child.log}")
            time.sleep(0.05)

    # While it runs

    def tend(self) -> str | None:
        """Restart what has died, at most once a second. A sentence for the person who watches, or None."""
        if self.emulator is not None and not self.emulator.alive:
            raise StartError(f"The emulator died ({self.emulator.last_words()}); see {self.emulator.log}")
        for child in self.app:
            if not child.alive and child.age > 1:
                words = child.last_words()
                child.restart()
                return f"The {child.name} ended ({words}) and was started again; see {child.log}"
        return None

    def reload(self) -> None:
        """Run the code as it is now. Requests wait; events stay in their queues."""
        self._stop_app()
        for child in self.app:
            child.start()

    # Stop

    def stop(self) -> None:
        """The app first, then what it talks to; the emulator writes its state."""
        self._stop_app()
        if self.emulator is not None:
            self.emulator.stop()
        for listener in self._listeners:
            listener.close()
        if self.env:  # or another cloud holds this state, and the notes are its own
            for note in ("env.json", "workers"):
                (self.state / note).unlink(missing_ok=True)

    def _stop_app(self) -> None:
        stopping = [threading.Thread(target=child.stop) for child in self.app]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()


@contextlib.contextmanager
def cloud(
    state: Path,
    ports: Ports | None = None,
    project: Path = ROOT,
    *,
    visibility_seconds: int = 90,
    watch: Callable[[str], None] | None = None,
) -> Iterator[Cloud]:
    """A local cloud for the length of a with block; what dies in it is restarted.

    ports: free ones unless given. project: the folder with app.py. visibility_seconds: of every queue; short, so that
    tests see redelivery soon. watch: reload changed code, and tell what happens.
    """
    local = Cloud(state, ports or Ports.free(), project, visibility_seconds)
    ended = threading.Event()
    tending = threading.Thread(target=_tend, args=(local, ended, watch), name="tend", daemon=True)
    try:
        local.start()
        tending.start()
        yield local
    finally:
        ended.set()
        if tending.ident is not None:
            tending.join()
        local.stop()


def _tend(local: Cloud, ended: threading.Event, watch: Callable[[str], None] | None) -> None:
    tell = watch or (lambda sentence: None)
    files = WatchedFiles(local.project)
    told = None
    while not ended.wait(0.3):
        if watch and files.changed():
            tell("The code changed: reloading")
            local.reload()
        try:
            sentence = local.tend()
        except StartError as error:
            local.failure = str(error)
            return
        if sentence and sentence != told:
            tell(sentence)
            told = sentence


def child_environment(additions: dict[str, str]) -> dict[str, str]:
    """This process's environment without a developer's own AWS settings, and with this repository importable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PROOFSHEET_STAGE"))}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **additions}


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - an address of our own
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


class WatchedFiles:
    """The files whose change asks for a reload."""

    GLOBS = ("app.py", "chalicelib/**/*.py", ".chalice/*.json")

    def __init__(self, project: Path):
        self.project = project
        self.seen = self._stamps()

    def changed(self) -> bool:
        before, self.seen = self.seen, self._stamps()
        return before != self.seen

    def _stamps(self) -> dict[Path, int]:
        files = [
            self.project / "app.py",
            *self.project.glob("chalicelib/**/*.py"),
            *self.project.glob(".chalice/*.json"),
        ]
        return {file: file.stat().st_mtime_ns for file in files if file.exists()}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=Ports.api, help="of the API (8000)")
    parser.add_argument("--emulator-port", type=int, default=Ports.emulator, help="of the emulator (4566)")
    parser.add_argument("--invoke-port", type=int, default=Ports.invoke, help="of the Invoke endpoint (4567)")
    parser.add_argument("--state", type=Path, default=ROOT / ".local", help="folder that keeps data between runs")
    parser.add_argument("--project", type=Path, default=ROOT, help="folder with app.py")
    parser.add_argument("--demo", action="store_true", help="rank the sample photos first")
    parser.add_argument("--once", nargs=argparse.REMAINDER, metavar="COMMAND", help="run a command, then stop")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ports = Ports(options.port, options.emulator_port, options.invoke_port)
    try:
        if options.once:
            with cloud(options.state, ports, options.project) as local:
                return _run_once(options.once, local)
        with cloud(options.state, ports, options.project, watch=_say) as local:
            return _serve(local, demo=options.demo)
    except (StartError, PortInUseError, StaleStateError) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"The local cloud cannot use {options.state}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _run_once(command: list[str], local: Cloud) -> int:
    try:
        return subprocess.run(command, env=child_environment(local.env), check=False).returncode
    except FileNotFoundError:
        print(f"There is no command {command[0]}", file=sys.stderr)
        return 127


def _serve(local: Cloud, *, demo: bool) -> int:
    """Until Ctrl-C, SIGTERM or the emulator's death."""
    try:
        if demo:
            _demonstrate(local)
        _say(f"Proofsheet is at {local.base_url}, its logs in {local.logs}. Ctrl-C stops it.")
        while local.failure is None:
            time.sleep(0.3)
    except KeyboardInterrupt:
        _say("Stopping")
        # A second Ctrl-C must not cut short the writing of the state.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return 0
    print(local.failure, file=sys.stderr)
    return 1


def _demonstrate(local: Cloud) -> None:
    from tools import demo
    from tools.transport import ApiError

    try:
        demo.main(local.base_url, local.env)
    except ApiError as error:
        print(f"The demo ended early: {error}", file=sys.stderr)


def _say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
