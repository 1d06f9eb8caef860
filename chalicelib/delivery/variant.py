"""The key of a variant, which is also the path of its URL.

signed     v/{kid}.{mac}/{operations}/{account}/{path}.{format}
preset     v/preset/{name}/{account}/{path}.{format}             answered by a redirect to the versioned form
versioned  v/preset/{name},v:{version}/{account}/{path}.{format}
private    x/{operations}/{account}/{path}.{format}              of a URL that expires: S3 must not serve it by itself

path       of
{image}    an uploaded image, by its id
s/{key}    a source original whose key has only A-Z a-z 0-9 / _ . , -
b/{text}   any other source original: base64url of its key in UTF-8, without padding

Everything has one spelling: `parse_key` refuses every other, so one variant can neither be stored nor signed twice.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from chalicelib import ids
from chalicelib.delivery import operations as grammar
from chalicelib.delivery.operations import Operations
from chalicelib.errors import BadRequest

FORMATS = ("jpg", "png", "webp", "avif", "gif")
AUTO = "auto"
LONGEST_KEY = 1024  # bytes; the limit of S3
LONGEST_SOURCE_KEY = 600  # bytes of UTF-8: 800 characters of base64url leave room for operations

# Patterns are compiled at their first use: `import app` is part of every cold start.
PLAIN_KEY = r"[A-Za-z0-9/_.,-]+"
CONTROL = r"[\x00-\x1f\x7f-\x9f]"
PRESET_NAME = "[a-z0-9][a-z0-9_-]{0,39}"
SIGNATURE = r"[a-z0-9]{1,4}\.[A-Za-z0-9_-]{22}"
TAIL = r"/(?P<account>a[a-z2-7]{16})/(?P<path>[A-Za-z0-9/_.,-]+)\.(?P<format>jpg|png|webp|avif|gif|auto)"
SIGNED = rf"v/(?P<signature>{SIGNATURE})/(?P<operations>[^/]+){TAIL}"
PRESET = rf"v/preset/(?P<preset>{PRESET_NAME})(?:,v:(?P<version>{grammar.VERSION}))?{TAIL}"


class Original(msgspec.Struct, frozen=True):
    """What a variant is made of: an uploaded image by its id, or an object of the account's source by its key."""

    account: str
    image: str | None = None
    key: str | None = None


class Variant(msgspec.Struct, frozen=True):
    """One picture that can be asked for.

    format: jpg png webp avif gif, or auto, which is never stored.
    preset: the name of the preset; operations then hold the version alone.
    signature: "{kid}.{mac}" of a signed key.
    """

    original: Original
    operations: Operations
    format: str
    preset: str | None = None
    signature: str | None = None


def original(account: str, source: str) -> Original:
    """The original that a caller names by an image id or by a key in the account's source.

    Raises BadRequest (field "source") for a key that no source can hold.
    """
    if ids.is_id(source):
        return Original(account, image=source)
    reason = _unfit(source)
    if reason:
        raise BadRequest(reason, field="source")
    return Original(account, key=source)


def format_key(variant: Variant) -> str:
    """The key of a signed variant or of a preset; unsigned and unnamed ones have none (ValueError).

    Raises BadRequest (field "key") when it would be longer than S3 allows.
    """
    if variant.preset is not None:
        version = variant.operations.version
        name = variant.preset if version is None else f"{variant.preset},v:{version}"
        return _short_enough(f"v/preset/{name}/{_tail(variant)}")
    if variant.signature is None:
        raise ValueError("This variant has neither a signature nor a preset.")
    return _short_enough(f"v/{variant.signature}/{signed_text(variant)}")


def signed_text(variant: Variant) -> str:
    """What the signature covers: everything behind it in the key."""
    return f"{_operations(variant)}/{_tail(variant)}"


