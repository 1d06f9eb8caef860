"""Imports that load a module with the first use of a name in it, as `lazy from` will in Python 3.15 (PEP 810).

`import app` is paid in every cold start, and a request needs one or two of the parts that app.py leads to. The imports
stay ordinary statements that type checkers and readers follow; importlib's own LazyLoader would look for every file,
and two threads could meet a half-loaded module (python/cpython 114763).
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


class Later(ModuleType):
    """Stands for the module of its name; asks that for every attribute, so that a patched one is seen, too."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self.__name__), name)


@contextmanager
def at_first_use(importer: str) -> Iterator[None]:
    """`from package import module` of the module `importer` loads nothing inside this block."""
    load = builtins.__import__

    def put_off(name: str, namespace: Any = None, own: Any = None, wanted: Any = (), level: int = 0) -> ModuleType:
        if not wanted or namespace is None or namespace.get("__name__") != importer:
            return load(name, namespace, own, wanted, level)
        package = ModuleType(name)
        vars(package).update({each: Later(f"{name}.{each}") for each in wanted})
        return package

    builtins.__import__ = put_off  # type: ignore[assignment]
    try:
        yield
    finally:
        builtins.__import__ = load
