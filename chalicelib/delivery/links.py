"""Addresses of variants: for callers of `POST /urls`, and for the redirects that say a version or a format."""

from __future__ import annotations

import msgspec

from chalicelib import contract
from chalicelib.delivery import keys, negotiation, operations, originals, shelf, signature
from chalicelib.delivery.operations import Operations
from chalicelib.delivery.variant import AUTO, Variant, format_key, original, signed_text, with_format
from chalicelib.errors import BadRequest, Unprocessable
from chalicelib.settings import settings
from chalicelib.store import AccountStore


def create(store: AccountStore, request: contract.NewUrl, now: float) -> contract.Url:
    """Sign an address of this very version of the original. Raises NotFound, BadRequest, Unprocessable."""
    source = original(store.account, request.source)
    wanted = _wanted(request, originals.find(source).version, now)
    format = _format(request)
    key = _key(Variant(source, wanted, format))
    srcset = [
        f"{address(_key(Variant(source, msgspec.structs.replace(wanted, w=width), format)))} {width}w"
        for width in sorted(set(request.widths))
    ]
    return contract.Url(url=address(key), key=key, srcset=", ".join(srcset) or None)


def _wanted(request: contract.NewUrl, version: str, now: float) -> Operations:
    stated = operations.parse(request.operations)
    if stated.version is not None or stated.expires is not None:
        raise BadRequest("Version and expiry are set here, not by the caller.", field="operations")
    if request.widths and (stated.w is not None or stated.dpr != 1):
        raise Unprocessable("Either widths or w and dpr say how wide the image is.", field="widths")
    expires = None if request.expires_in is None else int(now) + request.expires_in
    return msgspec.structs.replace(stated, version=version, expires=expires)


def _format(request: contract.NewUrl) -> str:
    """What "auto" means is settled now for a visitor who takes WebP; others depend on the picture, too."""
    settled = request.format == AUTO and "webp" in negotiation.accepts(request.accept)
    return "webp" if settled else request.format


def purge(store: AccountStore, source: str) -> None:
    """Remove every variant of an original; whoever asks next makes it anew."""
    shelf.remove_all(original(store.account, source))


def _key(variant: Variant) -> str:
    return format_key(signed(with_format(variant, variant.format)))


def signed(variant: Variant) -> Variant:
    """The variant with a signature by the current key."""
    made = signature.sign(keys.key_ring(), variant.original.account, signed_text(variant))
    return msgspec.structs.replace(variant, signature=made)


def address(key: str) -> str:
    """Where visitors find a key."""
    return f"{settings().site_url}/{key}"
