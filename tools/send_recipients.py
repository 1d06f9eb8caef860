"""Import a CSV file of recipients: python -m tools.send_recipients FILE [--url URL --key KEY]

See docs/push.md for its columns. Prints how many rows were stored, and each row that was not with the reason. The exit
code is 1 where not even one row was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import requests

from chalicelib import contract
from tools.connection import connect
from tools.progress import progress
from tools.send_posts import address
from tools.transport import ApiError


def main(arguments: Sequence[str] | None = None) -> int:
    """Import what the command line names. The exit code."""
    options = parse(arguments)
    try:
        with connect(options.url, options.key, keep=True) as connection, progress("Reading") as watch:
            found = connection.client.import_recipients(options.file, watch)
        report(found)
    except (ApiError, requests.RequestException) as error:
        print(error, file=sys.stderr)
        return 1
    return 0 if found.stored else 1


def report(found: contract.ImportView) -> None:
    if found.state == "failed":
        raise ApiError(f"The file was not read to its end: {found.reason}")
    print(f"{found.stored} of {found.rows} rows are stored")
    if found.problems_url:
        answer = requests.get(found.problems_url, timeout=60)
        answer.raise_for_status()
        print(answer.text, end="")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.send_recipients", description="Import a file of recipients.")
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV")
    address(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
