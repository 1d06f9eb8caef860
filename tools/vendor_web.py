"""Vendor the browser's libraries: python -m tools.vendor_web

Fetches the pinned npm packages of tools/web_packages.py with `npm pack`, which runs none of their code, and makes

| folder                              | holds                                                                       |
|-------------------------------------|-----------------------------------------------------------------------------|
| chalicelib/web/vendor/              | the few files of Swagger UI that the docs page needs, as they are           |
| chalicelib/web/dashboard/vendor/    | the dashboard's libraries, each bundled into one module, and LICENSES.txt   |

and in each a VENDORED.json with name, version, license and SHA-256. esbuild bundles, here and nowhere else: whoever
runs the dashboard needs no Node. `--check` fetches nothing and only compares the files with those notes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from tools.web_packages import BUNDLES, ESBUILD, PACKAGES, SWAGGER, SWAGGER_FILES, Package

WEB = Path(__file__).parent.parent / "chalicelib" / "web"
DOCS, DASHBOARD = WEB / "vendor", WEB / "dashboard" / "vendor"
NOTE, TERMS = "VENDORED.json", "LICENSES.txt"

SOURCE_MAP = re.compile(r"\n*(//# sourceMappingURL=\S+|/\*# sourceMappingURL=\S+ ?\*/)\s*$")
# What a style sheet fetches by itself; `data:` stays inside the page.
OUTSIDE = re.compile(r"""@import|url\((?!\s*["']?data:)[^)]*""")
# The file of a package that says under which terms it may be passed on.
LICENSE = re.compile(r"package/(LICEN[CS]E|NOTICE|COPYING)(\.\w+)?")
PACKAGE_OF = re.compile(r"(?:.*/)?node_modules/((?:@[^/]+/)?[^/]+)/")

MODULE = ("--format=esm", "--target=es2022", "--platform=browser", "--legal-comments=none")


class VendorError(Exception):
    """What was fetched, or what lies in a folder, is not what was pinned."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare the files with VENDORED.json, offline")
    fetching = not parser.parse_args().check
    try:
        if fetching:
            vendor()
        check()
    except VendorError as error:
        sys.exit(str(error))
    for path in sorted([*DOCS.iterdir(), *DASHBOARD.iterdir()]) if fetching else ():
        print(f"{path.stat().st_size:>9,} bytes  {path.relative_to(WEB)}")


def vendor() -> None:
    """Replace both folders by what the pinned packages make."""
    with tempfile.TemporaryDirectory() as name:
        archives = fetch([SWAGGER, *PACKAGES], Path(name))
        docs = unpack(archives.pop(SWAGGER.name), SWAGGER_FILES)
        dashboard, used = bundles(archives, Path(name) / "work")
        dashboard[TERMS] = terms(used, archives)
    write(DOCS, docs, [SWAGGER])
    write(DASHBOARD, dashboard, used)


def write(folder: Path, contents: dict[str, str], packages: list[Package]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in contents.items():
        (folder / name).write_text(text, newline="")
    note = {"packages": [noted(package) for package in packages], "sha256": hashes(folder)}
    (folder / NOTE).write_text(json.dumps(note, indent=2) + "\n")


def noted(package: Package) -> dict[str, str]:
    return {"name": package.name, "version": package.version, "license": package.license}


def fetch(packages: list[Package], folder: Path) -> dict[str, Path]:
    """The packages' archives by name. Raises VendorError when one is not the pinned one."""
    wanted = [f"{package.name}@{package.version}" for package in packages]
    run("npm", "pack", "--silent", "--pack-destination", str(folder), *wanted)
    for package in packages:
        if sha256(folder / package.archive) != package.sha256:
            raise VendorError(f"{package.archive} is not the archive whose SHA-256 is pinned in tools/web_packages.py")
    return {package.name: folder / package.archive for package in packages}


def unpack(archive: Path, names: tuple[str, ...]) -> dict[str, str]:
    """The wanted files by name. They are read, never extracted, so that no path in the archive matters."""
    contents = {}
    with tarfile.open(archive) as tar:
        for name in names:
            member = tar.extractfile(f"package/{name}")
            if member is None:
                raise VendorError(f"{archive.name} has no file {name}")
            contents[name] = clean(name, member.read().decode())
    return contents


def bundles(archives: dict[str, Path], work: Path) -> tuple[dict[str, str], list[Package]]:
    """The dashboard's bundles by name, and the packages that have a part in them."""
    # First, because npm sweeps away what it did not install itself.
    run("npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(work), ESBUILD)
    for name, archive in archives.items():
        extract(archive, work / "node_modules" / name)
    made, used = {}, set()
    for name, entry in BUNDLES.items():
        text, parts = bundle(name, entry, work)
        used |= parts
        made[name] = clean(name, banner([each for each in PACKAGES if each.name in parts]) + text)
    return made, [package for package in PACKAGES if package.name in used]


def extract(archive: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder, tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
        (inside,) = Path(folder).iterdir()  # "package" by custom, though any name is allowed
        target.parent.mkdir(parents=True, exist_ok=True)
        inside.rename(target)


def bundle(name: str, entry: str, work: Path) -> tuple[str, set[str]]:
    """One module with all that its entry reaches, and the names of the packages whose code is in it."""
    source, target, told = work / f"entry-{name}", work / "made" / name, work / "told.json"
    source.write_text(textwrap.dedent(entry))
    esbuild = work / "node_modules" / "esbuild" / "bin" / "esbuild"
    options = [*MODULE, "--bundle", "--minify", f"--outfile={target}", f"--metafile={told}"]
    run("node", str(esbuild), source.name, "--log-level=warning", *options, folder=work)
    return target.read_text(), packages_in(json.loads(told.read_text()))


def packages_in(told: dict[str, Any]) -> set[str]:
    """The packages that left bytes in a bundle, by esbuild's account of it."""
    inputs = [
        path for made in told["outputs"].values() for path, part in made["inputs"].items() if part["bytesInOutput"]
    ]
    return {found[1] for path in inputs if (found := PACKAGE_OF.match(path))}


def banner(packages: list[Package]) -> str:
    parts = ", ".join(f"{each.name} {each.version} ({each.license})" for each in packages)
    return f"/*! {parts}. See {TERMS}. */\n"


def terms(packages: list[Package], archives: dict[str, Path]) -> str:
    """The license of every package, word for word; packages under the very same text share it."""
    shared: dict[str, list[Package]] = {}
    for package in packages:
        shared.setdefault(license_text(archives[package.terms or package.name]), []).append(package)
    rule = "=" * 80
    heads = {
        text: "\n".join(f"{each.name} {each.version} ({each.license})" for each in who) for text, who in shared.items()
    }
    return "\n\n".join(f"{rule}\n{head}\n{rule}\n\n{text}" for text, head in heads.items()) + "\n"


def license_text(archive: Path) -> str:
    with tarfile.open(archive) as tar:
        texts = [tar.extractfile(member) for member in tar.getmembers() if LICENSE.fullmatch(member.name)]
        found = [text.read().decode().strip() for text in texts if text is not None]
    if not found:
        raise VendorError(f"{archive.name} carries no license text")
    return "\n\n".join(found)


def clean(name: str, text: str) -> str:
    """Without the reference to a source map, which developer tools would ask the server for."""
    text = SOURCE_MAP.sub("\n", text)
    if name.endswith(".css") and (outside := OUTSIDE.search(text)):
        raise VendorError(f"{name} would fetch {outside[0]}")
    return text


def check() -> None:
    """Raises VendorError when a folder holds anything but what its VENDORED.json says."""
    compare(DOCS, [SWAGGER])
    compare(DASHBOARD, list(PACKAGES))


def compare(folder: Path, pinned: list[Package]) -> None:
    note = json.loads((folder / NOTE).read_text())
    strange = [each for each in note["packages"] if each not in [noted(package) for package in pinned]]
    if strange:
        raise VendorError(f"{NOTE} names {strange[0]['name']} {strange[0]['version']}, which is not pinned")
    present = hashes(folder)
    if note["sha256"] != present:
        changed = {name for name, _ in note["sha256"].items() ^ present.items()}
        raise VendorError(f"changed since they were vendored: {', '.join(sorted(changed))}")


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.name != NOTE}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(*command: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise VendorError(f"{' '.join(command[:2])}: {done.stderr.strip() or done.stdout.strip()}")


if __name__ == "__main__":
    main()
