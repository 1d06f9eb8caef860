"""Upload a file of posts for a model to learn from: python -m tools.send_posts FILE [--url URL --key KEY]

A CSV file (its name ends in .csv) or JSON lines, see docs/your-own-model.md. Prints the id of the data set.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.connection import connect
from tools.transport import ApiError


def main(arguments: Sequence[str] | None = None) -> int:
    """Upload what the command line names. The exit code."""
    options = parse(arguments)
    try:
        with connect(options.url, options.key, keep=True) as connection:
            print(connection.client.dataset(options.file))
    except ApiError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.send_posts", description="Upload a file of posts.")
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV or JSON lines")
    address(parser)
    return parser.parse_args(arguments)


def address(parser: argparse.ArgumentParser) -> None:
    """Let the command line say which API, and as whom; see `tools.connection`."""
    url, key = (os.environ.get(name) or None for name in ("PROOFSHEET_URL", "PROOFSHEET_API_KEY"))
    parser.add_argument("--url", default=url, help="the API; else $PROOFSHEET_URL, else the local cloud")
    parser.add_argument("--key", default=key, help="API key or token; else $PROOFSHEET_API_KEY, else the demo user's")


if __name__ == "__main__":
    sys.exit(main())
