"""Fire the event handlers of the Chalice app in the current folder: python -m localcloud.dispatcher

The process imports the app and wires its sources, then forks workers that compete on the same queues, each with one
thread per source, and that share the Invoke endpoint. A worker that dies is forked again; what it held returns to its
queue after the visibility timeout.
"""

from __future__ import annotations

import argparse
import importlib
import os
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from localcloud import clients, processes
from localcloud.functions import Functions, InvokeServer
from localcloud.polling import Poller, drain
from localcloud.wiring import Source, Wiring

# All is to be over in two seconds, so a call under way gets somewhat less.
STOP_SECONDS = 1.3
ENDINGS = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--invoke-port", type=int, default=4567, help="port of the Invoke endpoint")
    parser.add_argument("--invoke-fd", type=int, help="inherited listening socket, instead of a port")
    parser.add_argument("--visibility", type=int, default=90, help="seconds after which a lost event is tried again")
    parser.add_argument("--pids", type=Path, help="file that names the workers' process ids, one a line")
    parser.add_argument("--lifeline", type=int, help="inherited pipe; stop when it closes")
    arguments = parser.parse_args()
    listener = (
        processes.listen(arguments.invoke_port, "Invoke endpoint")
        if arguments.invoke_fd is None
        else socket.socket(fileno=arguments.invoke_fd)
    )
    sys.path.insert(0, os.getcwd())
    app = importlib.import_module("app").app
    wiring = Wiring(os.environ["AWS_ENDPOINT_URL"], os.environ["PROOFSHEET_STAGE"], arguments.visibility)
    sources = wiring.connect(app)
    Dispatcher(Functions(app, wiring), sources, listener, arguments.pids).run(arguments.workers, arguments.lifeline)
    # Nothing is left to do, and taking an interpreter apart takes a while.
    os._exit(0)


class Dispatcher:
    """The parent of the workers. It has no threads of its own, so that forking is safe."""

    def __init__(self, functions: Functions, sources: list[Source], listener: socket.socket, pids: Path | None):
        self.functions = functions
        self.sources = sources
        self.listener = listener
        self.pids = pids
        self.workers: set[int] = set()
        self.stopping = False
        # Workers hold the read end and see the parent's death in it.
        self.lifeline, self._held = os.pipe()
        # A signal writes here, so that it ends a pause.
        self._woken, self._wake = socket.socketpair()

    def run(self, count: int, lifeline: int | None) -> None:
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in ENDINGS:
            signal.signal(number, self._stop)
        while not self.stopping:
            for _ in range(count - len(self.workers)):
                self._fork()
            self._pause(lifeline)
            self._reap()
        self._end_workers()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _pause(self, lifeline: int | None) -> None:
        """Wait a moment, or until a signal; the supervisor's death ends the dispatcher."""
        waiting = [self._woken.fileno()] + ([] if lifeline is None else [lifeline])
        readable, _, _ = select.select(waiting, [], [], 0.2)
        if lifeline is not None and lifeline in readable and not os.read(lifeline, 1):
            self.stopping = True

    def _fork(self) -> None:
        # Blocked, so that a worker told to stop before it is ready hears it once it listens.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
        worker = os.fork()
        if worker == 0:
            os.close(self._held)
            _work(self.functions, self.sources, self.listener, self.lifeline)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
        self.workers.add(worker)
        if self.pids:
            self.pids.write_text("".join(f"{pid}\n" for pid in sorted(self.workers)))

    def _reap(self) -> None:
        for worker in list(self.workers):
            ended, status = os.waitpid(worker, os.WNOHANG)
            if ended:
                self.workers.discard(worker)
                if not self.stopping:
                    print(f"worker {worker} died ({os.waitstatus_to_exitcode(status)}): starting another", flush=True)

    def _end_workers(self) -> None:
        for worker in self.workers:
            os.kill(worker, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS + 1
        while self.workers and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.02)
        for worker in self.workers:
            os.kill(worker, signal.SIGKILL)


def _work(functions: Functions, sources: list[Source], listener: socket.socket, lifeline: int) -> None:
    """The life of a worker; it never returns."""
    signal.set_wakeup_fd(-1)
    # Connections of the parent must not be shared.
    clients.client.cache_clear()
    stop = threading.Event()
    processes.stop_at_eof(lifeline)
    server = InvokeServer(listener, functions)
    threading.Thread(target=server.serve_forever, name="invoke", daemon=True).start()
    pollers = [Poller(source, functions, stop) for source in sources]
    threads = [poller.start() for poller in pollers]
    signal.sigwait(ENDINGS)
    stop.set()
    drain(pollers, threads, STOP_SECONDS)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
