"""One original, the operations of one URL, and a format: the picture that is delivered.

    render(data, operations, format)
      limits and header (opening) -> plan (geometry) -> decode, a JPEG already reduced -> crop and resize in one step
      -> ICC to sRGB -> EXIF orientation -> blur, sharpen -> rotate, flip, flop -> contain -> background -> watermark
      -> encode without metadata

All that can be is done on the small picture. Nothing is decoded before the limits are checked. Safe to call from
several threads. The default path loads no numpy.
"""

from collections.abc import Sequence

import msgspec
from PIL.Image import Image

from chalicelib.delivery import encode, paint
from chalicelib.delivery.geometry import Plan, as_stored, plan
from chalicelib.delivery.opening import Original, decode, open_original, refusals
from chalicelib.delivery.operations import LARGEST_SIDE, Operations
from chalicelib.delivery.resampling import Area, decoder_scale, resample
from chalicelib.pixels.color import in_srgb
from chalicelib.pixels.upright import upright

OPAQUE = frozenset({"jpg"})

type FaceBox = tuple[float, float, float, float]


class Rendered(msgspec.Struct, frozen=True):
    """body: the file. animated, transparent: whether the original's page is, whatever became of it in this format."""

    body: bytes
    content_type: str
    width: int
    height: int
    animated: bool
    transparent: bool


class Source(msgspec.Struct):
    """Pixels to resize from, as stored. scale: their size as a fraction of the original's."""

    image: Image
    scale: float


def render(
    data: bytes,
    operations: Operations,
    format: str,
    *,
    faces: Sequence[FaceBox] = (),
    watermark: bytes | None = None,
) -> Rendered:
    """The picture in format jpg, png, webp, avif or gif.

    faces: (x, y, width, height) in fractions of the upright original. watermark: the file of the image to lay over.
    Raises Unprocessable for what cannot be decoded, TooLarge over a limit, BadRequest for what the original has not
    got: a page, or pixels where `crop` wants them.
    """
    original = open_original(data, operations.page)
    planned = plan(*original.upright_size, operations)
    source = _decoded(original, operations, planned)
    with refusals():
        picture = _resized(source, original, planned, operations)
    transparent = paint.is_transparent(picture)
    picture = _painted(picture, planned, operations, format, mark=_mark(operations, watermark))
    body = encode.encode(picture, format, operations, original.notice)
    return Rendered(
        body, encode.CONTENT_TYPES[format], *picture.size, animated=original.frames > 1, transparent=transparent
    )


def _decoded(original: Original, operations: Operations, planned: Plan) -> Source:
    size = planned.size
    box = planned.crop or (0, 0, *original.upright_size)
    margin = 2 if operations.profile == "hq" else None
    image, scale = decode(original, operations.page, decoder_scale((box[2] - box[0], box[3] - box[1]), size, margin))
    return Source(image, scale)


def _resized(source: Source, original: Original, planned: Plan, operations: Operations) -> Image:
    """The planned part at the planned size, upright and in sRGB."""
    box = as_stored(planned.crop or (0, 0, *original.upright_size), original.upright_size, original.orientation)
    size = planned.size if original.orientation < 5 else (planned.size[1], planned.size[0])
    small = resample(source.image, size, _area(box, source))
    return upright(in_srgb(small, original.profile), original.orientation)


def _area(box: tuple[int, int, int, int], source: Source) -> Area:
    left, top, right, bottom = (side * source.scale for side in box)
    return left, top, min(right, source.image.width), min(bottom, source.image.height)


def _painted(picture: Image, planned: Plan, operations: Operations, format: str, *, mark: Image | None) -> Image:
    if "A" in picture.mode and not paint.is_transparent(picture):
        picture = picture.convert(picture.mode[:-1])
    opaque = format in OPAQUE
    picture = paint.turned(paint.filtered(picture, operations), operations)
    picture = paint.padded(picture, planned, operations, opaque=opaque)
    picture = paint.grounded(picture, operations, opaque=opaque)
    return (
        picture if mark is None or operations.watermark is None else paint.marked(picture, mark, operations.watermark)
    )


def _mark(operations: Operations, data: bytes | None) -> Image | None:
    """The watermark's picture: upright, sRGB, RGBA, no larger than it can be needed."""
    if operations.watermark is None or data is None:
        return None
    mark = open_original(data)
    largest = Operations(w=LARGEST_SIDE // paint.WATERMARK_SHARE, h=LARGEST_SIDE // paint.WATERMARK_SHARE)
    planned = plan(*mark.upright_size, largest)
    source = _decoded(mark, largest, planned)
    with refusals():
        return _resized(source, mark, planned, largest).convert("RGBA")
