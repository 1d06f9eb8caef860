"""Making a variant, once: of many simultaneous first requests one renders and the others wait for it."""

from __future__ import annotations

import time

import msgspec

from chalicelib import log
from chalicelib.delivery import originals, presets, shelf
from chalicelib.delivery.operations import Operations
from chalicelib.delivery.originals import Found
from chalicelib.delivery.shelf import Stored
from chalicelib.delivery.variant import Original, Variant, format_key
from chalicelib.errors import NotFound, ProofsheetError, Unavailable
from chalicelib.store import AccountStore

# What a loser of the lock waits between two looks: in all less than the ten seconds that a visitor may.
PATIENCE_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)


class Wanted(msgspec.Struct, frozen=True):
    """One variant to serve. key: where it is stored; expires: when its address ends, in Unix seconds."""

    key: str
    original: Original
    operations: Operations
    format: str
    expires: int | None = None


class Ensured(msgspec.Struct, frozen=True):
    """A stored variant, and whether this request made it or waited for the one that did."""

    stored: Stored
    made: bool


def ensure(wanted: Wanted, found: Found, now: float) -> Ensured:
    """The variant, stored. Raises Unavailable when another request has been making it for some seconds."""
    stored = shelf.look(wanted.key)
    return make_or_wait(wanted, found, now) if stored is None else Ensured(stored, made=False)


def make_or_wait(wanted: Wanted, found: Found, now: float) -> Ensured:
    """The same for a variant that was not there a moment ago."""
    for seconds in (*PATIENCE_SECONDS, 0):
        if shelf.lock(wanted.original, wanted.key, now):
            return _make_locked(wanted, found, now)
        time.sleep(seconds)
        now += seconds
        stored = shelf.look(wanted.key)
        if stored is not None:
            return Ensured(stored, made=False)
    raise Unavailable("This variant is being made; try again in a moment.")


def _make_locked(wanted: Wanted, found: Found, now: float) -> Ensured:
    """Whoever held the lock before us may have made it between our look and our lock."""
    try:
        stored = shelf.look(wanted.key)
        ensured = Ensured(make(wanted, found), made=True) if stored is None else Ensured(stored, made=False)
    except ProofsheetError as refusal:
        shelf.refuse(wanted.original, wanted.key, refusal, now)
        raise
    except Exception:
        shelf.unlock(wanted.original, wanted.key)
        raise
    shelf.unlock(wanted.original, wanted.key)
    return ensured


def make(wanted: Wanted, found: Found) -> Stored:
    """Read the original, render, store. Raises NotFound, TooLarge, Unprocessable."""
    from chalicelib.delivery.render import render

    started = time.perf_counter()
    data = originals.read(found)
    rendered = render(data, wanted.operations, wanted.format, faces=faces(wanted), watermark=watermark(wanted))
    stored = shelf.put(wanted.key, rendered)
    log.metrics(
        VariantMade=(1, "Count"),
        VariantMs=(round((time.perf_counter() - started) * 1000, 1), "Milliseconds"),
        VariantBytesSaved=(max(0, found.size - stored.size), "Bytes"),
    )
    take_back_if_deleted(wanted)
    return stored


def take_back_if_deleted(wanted: Wanted) -> None:
    """Raises NotFound when the original was deleted while its variant was made; nothing of it stays."""
    try:
        originals.find(wanted.original)
    except NotFound:
        shelf.withdraw(wanted.original, wanted.key)
        raise


def faces(wanted: Wanted) -> list[tuple[float, float, float, float]]:
    """Boxes (x, y, w, h) in fractions of the image, where it was looked at; none of a source original."""
    if wanted.operations.gravity != "faces" or wanted.original.image is None:
        return []
    item = AccountStore(wanted.original.account).get("image", wanted.original.image) or {}
    return msgspec.json.decode(item.get("boxes", b"[]"), type=list[tuple[float, float, float, float]])


def watermark(wanted: Wanted) -> bytes | None:
    """The bytes of the image that is laid over this one: another of the same account. Raises NotFound."""
    if wanted.operations.watermark is None:
        return None
    overlay = Original(wanted.original.account, image=wanted.operations.watermark.id)
    try:
        return originals.read(originals.find(overlay))
    except NotFound:
        raise NotFound("There is no such image to lay over this one.", field="watermark") from None


# At upload


def of_preset(preset: presets.Preset, original: Original, version: str, format: str) -> Wanted:
    """One format of a preset, of this version of an original."""
    variant = Variant(original, Operations(version=preset.token(version)), format, preset=preset.name)
    return Wanted(format_key(variant), original, preset.wanted(), format)


def make_presets(account: str, image: str, now: float) -> None:
    """Make what the account wants of each image at upload, all from one decode. Twice makes nothing twice."""
    wishes = [preset for preset in presets.all_of(AccountStore(account)) if preset.at_upload]
    if not wishes:
        return
    original = Original(account, image=image)
    try:
        found = originals.find(original)
        each = [of_preset(wish, original, found.version, format) for wish in wishes for format in wish.formats()]
        _make_all([wanted for wanted in each if _is_ours(wanted, now)], found, now)
    except ProofsheetError as refusal:
        # Deleted, or an original that cannot be shown: whoever asks for such a variant is told.
        log.info("presets not made", image=image, reason=refusal.message)


def _is_ours(wanted: Wanted, now: float) -> bool:
    try:
        return shelf.look(wanted.key) is None and shelf.lock(wanted.original, wanted.key, now)
    except ProofsheetError:
        return False  # it was refused a moment ago


def _make_all(wanted: list[Wanted], found: Found, now: float) -> None:
    """Store each as soon as it is made; one that cannot be made does not stop the others."""
    from chalicelib.delivery.render import ladder

    left = dict(enumerate(wanted))
    try:
        data = originals.read(found) if wanted else b""
        boxes = next((known for each in wanted if (known := faces(each))), [])
        asked = [(each.operations, each.format) for each in wanted]
        for at, made in ladder(data, asked, faces=boxes, watermarks=_watermarks(wanted)) if wanted else ():
            each = left.pop(at)
            if isinstance(made, ProofsheetError):
                shelf.refuse(each.original, each.key, made, now)
            else:
                shelf.put(each.key, made)
                log.metric("VariantMade")
                shelf.unlock(each.original, each.key)
                take_back_if_deleted(each)
    finally:
        for each in left.values():
            shelf.unlock(each.original, each.key)


def _watermarks(wanted: list[Wanted]) -> dict[str, bytes]:
    """The images to lay over, by their ids; one that is gone is left out, and its presets are refused."""
    marks: dict[str, bytes] = {}
    for each in wanted:
        try:
            data = watermark(each)
        except ProofsheetError:
            continue
        if each.operations.watermark is not None and data is not None:
            marks[each.operations.watermark.id] = data
    return marks
