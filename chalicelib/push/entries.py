"""What a request or a file says of a recipient, checked before anything is stored. Knows no AWS."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from chalicelib import contract
from chalicelib.push import phone, platforms, quiet
from chalicelib.push.platforms import Platform
from chalicelib.push.recipients import Recipient

PLATFORMS: tuple[Platform, ...] = ("APNS", "APNS_SANDBOX", "GCM")
LONGEST_NAME = 100
LARGEST_NUMBER = 10**15  # as far as templates write one
MOST_IN_A_LIST = 100
DEEPEST = 4  # of objects: what a template can name
Token = tuple[Platform, str]


class Refused(Exception):
    """Why a recipient is not stored. field: of it, as devices[0].token."""

    def __init__(self, reason: str, field: str | None = None):
        super().__init__(reason)
        self.reason = reason
        self.field = field


class Scope(msgspec.Struct, frozen=True):
    """What of a recipient an entry speaks of; the rest stays. attributes: their names, None for all that there are."""

    fields: frozenset[str] = frozenset({"phone", "timezone", "quiet_hours", "opt_out"})
    platforms: tuple[Platform, ...] = PLATFORMS
    attributes: tuple[str, ...] | None = None


WHOLE = Scope()


class Entry(msgspec.Struct, frozen=True):
    """mark: the number of the item, or the line of the file. imported: see `Recipient`."""

    mark: int
    id: str
    fields: dict[str, Any]
    tokens: tuple[Token, ...]
    attributes: dict[str, Any]
    scope: Scope = WHOLE
    imported: tuple[str, int] | None = None


def entry(raw: Any, mark: int, scope: Scope = WHOLE, imported: tuple[str, int] | None = None) -> Entry:
    """An entry of what has the fields of `contract.NewRecipient`. Raises Refused."""
    try:
        given = msgspec.convert(raw, contract.NewRecipient)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None
    if given.id.endswith("\n"):  # which $ in a pattern lets through
        raise Refused("An id has no line end.", "id")
    tokens = [_token(each, number) for number, each in enumerate(given.devices)]
    attributes = {name: value for name, value in given.attributes.items() if value is not None}
    for name, value in attributes.items():
        _check_attribute(name, value)
    fields = {name: value for name, value in _fields(given).items() if name in scope.fields}
    return Entry(mark, given.id, fields, tuple(dict.fromkeys(tokens)), attributes, scope, imported)


def named(raw: Any) -> str | None:
    """The id of an item that may be anything, cut short."""
    found = raw.get("id") if isinstance(raw, dict) else None
    return found[:100] if isinstance(found, str) else None


def following(wanted: Entry, known: Recipient | None) -> Recipient:
    """The recipient as the entry has it, still with the devices of before.

    A number that is blocked stays so until there is another one. Raises Refused.
    """
    before = known or Recipient(wanted.id)
    scope, attributes = wanted.scope, wanted.attributes
    if scope.attributes is not None:
        kept = {name: value for name, value in before.attributes.items() if name not in scope.attributes}
        attributes = {**kept, **attributes}
    blocked = before.sms_blocked if wanted.fields.get("phone", before.phone) == before.phone else None
    imported = wanted.imported or before.imported
    after = msgspec.structs.replace(
        before, **wanted.fields, attributes=attributes, sms_blocked=blocked, imported=imported
    )
    _check_whole(after)
    return after


def tokens_of(wanted: Entry, known: Recipient | None) -> list[Token]:
    """All tokens that the recipient shall have. Raises Refused for too many."""
    kept = [
        (each.platform, each.token)
        for each in (known.devices if known else ())
        if each.platform not in wanted.scope.platforms
    ]
    tokens = [*kept, *wanted.tokens]
    if len(tokens) > contract.MAX_DEVICES:
        raise Refused(f"A recipient has at most {contract.MAX_DEVICES} devices.", "devices")
    return tokens


def field_of(wanted: Entry, token: Token, field: str) -> str:
    return f"devices[{wanted.tokens.index(token)}].{field}"


def _invalid(error: msgspec.ValidationError) -> Refused:
    """msgspec's message, and the path of the field that it is about."""
    message, _, path = str(error).partition(" - at `$")
    path = path.removesuffix("`").lstrip(".")
    if found := re.search(r"(?:missing required|contains unknown) field `([^`]+)`", message):
        path = f"{path}.{found[1]}".lstrip(".")
    return Refused(message, path[:LONGEST_NAME] or None)


def _fields(given: contract.NewRecipient) -> dict[str, Any]:
    return {
        "phone": _said("phone", lambda: phone.e164(given.phone or "")) if given.phone else None,
        "timezone": _said("timezone", lambda: quiet.zone_name(given.timezone or "")) if given.timezone else None,
        "quiet_hours": _hours(given.quiet_hours),
        "opt_out": frozenset(given.opt_out),
    }


def _hours(given: contract.QuietHours | None) -> quiet.Hours | None:
    return None if given is None else _said("quiet_hours", lambda: quiet.Hours(given.start, given.end))


def _token(device: contract.NewDevice, number: int) -> Token:
    field = f"devices[{number}].token"
    return device.platform, _said(field, lambda: platforms.token(device.platform, device.token))


def _said(field: str, make: Any) -> Any:
    """What `make` makes; its ValueError as Refused."""
    try:
        return make()
    except ValueError as error:
        raise Refused(str(error), field) from None


# Attributes


def _check_attribute(name: str, value: Any) -> None:
    field = f"attributes.{name[:LONGEST_NAME]}"
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise Refused(f"The name of an attribute has 1 to {LONGEST_NAME} characters that can be seen.", field)
    _check_value(value, field, 1)


def _check_value(value: Any, field: str, depth: int) -> None:
    if isinstance(value, dict):
        if depth >= DEEPEST:
            raise Refused(f"Objects stand in each other at most {DEEPEST - 1} deep.", field)
        for inner in value.values():
            _check_value(inner, field, depth + 1)
    elif isinstance(value, list):
        _check_list(value, field)
    elif not _is_scalar(value):
        raise Refused("A value is a text, true, false, or a number up to 10 to the power of 15.", field)


def _check_list(values: list[Any], field: str) -> None:
    if len(values) > MOST_IN_A_LIST or not all(map(_is_scalar, values)):
        raise Refused(f"A list has at most {MOST_IN_A_LIST} texts, numbers, true and false.", field)


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str | bool):
        return True
    return isinstance(value, int | float) and -LARGEST_NUMBER <= value <= LARGEST_NUMBER


def _check_whole(after: Recipient) -> None:
    """What only the whole recipient can be asked."""
    if after.quiet_hours and not after.timezone:
        raise Refused("Quiet hours need a time zone.", "timezone")
    if len(msgspec.json.encode(after.attributes)) > contract.MAX_ATTRIBUTE_BYTES:
        raise Refused(f"All attributes have at most {contract.MAX_ATTRIBUTE_BYTES:,} bytes as JSON.", "attributes")
