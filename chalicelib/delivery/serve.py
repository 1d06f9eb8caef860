"""From a key to an answer: what S3 could not serve is checked, made once, stored, and redirected to.

    parse the key -> signature (403), expiry (410) or preset -> the original's version must stand in the key; if not,
    redirect to the key where it does -> stored? redirect there : lock, read the original, render, store, redirect

| answer                           | Cache-Control                                                  |
|----------------------------------|----------------------------------------------------------------|
| 302 to a stored variant          | no-store: next time S3 answers by itself                       |
| 302 to the versioned address     | a minute: after that a replaced original is seen               |
| 302 by Accept (format auto)      | a day, and private: caches on the way seldom heed Vary         |
| bytes (inline=1)                 | a year, immutable; of an expiring address, the time left       |
| refusals 4xx, 5xx                | a minute, no-store                                             |

No state leads back here for ever: whoever was sent to the site with what we had just made, and comes again, finds it
stored, and is then sent to S3's own signed address, which redirects nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from chalicelib import contract, log
from chalicelib.delivery import keys, links, negotiation, originals, presets, shelf, signature
from chalicelib.delivery.making import Ensured, Wanted, ensure, make_or_wait, of_preset
from chalicelib.delivery.originals import Found
from chalicelib.delivery.shelf import Stored
from chalicelib.delivery.variant import (
    AUTO,
    Original,
    Variant,
    format_key,
    parse_key,
    private_key,
    signed_text,
    with_format,
    with_version,
)
from chalicelib.errors import Forbidden, Gone, ProofsheetError

VERSION_SECONDS = 60
REFUSED_SECONDS = 60
ACCEPT_SECONDS = 86_400
ADDRESS_SECONDS = 3600
INLINE_BYTES = 4 * 1024 * 1024
# AVIF is dear to make and slow to decode: it has to save this share of WebP's bytes.
AVIF_SAVES = 0.1
FALLBACK_STATUSES = frozenset({403, 404, 410, 413, 422})


class Visit(msgspec.Struct, frozen=True):
    """What a request says beside the key. now: Unix seconds."""

    inline: bool
    accept: str
    if_none_match: str
    now: float


class Outcome(msgspec.Struct, frozen=True):
    """The answer to a request."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


def resize(query: contract.ResizeQuery, accept: str, if_none_match: str, now: float) -> Outcome:
    """Answer `GET /resize`. Raises the refusals of the contract, unless a preset's fallback image stands in."""
    visit = Visit(query.inline == 1, accept, if_none_match, now)
    try:
        variant = parse_key(query.key)
        try:
            return serve(variant, visit)
        except ProofsheetError as refusal:
            return fallback(variant, query, refusal, visit)
    except Exception as failure:
        refused = isinstance(failure, ProofsheetError) and failure.STATUS_CODE < 500
        log.metric("VariantRefused" if refused else "VariantFailed")
        raise


def serve(variant: Variant, visit: Visit) -> Outcome:
    if variant.preset is not None:
        return by_preset(variant, variant.preset, visit)
    admit(variant, visit.now)
    return by_signature(variant, visit)


def admit(variant: Variant, now: float) -> None:
    """Raises Forbidden for a signature that is not ours, Gone when its time is over."""
    given = variant.signature or ""
    ring = keys.key_ring(given.partition(".")[0])
    signature.verify(ring, variant.original.account, given, signed_text(variant))
    if signature.expired(variant.operations, now):
        raise Gone("This address has expired.", field="key")


# What a key asks for


def by_signature(variant: Variant, visit: Visit) -> Outcome:
    if variant.operations.version is not None and variant.format != AUTO:
        stored = shelf.look(wanted_by(variant).key)
        if stored is not None:
            return answer(wanted_by(variant), Ensured(stored, made=False), visit)
    found = originals.find(variant.original)
    if outdated(variant, found):
        return to_version(links.signed(with_version(variant, found.version)))
    if variant.format == AUTO:
        return by_accept(lambda format: wanted_by(links.signed(with_format(variant, format))), found, visit)
    return answer(wanted_by(variant), make_or_wait(wanted_by(variant), found, visit.now), visit)


def outdated(variant: Variant, found: Found) -> bool:
    """Whether the key names no version, or one that is no more. A site's own versions are for the site to know."""
    version = variant.operations.version
    theirs = version is not None and variant.original.image is None and not version.startswith(originals.OURS)
    return not theirs and version != found.version


def wanted_by(variant: Variant) -> Wanted:
    """What a signed variant asks for; an expiring one is stored where S3 does not serve it by itself."""
    expires = variant.operations.expires
    key = format_key(variant) if expires is None else private_key(variant)
    return Wanted(key, variant.original, variant.operations, variant.format, expires)


