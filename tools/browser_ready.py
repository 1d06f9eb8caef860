"""Have a Chromium for the browser tests: python -m tools.browser_ready

Prints the path of the browser. A Chromium or Chrome of the system is taken as it is. Otherwise Debian's comes by
`apt-get install` where this runs as root, and unpacked into .browser/ where it does not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FOLDER = Path(__file__).parent.parent / ".browser"
UNPACKED = FOLDER / "usr" / "lib" / "chromium" / "chromium"


class NoBrowser(Exception):
    """There is none, and none can be had here."""


def main() -> None:
    try:
        print(find() or install())
    except NoBrowser as error:
        sys.exit(f"No browser, so the browser tests will be skipped: {error}")


def find() -> Path | None:
    """The browser that is there already, if any."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found:
        return Path(found)
    return UNPACKED if UNPACKED.exists() else None


def environment(browser: Path) -> dict[str, str]:
    """What a browser needs beside the tests' own environment: the unpacked one brings its own libraries."""
    if browser != UNPACKED:
        return {}
    libraries = [str(path) for path in sorted((FOLDER / "usr" / "lib").glob("*-linux-gnu*"))]
    return {"LD_LIBRARY_PATH": ":".join(libraries)}


def install() -> Path:
    """Get Debian's Chromium. Raises NoBrowser where there is no apt-get, or it reaches no packages."""
    if shutil.which("apt-get") is None:
        raise NoBrowser("there is no chromium and no apt-get; install Chromium or Chrome by hand")
    if os.geteuid() == 0:
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium")
    else:
        unpack(packages())
    browser = find()
    if browser is None:
        raise NoBrowser("apt-get brought no chromium")
    return browser


def packages() -> list[str]:
    """Chromium and every library that it needs and this system lacks, by name."""
    plan = run("apt-get", "install", "--simulate", "--no-install-recommends", "chromium")
    return [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]


def unpack(names: list[str]) -> None:
    """Download packages and lay their files into .browser/, which takes no rights on the system."""
    FOLDER.mkdir(exist_ok=True)
    run("apt-get", "download", *names, folder=FOLDER)
    for archive in FOLDER.glob("*.deb"):
        run("dpkg", "-x", str(archive), str(FOLDER))
        archive.unlink()


def run(*command: str, folder: Path | None = None) -> str:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(command, cwd=folder, env=quiet, capture_output=True, text=True)
    if done.returncode:
        why = done.stderr.strip().splitlines() or ["failed"]
        raise NoBrowser(f"{' '.join(command[:2])}: {why[-1]}")
    return done.stdout


if __name__ == "__main__":
    main()
