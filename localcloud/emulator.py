"""ministack, the emulator of AWS, as a process of its own: python -m localcloud.emulator --port 4566 --state DIR

Bound to 127.0.0.1. What it holds is kept in DIR between runs; it is written when the process is asked to stop
(SIGTERM, SIGINT, or the death of its parent), while SIGKILL loses the tables' writes since the last clean stop.

With --deployed it runs a whole stage, gateway and functions included, and keeps nothing.
"""

import argparse
import asyncio
import fcntl
import os
import sys
from pathlib import Path
from typing import IO

from localcloud import processes

HEALTH = "/_ministack/health"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps the emulator's data")
    parser.add_argument("--deployed", action="store_true", help="run deployed functions, keep nothing")
    parser.add_argument("--lifeline", type=int, help="inherited pipe; stop when it closes")
    arguments = parser.parse_args()
    processes.stop_at_eof(arguments.lifeline)
    state = arguments.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    lock = lock_state(state)
    os.environ.update(environment(arguments.port, state, kept=not arguments.deployed))
    serve(arguments.port, state, deployed=arguments.deployed)
    lock.close()


def environment(port: int, state: Path, *, kept: bool = True) -> dict[str, str]:
    """ministack's settings; it reads them when it is imported."""
    return {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        # Where its QueueUrls and bucket addresses point: "localhost" costs a look-up and may mean ::1.
        "MINISTACK_HOST": "127.0.0.1",
        # With cryptography installed it would open an MQTT port on every interface.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": str(int(kept)),
        "STATE_DIR": str(state / "services"),
        "S3_PERSIST": str(int(kept)),
        "S3_DATA_DIR": str(state / "s3"),
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
    }


def lock_state(state: Path) -> IO[str]:
    """Two emulators on one state would overwrite each other; the lock ends with the process, however it ends."""
    lock = (state / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"{state} is in use by another emulator: stop it first")
    return lock


def serve(port: int, state: Path, *, deployed: bool = False) -> None:
    """deployed: run deployed functions, in processes that have a folder below `state`, and keep nothing."""
    from hypercorn.asyncio import serve as hypercorn
    from hypercorn.config import Config
    from ministack.app import app

    from localcloud import lambda_processes, rest_apis, shims
    from localcloud.longpolls import LongPolls
    from localcloud.sagemaker import SageMaker
    from localcloud.website import Website

    shims.install()
    if deployed:
        rest_apis.install()
        lambda_processes.install(state / "functions")
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.backlog = 512
    config.keep_alive_timeout = 75
    # Long polls may still be open when it is told to stop.
    config.graceful_timeout = 0.5
    config.loglevel = os.environ["LOG_LEVEL"]
    # hypercorn stops at SIGTERM and SIGINT, and tells ministack, which then writes its state.
    whole = SageMaker(Website(LongPolls(app)), None if deployed else state / "sagemaker.json")
    asyncio.run(hypercorn(whole, config))


if __name__ == "__main__":
    main()
