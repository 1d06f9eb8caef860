"""What is done to the small picture: filters, turns, canvas, background, watermark."""

from typing import TYPE_CHECKING

from PIL.Image import Image, Transpose
from PIL.Image import new as new_image
from PIL.ImageColor import getrgb
from PIL.ImageFilter import Filter, GaussianBlur, UnsharpMask

from chalicelib.delivery.geometry import COMPASS, Plan, Size, anchored, scaled_inside
from chalicelib.pixels.color import flat

if TYPE_CHECKING:
    from chalicelib.delivery.operations import Operations, Watermark

WATERMARK_SHARE = 4  # a watermark is at most a quarter of the result's shorter side
_TURNS = {90: Transpose.ROTATE_270, 180: Transpose.ROTATE_180, 270: Transpose.ROTATE_90}  # Pillow's turn the other way
_PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}


def is_transparent(image: Image) -> bool:
    return "A" in image.mode and image.getchannel("A").getextrema() != (255, 255)


def changes_colors(operations: "Operations", plan: Plan) -> bool:
    """Whether anything but turning is done to the picture."""
    return any((operations.blur, operations.sharpen, operations.watermark, plan.canvas))


def filtered(image: Image, operations: "Operations") -> Image:
    """blur: a Gaussian of that standard deviation. sharpen: an unsharp mask of 1 px and 100 % for each unit."""
    if operations.blur is not None:
        image = _filter(image, GaussianBlur(operations.blur))
    if operations.sharpen:
        image = _filter(image, UnsharpMask(1, round(100 * operations.sharpen), 0))
    return image


def _filter(image: Image, kernel: Filter) -> Image:
    """Colors count by their opacity, or what is hidden would bleed into what is seen."""
    return image.convert(_PREMULTIPLIED.get(image.mode, image.mode)).filter(kernel).convert(image.mode)


def turned(image: Image, operations: "Operations") -> Image:
    if operations.rotate:
        image = image.transpose(_TURNS[operations.rotate])
    if operations.flip:
        image = image.transpose(Transpose.FLIP_TOP_BOTTOM)
    return image.transpose(Transpose.FLIP_LEFT_RIGHT) if operations.flop else image


def padded(image: Image, plan: Plan, operations: "Operations", *, opaque: bool) -> Image:
    """In the middle of the plan's canvas: of color `bg`, without one transparent, or white when it must be opaque."""
    if plan.canvas is None:
        return image
    size = plan.canvas[::-1] if operations.rotate in (90, 270) else plan.canvas
    place = (size[0] - image.width) // 2, (size[1] - image.height) // 2
    if operations.bg is None and not opaque:
        canvas = new_image("RGBA", size)
        canvas.paste(image.convert("RGBA"), place)
        return canvas
    picture = grounded(image, operations, opaque=True)
    canvas = new_image(picture.mode, size, _background(operations))
    canvas.paste(picture, place)
    return canvas


def grounded(image: Image, operations: "Operations", *, opaque: bool) -> Image:
    """Transparency over `bg`, or over white when it must go and there is no `bg`."""
    if operations.bg is None and not opaque:
        return image
    if operations.bg is not None and image.mode in ("L", "LA"):
        image = image.convert("RGB" if image.mode == "L" else "RGBA")
    return flat(image, _background(operations))


def faded(mark: Image, size: Size, watermark: "Watermark") -> Image:
    """The mark as it lies on a picture of `size`: a quarter of its shorter side at most, and never enlarged.

    mark: RGBA, sRGB.
    """
    share = max(1, min(size) // WATERMARK_SHARE)
    small = mark.resize(scaled_inside(mark.size, (share, share)), reducing_gap=2.0)
    small.putalpha(small.getchannel("A").point([value * watermark.opacity / 100 for value in range(256)]))
    return small


def marked(image: Image, small: Image, watermark: "Watermark") -> Image:
    """With the faded mark at its place."""
    result = image.convert("RGBA" if "A" in image.mode else "RGB")
    place = anchored(small.size, COMPASS[watermark.position], image.size)
    if result.mode == "RGBA":
        result.alpha_composite(small, place)
    else:
        result.paste(small, place, small)
    return result


def _background(operations: "Operations") -> tuple[int, ...] | str:
    return "white" if operations.bg is None else getrgb(f"#{operations.bg}")
