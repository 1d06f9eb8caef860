"""What AWS refuses before it does anything: a request that its own description of the operation does not allow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any


def violations(service: str, operation: str, request: dict[str, Any]) -> str | None:
    """AWS's sentence about every member that is missing, too short, too long, or of another pattern; or None."""
    shape = _description(service).operation_model(operation).input_shape
    found = list(_violations(shape, request, ""))
    if not found:
        return None
    return f"{len(found)} validation error{'s' * (len(found) > 1)} detected: {'; '.join(found)}"


@cache
def _description(service: str) -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model(service)


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                yield _sentence("null", _below(path, name), "Member must not be null")
        for name, inner in value.items():
            if name in shape.members:
                yield from _violations(shape.members[name], inner, _below(path, name))
    elif shape.type_name == "list":
        yield from _length(shape, value, path)
        for number, inner in enumerate(value, 1):
            yield from _violations(shape.member, inner, f"{path}.{number}.member")
    elif shape.type_name == "string":
        yield from _length(shape, value, path)
        yield from _text(shape, value, path)
    elif shape.type_name in ("integer", "long"):
        yield from _range(shape, value, path)


def _below(path: str, name: str) -> str:
    own = name[0].lower() + name[1:]
    return f"{path}.{own}" if path else own


def _sentence(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"


def _length(shape: Any, value: Any, path: str) -> Iterator[str]:
    if len(value) < shape.metadata.get("min", 0):
        yield _sentence(value, path, f"Member must have length greater than or equal to {shape.metadata['min']}")
    if len(value) > shape.metadata.get("max", len(value)):
        yield _sentence(value, path, f"Member must have length less than or equal to {shape.metadata['max']}")


def _range(shape: Any, value: int, path: str) -> Iterator[str]:
    if value < shape.metadata.get("min", value):
        yield _sentence(value, path, f"Member must have value greater than or equal to {shape.metadata['min']}")
    if value > shape.metadata.get("max", value):
        yield _sentence(value, path, f"Member must have value less than or equal to {shape.metadata['max']}")


def _text(shape: Any, value: str, path: str) -> Iterator[str]:
    pattern, allowed = shape.metadata.get("pattern"), shape.metadata.get("enum")
    if pattern and not re.fullmatch(pattern, value):
        yield _sentence(value, path, f"Member must satisfy regular expression pattern: {pattern}")
    if allowed and value not in allowed:
        yield _sentence(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