def private_key(variant: Variant) -> str:
    """Where the result of an expiring URL is stored: one object, however many end times were signed for it."""
    lasting = msgspec.structs.replace(variant.operations, expires=None)
    return f"x/{signed_text(msgspec.structs.replace(variant, operations=lasting))}"


def parse_key(key: str) -> Variant:
    """The variant of a key in its one spelling. The signature is read, not checked.

    Raises BadRequest (field "key").
    """
    match = (re.fullmatch(PRESET, key) or re.fullmatch(SIGNED, key)) if len(key) <= LONGEST_KEY else None
    if match is None:
        raise _refusal("The key must be v/{signature}/{operations}/{account}/{path}.{format} or v/preset/{name}/...")
    part = match.groupdict()
    source = _read_path(part["account"], part["path"])
    if "preset" in part:
        return Variant(source, Operations(version=part["version"]), part["format"], preset=part["preset"])
    operations = _read_operations(part["operations"], part["format"])
    return Variant(source, operations, part["format"], signature=part["signature"])


def with_format(variant: Variant, format: str) -> Variant:
    """The same picture in another format, canonical for it, and unsigned: the signature covers the format."""
    operations = grammar.canonical(variant.operations, format)
    return msgspec.structs.replace(variant, operations=operations, format=format, signature=None)


def with_version(variant: Variant, version: str | None) -> Variant:
    """The same picture of a certain version of its original; unsigned."""
    operations = msgspec.structs.replace(variant.operations, version=version)
    return msgspec.structs.replace(variant, operations=operations, signature=None)


def _operations(variant: Variant) -> str:
    return grammar.format(grammar.canonical(variant.operations, variant.format))


def _read_operations(text: str, format: str) -> Operations:
    try:
        operations = grammar.canonical(grammar.parse(text), format)
    except BadRequest as error:
        raise _refusal(error.message) from None
    spelling = grammar.format(operations)
    if spelling != text:
        raise _refusal(f"The operations of this key have one spelling: {spelling}")
    return operations


def _tail(variant: Variant) -> str:
    return f"{variant.original.account}/{_path(variant.original)}.{variant.format}"


def _path(source: Original) -> str:
    if source.image is not None:
        return source.image
    if source.key is None:
        raise ValueError("An original has an image id or a source key.")
    if re.fullmatch(PLAIN_KEY, source.key):
        return f"s/{source.key}"
    return f"b/{urlsafe_b64encode(source.key.encode()).decode().rstrip('=')}"


def _read_path(account: str, path: str) -> Original:
    if ids.is_id(path):
        return Original(account, image=path)
    kind, _, text = path.partition("/")
    key = text if kind == "s" else _decoded(text) if kind == "b" else None
    if key is None:
        raise _refusal("The path must be an image id, s/ and a source key, or b/ and a source key in base64url.")
    reason = _unfit(key)
    if reason:
        raise _refusal(reason)
    source = Original(account, key=key)
    if _path(source) != path:
        raise _refusal(f"The path of this original has one spelling: {_path(source)}")
    return source


def _decoded(text: str) -> str | None:
    """The key in base64url; None when it is none. The spare bits of the last letter are left to the caller."""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return None


def _unfit(key: str) -> str | None:
    """Why no source can hold an original of this key; None when it can."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "The source key is not valid Unicode."
    if size > LONGEST_SOURCE_KEY:
        return f"The source key has {size} bytes in UTF-8; at most {LONGEST_SOURCE_KEY} are allowed."
    if re.search(CONTROL, key):
        return "The source key has control characters."
    if {"", ".", ".."} & set(key.split("/")):
        return "The source key has an empty part, '.' or '..' between its slashes."
    return None


def _short_enough(key: str) -> str:
    if len(key) > LONGEST_KEY:
        raise _refusal(f"The key would have {len(key)} bytes; at most {LONGEST_KEY} are allowed.")
    return key


def _refusal(sentence: str) -> BadRequest:
    return BadRequest(sentence, field="key")
