"""Gather the last line of each benchmark into build/bench.json."""

import json
import sys
from pathlib import Path

BUILD = Path("build")


def main() -> None:
    results = {name: json.loads((BUILD / f"bench-{name}.txt").read_text().splitlines()[-1]) for name in sys.argv[1:]}
    (BUILD / "bench.json").write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