def by_preset(variant: Variant, name: str, visit: Visit) -> Outcome:
    preset = presets.get(variant.original.account, name)
    if preset.format not in (AUTO, variant.format):
        raise Forbidden(f"The preset {name} gives {preset.format}.", field="key")
    found = originals.find(variant.original)
    if variant.operations.version != preset.token(found.version):
        return to_version(with_version(variant, preset.token(found.version)))
    if variant.format == AUTO:
        return by_accept(lambda format: of_preset(preset, variant.original, found.version, format), found, visit)
    wanted = of_preset(preset, variant.original, found.version, variant.format)
    return answer(wanted, ensure(wanted, found, visit.now), visit)


def by_accept(wanted: Callable[[str], Wanted], found: Found, visit: Visit) -> Outcome:
    """To the variant in the best format that this visitor's browser takes; each is stored under its own key."""
    format = best(lambda each: ensure(wanted(each), found, visit.now).stored, negotiation.accepts(visit.accept))
    chosen = wanted(format)
    cached = f"private, max-age={ACCEPT_SECONDS}" if chosen.expires is None else "no-store"
    return redirect(target(chosen, visit.now), cached, {"Vary": "Accept"})


def best(stored: Callable[[str], Stored], accepted: frozenset[str]) -> str:
    """The format to send somebody to who takes these newer ones. stored: makes the variant of a format."""
    if "webp" in accepted:
        webp = stored("webp")
        if "avif" not in accepted or webp.animated:
            return "webp"
        return "avif" if stored("avif").size <= (1 - AVIF_SAVES) * webp.size else "webp"
    jpg = stored("jpg")
    if jpg.animated:
        return "gif"
    return "avif" if "avif" in accepted else "png" if jpg.transparent else "jpg"


# Answers


def answer(wanted: Wanted, ensured: Ensured, visit: Visit) -> Outcome:
    stored = ensured.stored
    headers = {"X-Variant": "made" if ensured.made else "hit", "ETag": stored.etag}
    if not ensured.made:
        log.metric("VariantHit")
    if visit.inline and stored.size <= INLINE_BYTES:
        return inline(stored, {**headers, "Cache-Control": cache_control(wanted, visit.now)}, visit)
    # Who finds it stored has come from the site, which did not have it: see the top of this module.
    location = target(wanted, visit.now) if ensured.made else s3_address(wanted, visit.now)
    return redirect(location, "no-store", headers)


def inline(stored: Stored, headers: dict[str, str], visit: Visit) -> Outcome:
    if visit.if_none_match == "*" or stored.etag in re.split(r"\s*,\s*", visit.if_none_match):
        return Outcome(304, headers)
    return Outcome(200, {**headers, "Content-Type": stored.content_type}, shelf.read(stored))


def redirect(location: str, cache_control: str, headers: dict[str, str] | None = None) -> Outcome:
    return Outcome(302, {"Location": location, "Cache-Control": cache_control, **(headers or {})})


def to_version(variant: Variant) -> Outcome:
    """To the address that names this version of the original."""
    return redirect(links.address(format_key(variant)), f"public, max-age={VERSION_SECONDS}")


def target(wanted: Wanted, now: float) -> str:
    """Where a stored variant is served: by the site, unless its address expires."""
    return links.address(wanted.key) if wanted.expires is None else s3_address(wanted, now)


def s3_address(wanted: Wanted, now: float) -> str:
    seconds = min(ADDRESS_SECONDS, left(wanted, now))
    return shelf.signed_address(wanted.key, seconds, cache_control(wanted, now))


def cache_control(wanted: Wanted, now: float) -> str:
    return shelf.FOREVER if wanted.expires is None else f"private, max-age={left(wanted, now)}"


def left(wanted: Wanted, now: float) -> int:
    """Seconds for which the answer is good."""
    return shelf.YEAR if wanted.expires is None else max(1, wanted.expires - int(now))


def fallback(variant: Variant, query: contract.ResizeQuery, refusal: ProofsheetError, visit: Visit) -> Outcome:
    """The picture that a preset keeps for such a case, with the refusal's status; or else the refusal again."""
    name = query.default.removeprefix("preset:") if query.default else variant.preset
    if name is None or refusal.STATUS_CODE not in FALLBACK_STATUSES:
        raise refusal
    try:
        preset = presets.get(variant.original.account, name)
        if preset.fallback is None:
            raise refusal
        original = Original(variant.original.account, image=preset.fallback)
        found = originals.find(original)
        format = preset.formats()[-1]
        stored = ensure(of_preset(preset, original, found.version, format), found, visit.now).stored
        body = shelf.read(stored)
    except ProofsheetError:
        raise refusal from None
    if len(body) > INLINE_BYTES:
        raise refusal
    log.metric("VariantRefused")
    cached = f"public, max-age={REFUSED_SECONDS}"
    return Outcome(refusal.STATUS_CODE, {"Content-Type": stored.content_type, "Cache-Control": cached}, body)
