"""Zip archives that depend on nothing but their contents: the same files make the same bytes, on any day."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

#: The earliest time that a zip can hold.
EPOCH = (1980, 1, 1, 0, 0, 0)


def files(tree: Path) -> list[Path]:
    return sorted(path for path in tree.rglob("*") if path.is_file())


def add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.external_attr = 0o100644 << 16  # Lambda runs as another user, who must be able to read
    archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=6)


def pack(tree: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for path in files(tree):
            add(archive, path.relative_to(tree).as_posix(), path.read_bytes())


def extend(target: Path, contents: Iterable[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(target, "a") as archive:
        for name, content in sorted(contents):
            add(archive, name, content)
