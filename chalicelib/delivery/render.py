"""One original, the operations of one URL, and a format: the picture that is delivered.

    render(data, operations, format)
      limits and header (opening) -> plan (geometry) -> decode, a JPEG already reduced -> crop and resize in one step
      -> ICC to sRGB -> EXIF orientation -> blur, sharpen -> rotate, flip, flop -> contain -> background -> watermark
      -> encode without metadata

All that can be is done on the small picture. Nothing is decoded before the limits are checked. Safe to call from
several threads. Only `q:auto` and the gravities smart and faces load numpy.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import msgspec
from PIL.Image import Image

from chalicelib.delivery import animation, encode, focus, paint
from chalicelib.delivery.focus import FaceBox
from chalicelib.delivery.geometry import Plan, extent, plan, region
from chalicelib.delivery.opening import Original, open_original
from chalicelib.delivery.operations import LARGEST_SIDE, Operations
from chalicelib.delivery.source import Level, Source, decoded
from chalicelib.errors import ProofsheetError, Unprocessable

OPAQUE = frozenset({"jpg"})


class Rendered(msgspec.Struct, frozen=True):
    """body: the file. animated, transparent: whether the original's page is, whatever became of it in this format."""

    body: bytes
    content_type: str
    width: int
    height: int
    animated: bool
    transparent: bool


type Rung = tuple[int, Rendered | ProofsheetError]


class Asides(msgspec.Struct, frozen=True):
    """What the operations may speak of beside the original: its faces, other images by their ids."""

    faces: Sequence[FaceBox]
    watermarks: Mapping[str, bytes]


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
    marks = {operations.watermark.id: watermark} if operations.watermark and watermark is not None else {}
    ((_, made),) = ladder(data, [(operations, format)], faces=faces, watermarks=marks)
    if isinstance(made, ProofsheetError):
        raise made
    return made


def ladder(
    data: bytes,
    wanted: Sequence[tuple[Operations, str]],
    *,
    faces: Sequence[FaceBox] = (),
    watermarks: Mapping[str, bytes] | None = None,
) -> Iterator[Rung]:
    """Several pictures of one original from one decode of each `page`: each as it is made, with its place in `wanted`.

    The largest is made first, and each smaller one from the smallest before it that is at least as large.
    watermarks: the files of the images to lay over, by their ids.
    What cannot be made comes as its refusal (BadRequest, Unprocessable, TooLarge) and stops no other. Raises
    Unprocessable or TooLarge at the first step when the original itself cannot be shown.
    """
    asides = Asides(faces, watermarks or {})
    for page in sorted({operations.page for operations, _ in wanted}):
        rungs = {at: each for at, each in enumerate(wanted) if each[0].page == page}
        original = _opened(data, page)
        if isinstance(original, ProofsheetError):
            yield from ((at, original) for at in rungs)
            continue
        moving = {at for at in rungs if original.frames > 1 and rungs[at][1] in animation.FORMATS}
        yield from _stills(original, {at: rungs[at] for at in rungs if at not in moving}, asides)
        for at in moving:
            yield at, _made(partial(_moving, data, *rungs[at], asides))


def _made[T](make: Callable[[], T]) -> T | ProofsheetError:
    """What is made, or why it cannot be."""
    try:
        return make()
    except ProofsheetError as refusal:
        refusal.__traceback__ = None  # it would hold the pixels
        return refusal


def _opened(data: bytes, page: int) -> Original | ProofsheetError:
    """Raises Unprocessable or TooLarge when nothing of the original can be opened, and not this page alone."""
    original = _made(partial(open_original, data, page))
    if isinstance(original, ProofsheetError):
        open_original(data)
    return original


def _stills(original: Original, wanted: Mapping[int, tuple[Operations, str]], asides: Asides) -> Iterator[Rung]:
    """All from one decode, the largest first."""
    plans: dict[int, Plan] = {}
    for at, (operations, _) in wanted.items():
        planned = _made(partial(plan, *original.upright_size, operations))
        if isinstance(planned, ProofsheetError):
            yield at, planned
        else:
            plans[at] = planned
    if not plans:
        return
    margins = [(planned, wanted[at][0].profile == "hq") for at, planned in plans.items()]
    page = wanted[next(iter(plans))][0].page
    source = _made(partial(decoded, original, page, margins))
    if isinstance(source, ProofsheetError):
        if page == 0:
            raise source
        yield from ((at, source) for at in plans)
        return
    for at in sorted(plans, key=lambda at: plans[at].size, reverse=True):
        yield at, _made(partial(_still, source, *wanted[at], asides))


