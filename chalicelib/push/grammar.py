"""What a template may hold, and what it means: the nodes that Jinja2 reads, as closures over the values.

Everything is in one of four tables: TERMS, OPERATORS, FILTERS, and the variables of FIXED.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

if TYPE_CHECKING:
    from jinja2 import nodes

DEEPEST = 20  # of nesting, so that reading cannot exhaust the stack
LARGEST_NUMBER = 10**15
LONGEST_PATH = 5
MOST_DIGITS = 10
MOST_COMPARED = 500

FIXED = frozenset({"recipient.id", "campaign.name"}) | {
    f"standing.{field}" for field in ("points", "rank", "level", "movement", "badges")
}
ATTRIBUTES = "attributes"

Values = Mapping[str, Any]
Term = Callable[[Values], Any]
Texts = Callable[[Values], Iterator[str]]

ABSENT = object()


class TemplateError(ValueError):
    """What is wrong with a template, or with one of its renderings.

    line: of the template, from 1. name: the variable concerned, as attributes.first_name.
    """

    def __init__(self, message: str, line: int | None = None, name: str | None = None):
        super().__init__(message if line is None else f"Line {line}: {message}")
        self.line = line
        self.name = name


class MissingValue(TemplateError):
    """A rendering lacks a value that nothing stands in for."""


class Use(msgspec.Struct, frozen=True):
    """guarded: by `default` or `is defined`, so that the value may be missing here."""

    name: str
    line: int
    guarded: bool


class Reader:
    """Closures from what Jinja2 read, by a table of its nodes: what is not there is refused."""

    def __init__(self) -> None:
        self.uses: list[Use] = []
        self.guarded = False

    def block(self, body: list[nodes.Node], depth: int) -> Texts:
        """The texts of outputs and `if` statements in turn."""
        from jinja2 import nodes

        parts: list[Texts] = []
        for node in body:
            if isinstance(node, nodes.If):
                parts.append(self._if(node, depth + 1))
            elif isinstance(node, nodes.Output):
                parts.extend(self._output(each, depth + 1) for each in node.nodes)
            else:
                raise _refused(node)

        def texts(values: Values) -> Iterator[str]:
            for part in parts:
                yield from part(values)

        return texts

    def _output(self, node: nodes.Expr, depth: int) -> Texts:
        from jinja2 import nodes

        if isinstance(node, nodes.TemplateData):
            data = node.data
            return lambda values: iter((data,))
        term, line = self.term(node, depth), node.lineno
        return lambda values: iter((_applied(written, line, "A message", term(values)),))

    def _if(self, node: nodes.If, depth: int) -> Texts:
        branches = [(self.term(each.test, depth), self.block(each.body, depth)) for each in (node, *node.elif_)]
        otherwise = self.block(node.else_, depth)

        def texts(values: Values) -> Iterator[str]:
            chosen = next((block for test, block in branches if test(values)), otherwise)
            yield from chosen(values)

        return texts

    def term(self, node: nodes.Node, depth: int) -> Term:
        """The value of an expression."""
        read = TERMS.get(type(node).__name__)
        if read is None:
            raise _refused(node)
        if depth > DEEPEST:
            raise TemplateError("This is nested too deeply.", node.lineno)
        return read(self, node, depth + 1)

    def const(self, node: nodes.Const, depth: int) -> Term:
        value = node.value
        if not isinstance(value, str | int | float) or (not isinstance(value, str) and abs(value) > LARGEST_NUMBER):
            raise TemplateError(
                "This constant is not allowed; texts, true, false and numbers to 10^15 are.", node.lineno
            )
        return lambda values: value

    def negative(self, node: nodes.Neg, depth: int) -> Term:
        from jinja2 import nodes

        inner = node.node
        if not isinstance(inner, nodes.Const) or not _is_number(inner.value):
            raise TemplateError("Only a number may stand behind a minus.", node.lineno)
        number = -self.const(inner, depth)({})
        return lambda values: number

    def listed(self, node: nodes.List, depth: int) -> Term:
        items = [self.term(item, depth) for item in node.items]
        return lambda values: [item(values) for item in items]

    def variable(self, node: nodes.Node, depth: int) -> Term:
        path = _path(node)
        name, line, guarded = ".".join(path), node.lineno, self.guarded
        if path[0] != ATTRIBUTES and name not in FIXED:
            raise TemplateError(f"There is no variable {name[:100]}.{similar(name, FIXED)}", line, name)
        if not 2 <= len(path) <= LONGEST_PATH or any(key.startswith("__") for key in path):
            raise TemplateError(f"{name[:100]} is no attribute; name one as attributes.first_name.", line, name)
        self.uses.append(Use(name, line, guarded))
        return lambda values: _looked_up(values, path, line)

    def compared(self, node: nodes.Compare, depth: int) -> Term:
        first = self.term(node.expr, depth)
        rest = [(OPERATORS[operand.op], self.term(operand.expr, depth)) for operand in node.ops]
        line = node.lineno

        def holds(values: Values) -> bool:
            left = first(values)
            for compare, term in rest:
                right = term(values)
                if not _applied(compare, line, "The comparison", left, right):
                    return False
                left = right
            return True

        return holds

    def both(self, node: nodes.And, depth: int) -> Term:
        left, right = self.term(node.left, depth), self.term(node.right, depth)
        return lambda values: left(values) and right(values)

    def either(self, node: nodes.Or, depth: int) -> Term:
        left, right = self.term(node.left, depth), self.term(node.right, depth)
        return lambda values: left(values) or right(values)

    def inverse(self, node: nodes.Not, depth: int) -> Term:
        inner = self.term(node.node, depth)
        return lambda values: not inner(values)

    def choice(self, node: nodes.CondExpr, depth: int) -> Term:
        test, chosen = self.term(node.test, depth), self.term(node.expr1, depth)
        otherwise = self.term(node.expr2, depth) if node.expr2 is not None else lambda values: ""
        return lambda values: chosen(values) if test(values) else otherwise(values)

    def tested(self, node: nodes.Test, depth: int) -> Term:
        if node.name != "defined" or node.args:
            raise TemplateError(f"The test {node.name} is not allowed; defined is.", node.lineno)
        inner = self._guarded(node.node, depth)
        return lambda values: inner(values, ABSENT) is not ABSENT

    def filtered(self, node: nodes.Filter, depth: int) -> Term:
        from jinja2 import nodes

        if node.kwargs or node.dyn_args or node.dyn_kwargs or node.node is None:
            raise TemplateError(f"The filter {node.name} takes plain arguments only, without names.", node.lineno)
        if node.name == "default":
            return self._default(node, depth)
        apply, kinds = FILTERS.get(node.name, (None, ()))
        if apply is None:
            raise TemplateError(
                f"The filter {node.name} is not allowed; {', '.join(sorted(FILTERS))} are.", node.lineno
            )
        arguments = [self.const(each, depth)({}) for each in node.args if isinstance(each, nodes.Const)]
        if len(arguments) < len(node.args) or not _fit(arguments, kinds):
            wanted = ", ".join(KIND_NAMES[kind] for kind in kinds) or "nothing"
            raise TemplateError(f"The filter {node.name} takes {wanted}.", node.lineno)
        inner, line, says = self.term(node.node, depth), node.lineno, f"The filter {node.name}"
        return lambda values: _applied(apply, line, says, inner(values), *arguments)

    def _default(self, node: nodes.Filter, depth: int) -> Term:
        if len(node.args) != 1:
            raise TemplateError("The filter default takes what stands in for a missing value.", node.lineno)
        inner, stand_in = self._guarded(node.node, depth), self.term(node.args[0], depth)

        def chosen(values: Values) -> Any:
            found = inner(values, ABSENT)
            return stand_in(values) if found is ABSENT else found

        return chosen

    def _guarded(self, node: nodes.Node | None, depth: int) -> Callable[[Values, Any], Any]:
        """The value of an expression, or what stands in for it where a value is missing."""
        outer, self.guarded = self.guarded, True
        inner = self.term(node, depth)  # type: ignore[arg-type]
        self.guarded = outer

        def found(values: Values, absent: Any) -> Any:
            try:
                return inner(values)
            except MissingValue:
                return absent

        return found


def similar(name: str, known: Collection[str]) -> str:
    """ " Did you mean ...?", or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(name[:100], sorted(known)[:MOST_COMPARED], n=1)
    return f" Did you mean {close[0]}?" if close else ""


