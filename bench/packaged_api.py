"""How long a cold start of the API imports, from the packaged tree: CPU milliseconds of fresh interpreters on one core.

The interpreter sees nothing but an unpacked `build/<stage>/bundle.zip`. It imports `app` and makes the clients of the
API's first request, boto3 included.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.smoke import ALONE, unpack

REPETITIONS = 9
FIRST_REQUEST = """
import os, sys, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
sys.path.insert(0, sys.argv[1])
start = time.process_time()
import app
from chalicelib import aws
aws.s3(), aws.dynamodb(), aws.sqs(), aws.events()
print((time.process_time() - start) * 1000)
"""


def newest_bundle() -> Path | None:
    """The bundle that was packaged last, if there is one."""
    return max(Path("build").glob("*/bundle.zip"), key=lambda path: path.stat().st_mtime, default=None)


def milliseconds(bundle: Path) -> float:
    """Median of fresh interpreters; the first, which fills the disk cache, does not count."""
    with tempfile.TemporaryDirectory() as folder:
        unpack(bundle, Path(folder))
        times = [first_request(Path(folder)) for _ in range(REPETITIONS + 1)]
    return statistics.median(times[1:])


def first_request(tree: Path) -> float:
    command = [sys.executable, *ALONE, "-c", FIRST_REQUEST, str(tree)]
    environment = {"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1"}
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
