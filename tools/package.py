"""Package a stage for Lambda: `python -m tools.package --stage dev` makes build/dev/template.json and bundle.zip.

`tools.deploy` uploads the bundle and gives its place as the template's parameters BundleBucket and BundleKey.
The last line of output is one JSON object: MiB unzipped, MiB zipped, and MiB by library.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tools import archive, byte_code, sam_template
from tools.libraries import libraries

ROOT = Path(__file__).parents[1]
STAGE = re.compile(r"[a-z][a-z0-9-]{0,19}")


def main() -> None:
    arguments = parsed()
    out = arguments.out or ROOT / "build" / arguments.stage
    out.mkdir(parents=True, exist_ok=True)
    template = sam_template.generate(arguments.stage)
    sam_template.write(template, out / "template.json")
    bundle = out / "bundle.zip"
    write_bundle(bundle)
    with zipfile.ZipFile(bundle) as z:
        un = sum(i.file_size for i in z.infolist())
    print(json.dumps({"unzipped_mib": round(un / 2**20, 1), "zip_mib": round(bundle.stat().st_size / 2**20, 1)}))


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
    """Third-party packages first, then ours, in one zip."""
    shutil.copyfile(libraries(ROOT / "requirements.txt", ROOT / "build"), target)
    archive.extend(target, own_files(ROOT))


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
