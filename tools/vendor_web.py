"""Vendor the viewer of the API's docs page: python -m tools.vendor_web

Fetches one pinned npm package with `npm pack`, which runs none of its code, copies the few files that the page needs
into chalicelib/web/vendor/ and notes name, version, license and SHA-256 of each in VENDORED.json.
`--check` fetches nothing and only compares the files with that note.
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
from pathlib import Path

NAME, VERSION = "swagger-ui-dist", "5.35.0"
PACKAGE_SHA256 = "1b8e891893404ea4c3558b6a87e2a3e494e7eedba41168c2ece5800a391a6ea6"
FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "swagger-ui-bundle.js.LICENSE.txt", "LICENSE", "NOTICE")

VENDOR = Path(__file__).parent.parent / "chalicelib" / "web" / "vendor"
NOTE = "VENDORED.json"

SOURCE_MAP = re.compile(r"\n*(//# sourceMappingURL=\S+|/\*# sourceMappingURL=\S+ ?\*/)\s*$")
# What a style sheet fetches by itself; `data:` stays inside the page.
OUTSIDE = re.compile(r"""@import|url\((?!\s*["']?data:)[^)]*""")


class VendorError(Exception):
    """What was fetched, or what lies in the folder, is not what was pinned."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare the files with VENDORED.json, offline")
    try:
        if not parser.parse_args().check:
            vendor()
        check()
    except VendorError as error:
        sys.exit(str(error))
    print(f"{NAME} {VERSION}: {sum((VENDOR / name).stat().st_size for name in FILES):,} bytes")


def vendor() -> None:
    """Replace the files in the folder by those of the pinned package."""
    with tempfile.TemporaryDirectory() as folder:
        contents = {name: clean(name, text) for name, text in unpack(fetch(Path(folder))).items()}
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    for name, text in contents.items():
        (VENDOR / name).write_text(text, newline="")
    note = {"name": NAME, "version": VERSION, "license": "Apache-2.0", "sha256": hashes(VENDOR)}
    (VENDOR / NOTE).write_text(json.dumps(note, indent=2) + "\n")


def fetch(folder: Path) -> Path:
    """The package's archive. Raises VendorError when it is not the pinned one."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), f"{NAME}@{VERSION}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    archive = folder / f"{NAME}-{VERSION}.tgz"
    if sha256(archive) != PACKAGE_SHA256:
        raise VendorError(f"{archive.name} is not the archive whose SHA-256 is pinned here")
    return archive


def unpack(archive: Path) -> dict[str, str]:
    """The wanted files by name. They are read, never extracted, so that no path in the archive matters."""
    contents = {}
    with tarfile.open(archive) as tar:
        for name in FILES:
            member = tar.extractfile(f"package/{name}")
            if member is None:
                raise VendorError(f"{archive.name} has no file {name}")
            contents[name] = member.read().decode()
    return contents


def clean(name: str, text: str) -> str:
    """Without the reference to a source map, which developer tools would ask the server for."""
    text = SOURCE_MAP.sub("\n", text)
    if name.endswith(".css") and (outside := OUTSIDE.search(text)):
        raise VendorError(f"{name} would fetch {outside[0]}")
    return text


def check(folder: Path = VENDOR) -> None:
    """Raises VendorError when the folder holds anything but what VENDORED.json says."""
    note = json.loads((folder / NOTE).read_text())
    if (note["name"], note["version"]) != (NAME, VERSION):
        raise VendorError(f"VENDORED.json is of {note['name']} {note['version']}, not {NAME} {VERSION}")
    present = hashes(folder)
    if note["sha256"] != present:
        changed = {name for name, _ in note["sha256"].items() ^ present.items()}
        raise VendorError(f"changed since they were vendored: {', '.join(sorted(changed))}")


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.name != NOTE}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
