"""Byte code for a bundle: Lambda cannot write any, so without it every cold start would compile what it imports again.

Ours lies beside its source, in `__pycache__`, so that a trace shows the line that failed. That of third-party packages
takes the place of the source: `module.pyc` where `module.py` was. For the four large ones it is that of `python -OO`,
without docstrings and assertions, under which they are tested. (Leaving out docstrings alone does not work: numpy
asserts that it finds them.) The rest keep their assertions, because what strangers send goes through their parsers.

Written with unchecked hashes: the times of files in the bundle say nothing.
"""

from __future__ import annotations

import importlib.util
import marshal
from pathlib import Path
from types import CodeType

SUFFIXED = "cpython-312"
WITHOUT_DOCSTRINGS = frozenset({"numpy", "scipy", "skimage", "sklearn"})


def replace_sources(tree: Path) -> None:
    """Turn every `module.py` below `tree` into `module.pyc`."""
    for source in sorted(tree.rglob("*.py")):
        text, path = source.read_bytes(), source.relative_to(tree)
        level = 2 if path.parts[0] in WITHOUT_DOCSTRINGS else 0
        code = compile(text, path.as_posix(), "exec", dont_inherit=True, optimize=level)
        source.with_suffix(".pyc").write_bytes(pyc(code, text))
        source.unlink()


def cached(text: bytes, path: str) -> bytes:
    """The `.pyc` of a source that stays, as it lies at `cached_path(path)`."""
    return pyc(compile(text, path, "exec", dont_inherit=True), text)


def cached_path(path: str) -> str:
    """`package/module.py` -> `package/__pycache__/module.cpython-312.pyc`."""
    folder, _, file = path.rpartition("/")
    return "/".join(filter(None, [folder, "__pycache__", f"{file.removesuffix('.py')}.{SUFFIXED}.pyc"]))


def pyc(code: CodeType, text: bytes) -> bytes:
    """PEP 552: magic number, flags (a hash, not checked), hash of the source, code."""
    flags = (0b01).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(text) + marshal.dumps(code)
