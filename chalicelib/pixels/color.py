"""Pixels of any layout to pixels that can be averaged, shown on a page, and told to be sRGB."""

from io import BytesIO
from typing import TYPE_CHECKING

from chalicelib.pixels.opening import Unusable

if TYPE_CHECKING:
    from PIL.Image import Image

AVERAGED = ("L", "LA", "RGB", "RGBA", "CMYK", "LAB")


def resizable(image: "Image") -> "Image":
    """Pixels of a mode that can be averaged: L, LA, RGB, RGBA, CMYK or LAB."""
    if image.mode in ("I", "F"):
        raise Unusable("The image has 32-bit samples; the limit is 16 bits.")
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 257).convert("L")
    if image.mode in ("L", "RGB", "P", "1") and image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in AVERAGED:
        return image
    return image.convert({"1": "L", "PA": "RGBA", "RGBa": "RGBA", "La": "LA"}.get(image.mode, "RGB"))


def flat(image: "Image", page_color: str | tuple[int, ...] = "white") -> "Image":
    """Without transparency: over one color, as a page would show it."""
    if image.mode not in ("LA", "RGBA"):
        return image
    from PIL.Image import new

    page = new(image.mode[:-1], image.size, page_color)
    page.paste(image.convert(page.mode), mask=image.getchannel("A"))
    return page


def to_srgb(image: "Image", profile: bytes | None, mode: str = "RGB") -> "Image":
    """The image in sRGB, of `mode`; a profile that is broken or made for another kind of image is ignored."""
    from PIL import ImageCms

    try:
        if image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif profile:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
        else:
            return image.convert(mode)
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        return ImageCms.profileToProfile(image, source, srgb, outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image.convert(mode)


def in_srgb(image: "Image", profile: bytes | None) -> "Image":
    """The image in sRGB with what it has of gray and transparency: L, LA, RGB or RGBA from any of AVERAGED.

    YCbCr without a profile stays so.
    """
    if image.mode in ("L", "LA", "RGB", "RGBA", "YCbCr") and (not profile or _is_srgb(profile)):
        return image
    if image.mode in ("LA", "RGBA"):
        opaque = in_srgb(image.convert(image.mode[:-1]), profile)
        opaque.putalpha(image.getchannel("A"))
        return opaque
    converted = to_srgb(image.convert("RGB") if image.mode == "YCbCr" else image, profile)
    return converted.convert("L") if image.mode == "L" else converted


def _is_srgb(profile: bytes) -> bool:
    """Told from its name, as every camera and editor writes it: a transform would cost as much as a small resize."""
    from PIL import ImageCms

    try:
        name = ImageCms.ImageCmsProfile(BytesIO(profile)).profile.profile_description or ""
    except (OSError, ValueError, TypeError):
        return True  # broken, so of no use
    return "srgb" in name.lower() and "linear" not in name.lower()
