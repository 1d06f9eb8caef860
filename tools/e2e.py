"""The whole system as AWS would run it, in the emulator: python -m tools.e2e [PYTEST ARGUMENT ...]

Packages a stage, deploys this very template and bundle into a fresh emulator, runs the black-box suite against the
deployed API, destroys the stage and looks for what is left over. The last line is one JSON object:
{"deploy_s", "destroy_s", "passed", "failed", "left_over"}.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from localcloud import stack
from localcloud.deployed import emulator
from tools import leftovers, stages
from tools.deploy import deploy
from tools.destroy import destroy
from tools.stages import ROOT, Stage, StageError, say

NAME = "e2e"
# An address as AWS's have it; the emulator does not look at the image, see localcloud/sagemaker.py.
SAGEMAKER_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/scikit-learn:local"
SUITES = ("tests/http", "tests/deployed", "tests/browser/dashboard")
# What the package is made from: a newer one of these asks for a new package.
SOURCES = ("app.py", "chalicelib/**/*", "infra/*", ".chalice/**/*.json", "requirements.txt", "tools/*.py")


def main(arguments: Sequence[str] | None = None) -> int:
    suites = [*(sys.argv[1:] if arguments is None else arguments)] or [*SUITES]
    result: dict[str, float] = {}

    def command() -> None:
        _package()
        with emulator(ROOT / "build" / NAME / "emulator") as endpoint:
            result.update(_round(Stage(NAME, endpoint), suites))

    code = stages.run(command)
    if result:
        print(json.dumps(result))
    return code or int(not result or bool(result["failed"] or result["left_over"] or not result["passed"]))


def _package() -> None:
    folder = ROOT / "build" / NAME
    made = [folder / "bundle.zip", folder / "template.json"]
    newest = max(path.stat().st_mtime for glob in SOURCES for path in ROOT.glob(glob) if path.suffix != ".pyc")
    if all(path.exists() and path.stat().st_mtime > newest for path in made):
        say("The package is up to date")
        return
    packaged = subprocess.run([sys.executable, "-m", "tools.package", "--stage", NAME], cwd=ROOT, check=False)
    if packaged.returncode:
        raise StageError("There is nothing to deploy: packaging failed.")


def _round(stage: Stage, suites: list[str]) -> dict[str, float]:
    started = time.monotonic()
    deploy(stage, {**_devices(stage), "SageMakerImage": SAGEMAKER_IMAGE})
    deployed = time.monotonic()
    passed, failed = _suite(stage, suites)
    tested = time.monotonic()
    destroy(stage, confirmed=True)
    destroyed = time.monotonic()
    # Nothing else is in this emulator, so whatever there is has been left over.
    left = leftovers.everything(stage)
    for thing in left:
        say(f"  left over: {thing}")
    return {
        "deploy_s": round(deployed - started, 1),
        "destroy_s": round(destroyed - tested, 1),
        "passed": passed,
        "failed": failed,
        "left_over": len(left),
    }


def _devices(stage: Stage) -> dict[str, str]:
    """SNS's platform applications as parameters of the template: on AWS, too, they are there before the stage is."""
    made = stack.platform_applications(stage.endpoint or "", stage=stage.name)
    return {
        "ApnsApplication": made["PROOFSHEET_APNS_APPLICATION"],
        "ApnsSandboxApplication": made["PROOFSHEET_APNS_SANDBOX_APPLICATION"],
        "FcmApplication": made["PROOFSHEET_FCM_APPLICATION"],
    }


def _suite(stage: Stage, suites: list[str]) -> tuple[int, int]:
    """Numbers of tests that passed and that did not; a suite that cannot run has failed once."""
    report = stage.folder / "tests.xml"
    report.unlink(missing_ok=True)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *suites],
        cwd=ROOT,
        env={**os.environ, "PROOFSHEET_E2E": str(stage.outputs_file)},
        check=False,
    )
    return _counts(report) if report.exists() else (0, 1)


def _counts(report: Path) -> tuple[int, int]:
    suite = ElementTree.parse(report).getroot().find("testsuite")  # noqa: S314 - pytest wrote it
    if suite is None:
        return 0, 1
    total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    return total - skipped - failed, failed


if __name__ == "__main__":
    sys.exit(main())