def _still(source: Source, operations: Operations, format: str, asides: Asides) -> Rendered:
    planned = _planned(source, operations, asides)
    full_color = encode.keeps_full_color(format, operations)
    picture = source.picture(planned, hq=operations.profile == "hq", full_color=full_color)
    transparent = paint.is_transparent(picture)
    mark = _mark(operations, asides, planned)  # not before the original's pixels are gone
    picture = _painted(picture, planned, operations, format, mark)
    body = encode.encode(picture, format, operations, source.original.notice)
    return Rendered(
        body,
        encode.CONTENT_TYPES[format],
        *picture.size,
        animated=source.original.frames > 1,
        transparent=transparent,
    )


def _moving(data: bytes, operations: Operations, format: str, asides: Asides) -> Rendered:
    """Every frame as a still picture would be; gravity is found in the first."""
    original = open_original(data)
    rough = plan(*original.upright_size, operations)
    animation.check(original, rough, operations, format)
    mark = _mark(operations, asides, rough)
    planned: Plan | None = None
    transparent = False
    frames: list[Image] = []
    durations: list[int] = []
    for image, duration in animation.images(original):
        source = Source(original, [Level(image, (1.0, 1.0), original.profile)])
        planned = planned or _planned(source, operations, asides)
        picture = source.picture(planned, hq=operations.profile == "hq")
        transparent = transparent or paint.is_transparent(picture)
        picture = _painted(picture, planned, operations, format, mark)
        frames.append(animation.drawn(picture, original.frames, format))
        durations.append(duration)
    body = animation.encode(frames, durations, original, operations, format)
    return Rendered(body, encode.CONTENT_TYPES[format], *frames[0].size, animated=True, transparent=transparent)


def _planned(source: Source, operations: Operations, asides: Asides) -> Plan:
    """The plan, once it is known where smart gravity and faces point."""
    width, height = source.original.upright_size
    planned = plan(width, height, operations)
    if operations.gravity not in ("smart", "faces") or operations.fit != "cover" or planned.crop is None:
        return planned
    box = region(width, height, operations)
    (wide, tall), (across, down) = extent(planned.crop), extent(box)
    window = wide / across, tall / down
    boxes = focus.within(asides.faces, (box[0] / width, box[1] / height, across / width, down / height))
    found = focus.faces(boxes, window) if operations.gravity == "faces" else None
    x, y = found or focus.smart(_thumbnail(source, box), window)
    return plan(width, height, operations, ((box[0] + x * across) / width, (box[1] + y * down) / height))


def _thumbnail(source: Source, box: tuple[int, int, int, int]) -> Image:
    small = Source(source.original, source.levels).part(box, focus.THUMBNAIL)
    return paint.grounded(small, Operations(), opaque=True).convert("RGB")


def _painted(picture: Image, planned: Plan, operations: Operations, format: str, mark: Image | None) -> Image:
    if "A" in picture.mode and not paint.is_transparent(picture):
        picture = picture.convert(picture.mode[:-1])
    opaque = format in OPAQUE
    if picture.mode == "YCbCr" and (format != "jpg" or paint.changes_colors(operations, planned)):
        picture = picture.convert("RGB")
    picture = paint.turned(paint.filtered(picture, operations), operations)
    picture = paint.padded(picture, planned, operations, opaque=opaque)
    picture = paint.grounded(picture, operations, opaque=opaque)
    return (
        picture if mark is None or operations.watermark is None else paint.marked(picture, mark, operations.watermark)
    )


def _mark(operations: Operations, asides: Asides, planned: Plan) -> Image | None:
    """The watermark's picture as it lies on what is planned: upright, sRGB, RGBA."""
    if operations.watermark is None:
        return None
    data = asides.watermarks.get(operations.watermark.id)
    if data is None:
        raise Unprocessable("The image of the watermark is not there.")
    mark = open_original(data)
    side = LARGEST_SIDE // paint.WATERMARK_SHARE
    needed = plan(*mark.upright_size, Operations(w=side, h=side))
    picture = decoded(mark, 0, [(needed, False)]).picture(needed).convert("RGBA")
    return paint.faded(picture, planned.canvas or planned.size, operations.watermark)
