"""Package a stage for Lambda: `python -m tools.package --stage dev` makes build/dev/template.json and bundle.zip.

`tools.deploy` uploads the bundle and gives its place as the template's parameters BundleBucket and BundleKey.
The last line of output is one JSON object: MiB unzipped, MiB zipped, and MiB by library.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools import archive, budget, byte_code, sam_template, smoke, stages
from tools.libraries import libraries
from tools.stages import StageError, one_line

ROOT = Path(__file__).parents[1]


def main() -> int:
    arguments = parsed()
    return stages.run(lambda: package(arguments.stage, arguments.out, accept=arguments.accept))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stage", required=True, help="its name, for example dev")
    parser.add_argument("--out", type=Path, help="instead of build/STAGE")
    parser.add_argument("--accept", action="store_true", help="record the sizes as the new budget")
    return parser.parse_args()


def package(name: str, out: Path | None, *, accept: bool) -> None:
    """Make, measure and try out the package of a stage. Raises StageError; exits when the bundle is too large or fails.

    A package that fails is not left where `tools.deploy` would find it.
    """
    require_linux()
    folder = out or stages.Stage(name).folder
    folder.mkdir(parents=True, exist_ok=True)
    template, bundle = template_of(name), folder / "bundle.unfinished"
    write_bundle(bundle)
    answer = measure(bundle, accept=accept)
    smoke.run(bundle, sam_template.handlers(template))
    sam_template.write(template, folder / "template.json")
    bundle.rename(folder / "bundle.zip")
    print(json.dumps(answer))


def require_linux() -> None:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise StageError("Packaging needs Linux on x86-64: the bundle runs here before it ships.")
    if shutil.which("strip") is None:
        raise StageError("Packaging needs the command `strip`, of GNU binutils.")


def template_of(stage: str) -> sam_template.Template:
    try:
        return sam_template.generate(stage)
    except LookupError as error:
        raise StageError(one_line(error)) from error


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
    sys.exit(main())
