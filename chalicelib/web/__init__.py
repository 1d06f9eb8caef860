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

import os
from functools import lru_cache

FOLDER = os.path.dirname(__file__)
DASHBOARD = os.path.join(FOLDER, "dashboard")
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
    found = files(DASHBOARD)
    body, content_type = _read(found[PAGE])
    return body.replace(VERSION, _version(_stamps(found)).encode()), content_type


def dashboard_asset(of: str, name: str) -> tuple[bytes, str]:
    """A file of the dashboard and its content type. Raises KeyError unless `of` is the version that is here."""
    found = files(DASHBOARD)
    if of != _version(_stamps(found)) or name == PAGE:
        raise KeyError(name)
    return _read(found[name])


def version() -> str:
    """A digest of all files of the dashboard, 12 hexadecimal digits: whatever changes, changes it."""
    return _version(_stamps(files(DASHBOARD)))


def files(folder: str) -> dict[str, os.DirEntry[str]]:
    """Every file of a page that may be served, by its bare name: a name from a request never becomes a path.

    Read anew each time, so that an edit is seen without starting anew; 150 files take half a millisecond.
    """
    found = [*os.scandir(folder), *os.scandir(os.path.join(folder, "vendor"))]
    return {entry.name: entry for entry in found if _suffix(entry.name) in CONTENT_TYPES}


def _stamps(found: dict[str, os.DirEntry[str]]) -> frozenset[tuple[str, int]]:
    return frozenset((entry.path, entry.stat().st_mtime_ns) for entry in found.values())


@lru_cache(maxsize=1)
def _version(stamps: frozenset[tuple[str, int]]) -> str:
    """stamps: the files, each with the time of its last change."""
    import hashlib

    digest = hashlib.sha256()
    for path, _ in sorted(stamps):
        with open(path, "rb") as file:
            content = file.read()
        digest.update(f"{os.path.basename(path)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def _read(entry: os.DirEntry[str]) -> tuple[bytes, str]:
    with open(entry.path, "rb") as file:
        return file.read(), CONTENT_TYPES[_suffix(entry.name)]


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1]
