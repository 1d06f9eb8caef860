"""How good a small picture is: SSIMULACRA2, 100 for no difference, beside the photo resized as light is.

The reference is the full decode, converted to sRGB and averaged by Lanczos over linear light.
`python -m bench.resize_judge` reads {photo, picture} a line and answers {score}; the photo judged last is kept.
"""

from __future__ import annotations

import io
import json
import sys
from importlib import import_module
from typing import Any

from PIL import Image, ImageCms, ImageOps


class Judge:
    def __init__(self) -> None:
        self.numpy = import_module("numpy")
        self.score = import_module("ssimulacra2").compute_ssimulacra2
        self.photo = ""
        self.light: list[Image.Image] = []
        self.references: dict[tuple[int, int], io.BytesIO] = {}

    def __call__(self, request: dict[str, Any]) -> dict[str, float]:
        if request["photo"] != self.photo:
            self.photo, self.light, self.references = request["photo"], self.linear(request["photo"]), {}
        with Image.open(request["picture"]) as picture:
            size = picture.size
        if size not in self.references:
            self.references[size] = self.reference(size)
        return {"score": float(self.score(self.references[size], request["picture"]))}

    def linear(self, photo: str) -> list[Image.Image]:
        with Image.open(photo) as image:
            upright = ImageOps.exif_transpose(image)
        if profile := image.info.get("icc_profile"):
            upright = converted(upright, profile)
        levels = self.numpy.arange(256, dtype=self.numpy.float64) / 255
        bent = ((levels + 0.055) / 1.055) ** 2.4
        table = self.numpy.where(levels <= 0.04045, levels / 12.92, bent).astype(self.numpy.float32)
        return [Image.fromarray(table[self.numpy.asarray(channel)]) for channel in upright.split()]

    def reference(self, size: tuple[int, int]) -> io.BytesIO:
        stream = io.BytesIO()
        Image.merge("RGB", [self.encoded(channel, size) for channel in self.light]).save(stream, "PNG")
        return stream

    def encoded(self, channel: Image.Image, size: tuple[int, int]) -> Image.Image:
        light = self.numpy.asarray(channel.resize(size, Image.Resampling.LANCZOS)).clip(0, 1)
        levels = self.numpy.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
        return Image.fromarray(self.numpy.rint(levels * 255).astype(self.numpy.uint8))


def converted(image: Image.Image, profile: bytes) -> Image.Image:
    """In sRGB."""
    own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB")) or image


def main() -> None:
    judge = Judge()
    for line in sys.stdin:
        print(json.dumps(judge(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
