"""Package a stage for Lambda: `python -m tools.package --stage dev` makes what `tools.deploy` needs in build/dev/.

| file           | holds                                                                                      |
|----------------|--------------------------------------------------------------------------------------------|
| template.json  | the stage; its parameters BundleBucket, BundleKey and CompactionKey say where the zips lie |
| bundle.zip     | the code of all functions of app.py                                                        |
| compaction.zip | the code of the daily compaction, with DuckDB and without the libraries for images         |

The last line of output is one JSON object: MiB unzipped, MiB zipped, and MiB by library of the bundle; and the
compaction's own under "compaction".
"""

from __future__ import annotations

import argparse
import ast
import json
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tools import archive, budget, byte_code, sam_template, smoke, smoke_probe, stages
from tools.libraries import libraries
from tools.smoke_probe import COMPACTION_ALONE
from tools.stages import StageError, one_line

ROOT = Path(__file__).parents[1]
COMPACTION = "chalicelib.tracking.compaction"


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
    template = template_of(name)
    handlers = sam_template.handlers(template)
    answer: dict[str, Any] = {}
    for kind in WRITERS:
        unfinished = folder / f"{kind}.unfinished"
        WRITERS[kind](unfinished)
        answer[kind] = measure(unfinished, kind, accept=accept)
        smoke.run(unfinished, handlers[kind], kind)
    sam_template.write(template, folder / "template.json")
    for kind in WRITERS:
        (folder / f"{kind}.unfinished").rename(folder / f"{kind}.zip")
    print(json.dumps({**answer.pop("bundle"), **answer}))


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


def measure(bundle: Path, kind: str, *, accept: bool) -> dict[str, Any]:
    """Print what each library takes; exit when that is too much."""
    found = budget.sizes(bundle)
    print(budget.table(found))
    if accept:
        budget.record(kind, found)
    if excess := budget.excess(found, budget.recorded(kind), kind):
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


def write_compaction(target: Path) -> None:
    shutil.copyfile(libraries(ROOT / "requirements-compaction.txt", ROOT / "build"), target)
    archive.extend(target, compiled(ROOT, reached(ROOT, COMPACTION)))


def own_files(project: Path) -> Iterator[tuple[str, bytes]]:
    """app.py and chalicelib/ with their byte code, but for what the compaction alone needs."""
    alone = {project / name for name in COMPACTION_ALONE}
    ours = [path for path in archive.files(project / "chalicelib") if path not in alone]
    return compiled(project, [project / "app.py", *ours])


def compiled(project: Path, paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """The files by their names in a bundle, and the byte code of modules."""
    for path in paths:
        name = path.relative_to(project).as_posix()
        if "__pycache__" in path.parts:
            continue
        content = path.read_bytes()
        yield name, content
        if path.suffix == ".py":
            yield byte_code.cached_path(name), byte_code.cached(content, name)


def reached(project: Path, module: str) -> list[Path]:
    """The files of our own modules that a module imports, itself included, those inside functions too."""
    found: set[Path] = set()
    wanted = {module}
    while wanted:
        path = project.joinpath(*wanted.pop().split("."))
        path = next((each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()), path)
        if path in found or not path.is_file():
            continue  # known, or a name inside a module
        found.add(path)
        pairs = list(smoke_probe.imported(ast.parse(path.read_text())))
        wanted |= {f"{above}.{name}" for above, name in pairs} | {above for above, _ in pairs}
        wanted = {each for each in wanted if each.startswith("chalicelib")}
    packages = {parent / "__init__.py" for path in found for parent in path.parents if parent.is_relative_to(project)}
    return sorted(found | {path for path in packages if path.is_file()})


WRITERS = {"bundle": write_bundle, "compaction": write_compaction}


if __name__ == "__main__":
    sys.exit(main())
