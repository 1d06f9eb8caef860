"""How the emulator runs the functions of a deployed stage: as Lambda would, from the bundle alone.

| shim           | without it                                                              | upstream                 |
|----------------|-------------------------------------------------------------------------|--------------------------|
| isolation      | functions run with the emulator's site-packages, so a library that the  | by design                |
|                | bundle lacks is not missed                                              |                          |
| shared_trees   | every process unpacks the bundle for itself: 250 MB and seconds each    | no issue found (2026-11) |
| small_pools    | each event gets a process of its own, 150 MB with numpy, and two cores  | as on AWS, which has     |
|                | start thirty of them at once                                            | more cores               |
| quick_stderr   | every quiet invocation waits 50 ms for a log line that does not come    | no issue found (2026-11) |
| whole_notices  | a notice of SNS lacks Subject and MessageAttributes, which Chalice      | no issue found (2026-11) |
|                | reads of every one                                                      |                          |

Each has a contract test in tests/localcloud/test_deployed_shims.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

PROCESSES_PER_FUNCTION = 2
# -I: no PYTHON* variables, no user site, no script folder; -S: no site-packages. What is left is the standard library.
ISOLATED = ("-I", "-S", "-B")
# Like the environment that Lambda gives: nothing of the machine but where its programs are.
INHERITED = ("PATH", "HOME", "LANG", "TZ")
EMULATORS_OWN = ("AWS_ENDPOINT_URL", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


def install(folder: Path) -> None:
    """folder: keeps the interpreter's stand-in and the unpacked bundles while the emulator runs."""
    folder.mkdir(parents=True, exist_ok=True)
    isolation(folder)
    shared_trees(folder / "trees")
    small_pools()
    quick_stderr()
    whole_notices()


def isolation(folder: Path) -> None:
    from ministack.core import lambda_runtime

    detect = lambda_runtime._detect_runtime_binary  # noqa: SLF001
    interpreter = folder / "python"
    interpreter.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, *ISOLATED])} "$@"\n')
    interpreter.chmod(0o700)

    def detected(runtime: str) -> tuple[str, str]:
        binary, script = detect(runtime)
        return (str(interpreter), script) if runtime.startswith("python") else (binary, script)

    lambda_runtime._detect_runtime_binary = detected  # noqa: SLF001


def environment() -> dict[str, str]:
    """What the emulator is to be started with, since its functions inherit it."""
    return {name: os.environ[name] for name in (*INHERITED, *EMULATORS_OWN) if name in os.environ}


def shared_trees(root: Path) -> None:
    """Unpack a bundle once; each process gets a link to the tree, which Lambda keeps read-only too."""
    from ministack.core import lambda_runtime

    root.mkdir(exist_ok=True)
    unpacking = threading.Lock()

    class SharedZip(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            tree = root / _fingerprint(self)
            with unpacking:
                if not tree.exists():
                    partial = tree.with_suffix(".partial")
                    super().extractall(partial, members, pwd)
                    partial.rename(tree)
            target = Path(path)
            target.rmdir()
            target.symlink_to(tree)
            # The emulator's copy of the zip beside it is not read again.
            Path(str(self.filename)).unlink()

    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": SharedZip})


def _fingerprint(archive: zipfile.ZipFile) -> str:
    contents = repr([(item.filename, item.CRC, item.file_size) for item in archive.infolist()])
    return hashlib.sha256(contents.encode()).hexdigest()[:32]


def whole_notices() -> None:
    from ministack.services import sns

    deliver = sns._deliver_to_lambda  # noqa: SLF001

    def delivered(function: str, notice: str, *rest: Any) -> None:
        deliver(function, json.dumps({"Subject": None, "MessageAttributes": {}, **json.loads(notice)}), *rest)

    sns._deliver_to_lambda = delivered  # noqa: SLF001


def small_pools() -> None:
    """An invocation waits for a free process, as it waits on AWS for a reserved concurrency; none is refused."""
    from ministack.services import lambda_svc

    acquire = lambda_svc.acquire_worker

    def acquired(name: str, config: dict[str, Any], code: bytes, **options: Any) -> Any:
        options["max_concurrency"] = PROCESSES_PER_FUNCTION
        while True:
            worker, how = acquire(name, config, code, **options)
            if worker is not None:
                return worker, how
            time.sleep(0.01)

    lambda_svc.acquire_worker = acquired
    # A batch that waited here would use up its visibility timeout. (A MaximumConcurrency that comes from a parameter of
    # the template is a text, which stops all polling.)
    lambda_svc._sqs_esm_concurrency = lambda *_: PROCESSES_PER_FUNCTION  # noqa: SLF001


def quick_stderr(seconds: float = 0.003) -> None:
    from ministack.core import lambda_runtime

    drain = lambda_runtime.Worker._drain_stderr_bounded  # noqa: SLF001

    def drained(worker: Any, first_line_wait: float = seconds, **options: float) -> str:
        return str(drain(worker, first_line_wait, **options))

    lambda_runtime.Worker._drain_stderr_bounded = drained  # noqa: SLF001
