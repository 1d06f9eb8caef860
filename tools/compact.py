"""Compact tracked events by hand: python -m tools.compact --stage x [--account ID] [--day D] [--endpoint URL]

What the function `Compact` does each night: raw events that are new go into the files of their days, each once, and the
days that changed are counted anew. With --day, the events that arrived on that day are merged again whatever the notes
say, which changes nothing unless something was missing. Safe at any time, also beside the function. The last line is
one JSON object: accounts, parts of the archive merged, events entered and unreadable, days counted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import date

import msgspec

from tools import stages
from tools.stages import Stage, StageError


def main(arguments: Sequence[str] | None = None) -> int:
    parser = stages.parser(__doc__)
    parser.add_argument("--account", help="one account's events alone")
    parser.add_argument("--day", help="the day of arrival, such as 2026-11-22, UTC")
    options = parser.parse_args(arguments)
    return stages.run(lambda: compact(options))


def compact(options: argparse.Namespace) -> None:
    stage = Stage(options.stage, options.endpoint, options.build)
    day = day_of_arrival(options.day)
    # Before anything reads the settings: the code is the function's, and so is the way it learns where things are.
    os.environ.update(environment(stage))
    from chalicelib.tracking import compaction

    try:
        report = compaction.run(time.time(), options.account, day)
    except compaction.Conflict as error:
        raise StageError(f"{error}: run this again.") from error
    print(msgspec.json.encode(report).decode())


def day_of_arrival(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise StageError(f"--day takes a date such as 2026-11-22, not {text!r}.") from error


def environment(stage: Stage) -> dict[str, str]:
    there = {
        "PROOFSHEET_STAGE": stage.name,
        "PROOFSHEET_EVENTS_BUCKET": stage.events_bucket,
        "AWS_DEFAULT_REGION": stage.region,
    }
    if stage.endpoint is None:
        return there
    key = stages.EMULATOR_KEY
    return {**there, "AWS_ENDPOINT_URL": stage.endpoint, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key}


if __name__ == "__main__":
    sys.exit(main())