def written(value: Any) -> str:
    """A value as people read it: 12 for 12.0, true, and lists with commas. Raises TypeError for mappings and null."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(int(value)) if value == value // 1 and abs(value) <= LARGEST_NUMBER else str(value)
    if isinstance(value, list | tuple) and not any(isinstance(item, list | tuple) for item in value):
        return ", ".join(map(written, value))
    raise TypeError


def _refused(node: nodes.Node) -> TemplateError:
    kind = type(node).__name__
    return TemplateError(f"{REFUSED.get(kind, kind)} is not allowed in a template.", node.lineno)


def _path(node: nodes.Node) -> tuple[str, ...]:
    """("attributes", "first_name"). Raises TemplateError for anything but a name and constant texts behind it."""
    from jinja2 import nodes

    keys: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        key = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
        if not isinstance(key, str):
            raise TemplateError("Between [ and ] stands the name of an attribute, in quotes.", node.lineno)
        keys.append(key)
        node = node.node
    if not isinstance(node, nodes.Name):
        raise TemplateError("Only variables have parts with a dot or [ ].", node.lineno)
    return (node.name, *reversed(keys))


def _looked_up(values: Values, path: tuple[str, ...], line: int) -> Any:
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    if found is None:
        name = ".".join(path)
        raise MissingValue(f"{name} has no value.", line, name)
    return found


def _applied(function: Callable[..., Any], line: int, says: str, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except TemplateError:
        raise
    except (TypeError, ValueError, OverflowError):
        kinds = " and ".join(_kind(argument) for argument in arguments[:2])
        raise TemplateError(f"{says} cannot take {kinds}.", line) from None


def _kind(value: Any) -> str:
    return next((name for kind, name in KIND_NAMES.items() if isinstance(value, kind)), "a value of this kind")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fit(arguments: list[Any], kinds: tuple[type, ...]) -> bool:
    return len(arguments) <= len(kinds) and all(
        type(each) is kind for each, kind in zip(arguments, kinds, strict=False)
    )


# Filters


def _truncated(value: Any, length: int = 255) -> str:
    """Cut to `length` characters with three dots at the end; "…" is not in the alphabet of SMS."""
    text = written(value)
    return text if len(text) <= length else text[: max(length - 3, 0)] + "..."[:length]


def _joined(value: Any, separator: str = "") -> str:
    """Of lists alone: texts joined again and again would grow without end."""
    if not isinstance(value, list | tuple):
        _refuse_kind()
    return separator.join(map(written, value))


def _first(value: Any) -> Any:
    return _at(value, 0)


def _last(value: Any) -> Any:
    return _at(value, -1)


def _at(value: Any, place: int) -> Any:
    if not isinstance(value, list | tuple | str):
        _refuse_kind()
    if not value:
        raise MissingValue("An empty list has neither a first nor a last.")
    return value[place]


def _absolute(value: Any) -> Any:
    return abs(value) if _is_number(value) else _refuse_kind()


def _rounded(value: Any, digits: int = 0) -> Any:
    return round(value, digits) if _is_number(value) and 0 <= digits <= MOST_DIGITS else _refuse_kind()


def _refuse_kind() -> NoReturn:
    raise TypeError


KIND_NAMES: dict[type, str] = {
    bool: "true or false", str: "a text", int: "a number", float: "a number", list: "a list", tuple: "a list",
    dict: "named parts",
}  # fmt: skip

# For people; what is not here goes by the name that Jinja2 has for it.
REFUSED = dict.fromkeys(("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow", "Pos"), "Arithmetic") | {
    "Call": "A call",
    "Concat": "Joining by ~",
}

# What is applied, and the constants that it takes, none of which must be given.
FILTERS: dict[str, tuple[Callable[..., Any], tuple[type, ...]]] = {
    "upper": (lambda value: written(value).upper(), ()),
    "lower": (lambda value: written(value).lower(), ()),
    "capitalize": (lambda value: written(value).capitalize(), ()),
    "title": (lambda value: written(value).title(), ()),
    "trim": (lambda value: written(value).strip(), ()),
    "truncate": (_truncated, (int,)),
    "join": (_joined, (str,)),
    "first": (_first, ()),
    "last": (_last, ()),
    "length": (len, ()),
    "abs": (_absolute, ()),
    "round": (_rounded, (int,)),
}

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda item, whole: item in whole,
    "notin": lambda item, whole: item not in whole,
}

TERMS: dict[str, Callable[[Reader, Any, int], Term]] = {
    "Const": Reader.const,
    "Neg": Reader.negative,
    "List": Reader.listed,
    "Name": Reader.variable,
    "Getattr": Reader.variable,
    "Getitem": Reader.variable,
    "Compare": Reader.compared,
    "And": Reader.both,
    "Or": Reader.either,
    "Not": Reader.inverse,
    "CondExpr": Reader.choice,
    "Test": Reader.tested,
    "Filter": Reader.filtered,
}
