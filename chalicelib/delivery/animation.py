"""Animated GIF and WebP: frames, how long each is shown, and how often all of them.

At most 100 frames and 50 megapixels over all frames, of the original and of the result.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from PIL import GifImagePlugin, WebPImagePlugin
from PIL.Image import Dither, Image

from chalicelib.delivery.encode import checked, fitting, palette
from chalicelib.delivery.geometry import Plan
from chalicelib.delivery.opening import Original, refusals
from chalicelib.delivery.operations import QUALITY, Operations
from chalicelib.delivery.pages import check_frames
from chalicelib.pixels.opening import unusable_if_unreadable

FORMATS = frozenset({"gif", "webp"})
_LOADED = (GifImagePlugin, WebPImagePlugin)  # Pillow knows a format once its module is loaded


def check(original: Original, planned: Plan) -> None:
    """Raises TooLarge for more frames, or more pixels in them, than an animation may have."""
    with refusals():
        check_frames(original.frames, original.size)
        check_frames(original.frames, planned.canvas or planned.size)


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


def encode(
    frames: Sequence[Image], durations: Sequence[int], original: Original, operations: Operations, format: str
) -> bytes:
    """frames: as `encode.encode` takes them; the loop is the original's.

    Raises TooLarge over 20 MB, Unprocessable when it does not fit into `max` at three eighths of its quality.
    """
    options: dict[str, Any] = {"save_all": True, "duration": list(durations)}
    if format == "gif":
        drawn = [palette(frame, Dither.NONE) for frame in frames]
        transparent = any("transparency" in frame.info for frame in drawn)
        options |= {"disposal": 2 if transparent else 1, "optimize": False} | (
            {} if original.loop == 1 else {"loop": original.loop}
        )
        return checked(fitting(lambda _: _saved(drawn, "GIF", options), 0, operations.max))
    options |= {"method": 2, "loop": original.loop}
    quality = operations.q if isinstance(operations.q, int) else QUALITY["webp"]
    return checked(fitting(lambda at: _saved(frames, "WEBP", options | {"quality": at}), quality, operations.max))


def _saved(frames: Sequence[Image], name: str, options: dict[str, Any]) -> bytes:
    out = BytesIO()
    frames[0].save(out, name, append_images=frames[1:], **options)
    return out.getvalue()
