"""Sizes and boxes: what part of the original, at what size, on what canvas. Pure arithmetic.

fit      with w and h                                                  enlarging
inside   the whole picture, at most w x h                              only when asked
outside  the whole picture, at least w x h                             only when asked
cover    w x h, what does not fit is cut off around the gravity        only when asked: else smaller, of the same shape
contain  the whole picture, in the middle of a canvas of w x h         only when asked; the canvas is w x h in any case
fill     w x h, stretched                                              only when asked, for each side alone

With only one of them the other follows from the picture's shape; with neither the picture keeps its size. No result is
larger than 4096 pixels a side or 11.2 megapixels (4096 x 2730), so that encoding it fits into the memory and the time
of a request: what would be, is made smaller and keeps its shape.
`crop` comes first, then the fit; `rotate`, `flip` and `flop` come last, so that crop and gravity speak of the upright
original, but w and h of the result.
"""

import msgspec

from chalicelib.delivery.operations import LARGEST_SIDE, Operations
from chalicelib.errors import BadRequest

type Box = tuple[int, int, int, int]
type Size = tuple[int, int]
type Point = tuple[float, float]

LARGEST_AREA = 11_200_000

COMPASS: dict[str, Point] = {
    "northwest": (0.0, 0.0),
    "north": (0.5, 0.0),
    "northeast": (1.0, 0.0),
    "west": (0.0, 0.5),
    "center": (0.5, 0.5),
    "east": (1.0, 0.5),
    "southwest": (0.0, 1.0),
    "south": (0.5, 1.0),
    "southeast": (1.0, 1.0),
}


class Plan(msgspec.Struct, frozen=True):
    """crop: left, top, right, bottom in pixels of the upright original, None for all of it.

    size: what that box is resized to. canvas: the size to pad that to, the picture in its middle.
    Sizes are those before `rotate`.
    """

    crop: Box | None
    size: Size
    canvas: Size | None = None


def plan(width: int, height: int, operations: Operations, focus: Point = (0.5, 0.5)) -> Plan:
    """How an upright original of width x height becomes what `operations` ask for.

    focus: where gravity smart and faces point, in fractions of the upright original.
    Raises BadRequest for a crop that reaches outside the original.
    """
    box = region(width, height, operations)
    w, h = _target(operations)
    if operations.fit == "cover" and w and h:
        box = _cover(box, (w, h), _focus(width, height, box, operations, focus))
    crop = None if box == (0, 0, width, height) else box
    size = _size(extent(box), w, h, operations)
    if operations.fit == "contain" and w and h and size != (w, h):
        return Plan(crop, size, (w, h))
    return Plan(crop, size)


def anchored(size: Size, place: Point, within: Size) -> Size:
    """Left and top of a box of `size` that lies at `place` (fractions) within another."""
    return round((within[0] - size[0]) * place[0]), round((within[1] - size[1]) * place[1])


def scaled_inside(size: Size, bounds: Size, *, enlarge: bool = False) -> Size:
    """The size of the same shape, at most `bounds`; never below one pixel."""
    scale = min(bounds[0] / size[0], bounds[1] / size[1])
    return _scaled(size, scale if enlarge else min(1.0, scale))


def region(width: int, height: int, operations: Operations) -> Box:
    """What `crop` leaves of the upright original."""
    if operations.crop is None:
        return 0, 0, width, height
    x, y, w, h = operations.crop
    if min(x, y) < 0 or min(w, h) < 1 or x + w > width or y + h > height:
        raise BadRequest(
            f"crop:{x}:{y}:{w}:{h} reaches outside the image of {width} x {height} pixels.", field="operations"
        )
    return x, y, x + w, y + h


def _target(operations: Operations) -> tuple[int | None, int | None]:
    """w and h in pixels of the picture before `rotate`."""
    sides = [side and max(1, round(side * operations.dpr)) for side in (operations.w, operations.h)]
    if operations.rotate in (90, 270):
        sides.reverse()
    w, h = sides
    return _within_area((w, h)) if w and h else (w, h)


def _focus(width: int, height: int, region: Box, operations: Operations, focus: Point) -> Point:
    """In pixels of the upright original. A compass word speaks of what `crop` has left, a point of the original."""
    if place := COMPASS.get(operations.gravity):
        across, down = extent(region)
        return region[0] + place[0] * across, region[1] + place[1] * down
    x, y = operations.focal or focus
    return x * width, y * height


def _cover(region: Box, target: Size, focus: Point) -> Box:
    """The largest part of the region that has the target's shape, as near to the focus as it can lie."""
    across, down = extent(region)
    wide = max(1, min(across, round(down * target[0] / target[1])))
    tall = max(1, min(down, round(across * target[1] / target[0])))
    left = min(max(round(focus[0] - wide / 2), region[0]), region[2] - wide)
    top = min(max(round(focus[1] - tall / 2), region[1]), region[3] - tall)
    return left, top, left + wide, top + tall


def _size(size: Size, w: int | None, h: int | None, operations: Operations) -> Size:
    fit, enlarge = operations.fit, operations.enlarge
    if w is None or h is None or fit in ("inside", "contain"):
        enlarge = enlarge and (w, h) != (None, None)
        return _within_area(scaled_inside(size, (w or LARGEST_SIDE, h or LARGEST_SIDE), enlarge=enlarge))
    if fit == "outside":
        return _within_area(_outside(size, (w, h), enlarge=enlarge))
    if enlarge:
        return w, h
    if fit == "cover":
        return (w, h) if w <= size[0] and h <= size[1] else scaled_inside((w, h), size)
    return min(w, size[0]), min(h, size[1])


def _outside(size: Size, bounds: Size, *, enlarge: bool) -> Size:
    scale = max(bounds[0] / size[0], bounds[1] / size[1])
    return scaled_inside(_scaled(size, scale if enlarge else min(1.0, scale)), (LARGEST_SIDE, LARGEST_SIDE))


def _within_area(size: Size) -> Size:
    return _scaled(size, min(1.0, (LARGEST_AREA / (size[0] * size[1])) ** 0.5))


def _scaled(size: Size, scale: float) -> Size:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def extent(box: Box) -> Size:
    return box[2] - box[0], box[3] - box[1]


def as_stored(box: Box, size: Size, orientation: int) -> Box:
    """A box of the upright picture (of `size`) in the picture as it is stored, EXIF orientation 1 to 8."""
    left, top, right, bottom = box
    width, height = size
    mirrored, upturned = (width - right, width - left), (height - bottom, height - top)
    across = mirrored if orientation in (2, 3, 6, 7) else (left, right)
    down = upturned if orientation in (3, 4, 7, 8) else (top, bottom)
    if orientation >= 5:
        across, down = down, across
    return across[0], down[0], across[1], down[1]
