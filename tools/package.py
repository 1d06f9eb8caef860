"""Package a stage for Lambda: `python -m tools.package --stage dev` makes build/dev/template.json and bundle.zip.

`tools.deploy` uploads the bundle and gives its place as the template's parameters BundleBucket and BundleKey.
The last line of output is one JSON object: MiB unzipped, MiB zipped, and MiB by library.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools import archive, budget, byte_code, sam_template, smoke
from tools.libraries import libraries

ROOT = Path(__file__).parents[1]
STAGE = re.compile(r"[a-z][a-z0-9-]{0,19}")


def main() -> None:
    arguments = parsed()
    out = arguments.out or ROOT / "build" / arguments.stage
    out.mkdir(parents=True, exist_ok=True)
    try:
        template = sam_template.generate(arguments.stage)
    except LookupError as error:
        sys.exit(str(error))
    sam_template.write(template, out / "template.json")
    write_bundle(out / "bundle.zip")
    answer = measure(out / "bundle.zip", accept=arguments.accept)
    smoke.run(out / "bundle.zip", sam_template.handlers(template))
    print(json.dumps(answer))


def measure(bundle: Path, *, accept: bool) -> dict[str, Any]:
    """Print what each library takes; exit when that is too much."""
    found = budget.sizes(bundle)
    print(budget.table(found))
    if accept:
        budget.record(found)
    if excess := budget.excess(found, budget.recorded()):
        sys.exit(excess)
    return {
        "unzipped_mib": round(sum(found.values()), 1),
        "zip_mib": round(bundle.stat().st_size / 2**20, 1),
        "by_library": {name: round(mib, 2) for name, mib in found.items()},
    }


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make a stage's template and bundle.")
    parser.add_argument("--stage", required=True, type=stage_name)
    parser.add_argument("--out", type=Path, help="instead of build/STAGE")
    parser.add_argument("--accept", action="store_true", help="record the sizes as the new budget")
    return parser.parse_args()


def stage_name(text: str) -> str:
    if not STAGE.fullmatch(text):
        raise argparse.ArgumentTypeError("a stage is named by up to 20 lower-case letters, digits and hyphens")
    return text


def write_bundle(target: Path) -> None:
    """Third-party packages first, then ours, in one zip, which takes the place of the last one when it is whole."""
    unfinished = target.with_suffix(".unfinished")
    shutil.copyfile(libraries(ROOT / "requirements.txt", ROOT / "build"), unfinished)
    archive.extend(unfinished, own_files(ROOT))
    unfinished.rename(target)


def own_files(project: Path) -> Iterator[tuple[str, bytes]]:
    """app.py and chalicelib/ with their byte code."""
    for path in [project / "app.py", *archive.files(project / "chalicelib")]:
        name = path.relative_to(project).as_posix()
        if "__pycache__" in path.parts:
            continue
        content = path.read_bytes()
        yield name, content
        if path.suffix == ".py":
            yield byte_code.cached_path(name), byte_code.cached(content, name)


if __name__ == "__main__":
    main()
