"""Animated GIF and WebP: frames, how long each is shown, and how often all of them.

Each frame costs what a picture costs, so the limits count the megapixels of all frames: 100 frames; of the original
50 megapixels, for profile hq 16; of the result what 4 s of CPU can make at worst, 50 at most. See `_limit`, and the
measured rows in opening.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from PIL import GifImagePlugin, WebPImagePlugin
from PIL.Image import Dither, Image

from chalicelib.delivery.encode import checked, fitting, palette, promising
from chalicelib.delivery.geometry import Plan
from chalicelib.delivery.opening import Original, refusals
from chalicelib.delivery.operations import QUALITY, Operations
from chalicelib.delivery.pages import MAX_FRAME_PIXELS, check_frames
from chalicelib.delivery.similarity import sample
from chalicelib.errors import TooLarge
from chalicelib.pixels.opening import unusable_if_unreadable

FORMATS = frozenset({"gif", "webp"})
_LOADED = (GifImagePlugin, WebPImagePlugin)  # Pillow knows a format once its module is loaded
_MAX_HQ_PIXELS = 16_000_000
_RESULT_MS = 4000
_FRAME_MS = {"gif": 70, "webp": 200}  # for a megapixel of noise with alpha: resize, encode
_WORK_MS = {"blur": 70, "sharpen": 90, "watermark": 20}
_HQ_MS = 70
_LOOKED_AT = 1_000_000  # pixels of all frames by which colors or a quality are chosen
_SAMPLED = 10  # frames


def check(original: Original, planned: Plan, operations: Operations, format: str) -> None:
    """Raises TooLarge for more frames, or more pixels in them, than an animation may have."""
    with refusals():
        check_frames(original.frames, original.size)
    width, height = planned.canvas or planned.size
    hq = operations.profile == "hq"
    _check_pixels("animation", original.frames, original.size, _MAX_HQ_PIXELS if hq else MAX_FRAME_PIXELS)
    _check_pixels("result", original.frames, (width, height), _limit(operations, format))


def _limit(operations: Operations, format: str) -> int:
    """Pixels that all frames of a result may have: the dearer one pixel, the fewer."""
    cost = _FRAME_MS[format] + (_HQ_MS if operations.profile == "hq" else 0)
    cost += sum(ms for name, ms in _WORK_MS.items() if getattr(operations, name))
    if operations.max is not None and format == "webp":
        cost += _FRAME_MS[format]  # it may be written twice
    return min(MAX_FRAME_PIXELS, _RESULT_MS * 1_000_000 // cost)


def _check_pixels(what: str, count: int, size: tuple[int, int], limit: int) -> None:
    pixels = count * size[0] * size[1]
    if pixels > limit:
        raise TooLarge(
            f"The {what}'s {count} frames have {pixels / 1e6:.0f} megapixels in all; with these operations the limit"
            f" is {limit / 1e6:.0f}. Ask for a smaller picture, or for less to be done to it."
        )


def images(original: Original) -> Iterator[tuple[Image, int]]:
    """Each frame as it is shown, drawn over those before it, and for how many milliseconds.

    It is the same image each time, changed. Raises Unprocessable for a broken frame.
    """
    image = original.take()
    for frame in range(original.frames):
        with refusals(), unusable_if_unreadable(original.data, original.kind):
            image.seek(frame)
            image.load()
        yield image, int(image.info.get("duration", 0))


def drawn(frame: Image, count: int, format: str) -> Image:
    """One of `count` frames as `encode` takes them: of a GIF 256 colors of its own, so that no more need be held.

    frame: as `encode.encode` takes a picture.
    """
    return palette(frame, Dither.NONE, _LOOKED_AT // count) if format == "gif" else frame


def encode(
    frames: Sequence[Image], durations: Sequence[int], original: Original, operations: Operations, format: str
) -> bytes:
    """frames: as `drawn` gives them; the loop is the original's.

    Raises TooLarge over 20 MB, Unprocessable when it does not fit into `max` at three eighths of the quality at which
    it should.
    """
    options: dict[str, Any] = {"save_all": True, "duration": list(durations)}
    if format == "gif":
        transparent = any("transparency" in frame.info for frame in frames)
        options |= {"disposal": 2 if transparent else 1, "optimize": False} | (
            {} if original.loop == 1 else {"loop": original.loop}
        )
        return checked(fitting(lambda _: _saved(frames, "GIF", options), 0, operations.max))
    options |= {"method": 0, "loop": original.loop}
    quality = operations.q if isinstance(operations.q, int) else QUALITY["webp"]
    if operations.max is not None:
        quality = _promising(frames, options, quality, operations.max)
    return checked(fitting(lambda at: _saved(frames, "WEBP", options | {"quality": at}), quality, operations.max))


def _promising(frames: Sequence[Image], options: dict[str, Any], quality: int, limit: int) -> int:
    """The highest quality at which the file should have at most `limit` bytes, as strips of some frames tell.

    Two runs of frames, so that the sample, too, has frames that are told by what has changed.
    """
    run = _SAMPLED // 2
    late = max(run, len(frames) * 2 // 3 - run)
    chosen = [*frames[:run], *frames[late : late + run]]
    parts = [sample(frame, _LOOKED_AT // len(chosen)) for frame in chosen]
    share = sum(part.width * part.height for part in parts) / sum(frame.width * frame.height for frame in frames)
    few = options | {"duration": options["duration"][0] or 1}
    return promising(lambda at: len(_saved(parts, "WEBP", few | {"quality": at})) / share, quality, limit)


def _saved(frames: Sequence[Image], name: str, options: dict[str, Any]) -> bytes:
    out = BytesIO()
    frames[0].save(out, name, append_images=frames[1:], **options)
    return out.getvalue()
