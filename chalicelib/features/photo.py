"""The pixels that every property is computed from."""

import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Photo:
    """A photograph's working copy.

    rgb: (rows, columns, 3) uint8, sRGB, long side at most 512.
    width, height: pixels of the original after its orientation was applied.
    """

    rgb: NDArray[np.uint8]
    width: int
    height: int

    @classmethod
    def open(cls, jpeg: bytes, width: int, height: int) -> Self:
        """Decode a working copy made by `images.working_copy`. Raises OSError when the bytes are not an image."""
        from PIL import Image

        with Image.open(io.BytesIO(jpeg)) as image:
            return cls(np.asarray(image.convert("RGB")), width, height)

    def resized(self, width: int, height: int) -> NDArray[np.uint8]:
        """The whole picture at another size, (height, width, 3) uint8, by bicubic interpolation."""
        from PIL import Image

        image = Image.fromarray(self.rgb).resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(image)
