"""The files that browsers get: pages of our own, and vendored ones in vendor/ folders (see tools/vendor_web.py).

| page      | stands at   | its parts at                 | what it shows                  |
|-----------|-------------|------------------------------|--------------------------------|
| docs      | `docs`      | `docs/{name}`                | the contract, `openapi.json`   |
| dashboard | `dashboard` | `dashboard/{version}/{name}` | what `config.json` leads to    |

All addresses on them are relative, so that they work below a stage's path, too. A Content-Security-Policy keeps them
from every host but ours: the docs page carries its own, the dashboard's comes from `policy`, since S3 and Cognito stand
elsewhere in each stage.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent
DASHBOARD = FOLDER / "dashboard"
PAGE = "index.html"
# What the dashboard's page says where an address needs the version.
VERSION = b"{version}"

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def asset(name: str) -> tuple[bytes, str]:
    """A file of the docs page and its content type. Raises KeyError for any name that is not one of them."""
    return _read(files(FOLDER)[name])


def page() -> tuple[bytes, str]:
    """The dashboard's page and its content type."""
    body, content_type = _read(DASHBOARD / PAGE)
    return body.replace(VERSION, version().encode()), content_type


def dashboard_asset(of: str, name: str) -> tuple[bytes, str]:
    """A file of the dashboard and its content type. Raises KeyError unless `of` is the version that is here."""
    if of != version() or name == PAGE:
        raise KeyError(name)
    return _read(files(DASHBOARD)[name])


def version() -> str:
    """A digest of all files of the dashboard, 12 hexadecimal digits: whatever changes, changes it."""
    found = files(DASHBOARD).values()
    return _version(tuple(sorted((path, path.stat().st_mtime_ns) for path in found)))


@lru_cache(maxsize=1)
def _version(stamped: tuple[tuple[Path, int], ...]) -> str:
    """stamped: the files, each with its time, so that an edit is seen without starting anew."""
    import hashlib

    digest = hashlib.sha256()
    for path, _ in stamped:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def files(folder: Path) -> dict[str, Path]:
    """Every file of a page that may be served, by its bare name: a name from a request never becomes a path."""
    return {path.name: path for path in _inside(folder, folder / "vendor") if path.suffix in CONTENT_TYPES}


def _inside(*folders: Path) -> Iterable[Path]:
    return (path for folder in folders for path in folder.iterdir())


def _read(path: Path) -> tuple[bytes, str]:
    return path.read_bytes(), CONTENT_TYPES[path.suffix]
