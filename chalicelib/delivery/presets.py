"""Named operations that a front end may use without a signature: `v/preset/card/{account}/{image}.webp`."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from chalicelib import contract
from chalicelib.delivery import operations
from chalicelib.delivery.operations import Operations
from chalicelib.delivery.variant import PRESET_NAME
from chalicelib.errors import BadRequest, Conflict, NotFound, Unprocessable
from chalicelib.store import AccountStore, Item

KIND = "presets"
MOST = 100
MOST_AT_UPLOAD = 12  # within the minute that their function has
TOKEN_LENGTH = 12


class Preset(msgspec.Struct, frozen=True):
    """format: one of the formats, or "auto" for any. quality: in `operations` already."""

    name: str
    operations: str
    format: str = "auto"
    quality: int | Literal["auto"] | None = None
    at_upload: bool = False
    fallback: str | None = None

    def wanted(self) -> Operations:
        """What is made of an original."""
        stated = operations.parse(self.operations)
        return stated if self.quality is None else msgspec.structs.replace(stated, q=self.quality)

    def formats(self) -> tuple[str, ...]:
        """What is made at upload: every format that a browser may be sent to."""
        return ("webp", "jpg") if self.format == "auto" else (self.format,)

    def token(self, version: str) -> str:
        """What stands in an address for this original and this wording of the preset."""
        import hashlib

        text = f"{version}|{operations.format(self.wanted())}|{self.format}"
        return hashlib.sha256(text.encode()).hexdigest()[:TOKEN_LENGTH]


def put(store: AccountStore, name: str, request: contract.NewPreset) -> contract.Preset:
    """Make a preset or word it anew; its variants so far are then no longer asked for."""
    if not re.fullmatch(PRESET_NAME, name):
        raise BadRequest("A preset's name has 1 to 40 characters of a-z, 0-9, _ and -.", field="name")
    preset = _checked(store, name, request)
    kept = all_of(store)
    others = [each for each in kept if each.name != name]
    if len(others) >= MOST:
        raise Conflict(f"An account has {MOST} presets at most.")
    if preset.at_upload and sum(each.at_upload for each in others) >= MOST_AT_UPLOAD:
        raise Conflict(f"At most {MOST_AT_UPLOAD} presets are made at upload.", field="at_upload")
    store.put(KIND, "", _item(preset), sk=name)
    return _view(preset)


def _checked(store: AccountStore, name: str, request: contract.NewPreset) -> Preset:
    stated = operations.parse(request.operations)
    if stated.version is not None or stated.expires is not None:
        raise Unprocessable("A preset has neither a version nor an expiry of its own.", field="operations")
    if stated.q is not None and request.quality is not None:
        raise Unprocessable("The quality is given twice.", field="quality")
    if request.fallback is not None and store.get("image", request.fallback) is None:
        raise NotFound("There is no such image.", field="fallback")
    text = operations.format(stated)
    return Preset(name, text, request.format, request.quality, request.at_upload, request.fallback)


def get(account: str, name: str) -> Preset:
    """Raises NotFound."""
    item = AccountStore(account).get(KIND, "", name)
    if item is None:
        raise NotFound("There is no such preset.")
    return _read(item)


def all_of(store: AccountStore) -> list[Preset]:
    return [_read(item) for item in store.partition(KIND)]


def page(store: AccountStore, query: contract.PresetQuery) -> contract.Presets:
    left = [preset for preset in all_of(store) if not query.cursor or preset.name > query.cursor]
    shown = left[: query.limit]
    return contract.Presets(
        items=[_view(preset) for preset in shown], next=shown[-1].name if len(left) > len(shown) else None
    )


def delete(store: AccountStore, name: str) -> None:
    get(store.account, name)
    store.delete(KIND, "", name)


def _item(preset: Preset) -> Item:
    # As text, since DynamoDB knows no union of numbers and words.
    return {**msgspec.structs.asdict(preset), "quality": None if preset.quality is None else str(preset.quality)}


def _read(item: Item) -> Preset:
    values: dict[str, Any] = {name: item[name] for name in Preset.__struct_fields__ if name in item}
    if values.get("quality", "auto") != "auto":
        values["quality"] = int(values["quality"])
    return Preset(**values)


def _view(preset: Preset) -> contract.Preset:
    return contract.Preset(**msgspec.structs.asdict(preset))
