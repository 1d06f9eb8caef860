"""Photos to measure with: rated ones of PROOFSHEET_DATA, and large ones made from those of scikit-image.

`python -m bench.photos FOLDER` makes the large ones. It is a process of its own so that its memory is not counted
as anybody else's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

LARGE = {
    "astronaut": (4000, 4000),
    "coffee": (4800, 3200),
    "chelsea": (4500, 2993),
    "rocket": (4608, 3074),
    "hubble_deep_field": (4400, 3837),
    "retina": (4472, 4472),
}
LARGEST = ("coffee", (8650, 5766))
ABSENT = """\
There are no rated photos in {folder}. The benchmark wants the OASIS photographs (Kurdi, Lozano and Banaji 2017) as
oasis/images/*.jpg in the folder that PROOFSHEET_DATA names; they come with the paper and with the public repository
ColinConwell/AffectExMachina."""


def rated(count: int) -> list[Path]:
    """An even sample of the rated photos. Exits with status 2 where there are none."""
    folder = Path(os.environ.get("PROOFSHEET_DATA", "../shared/data"))
    found = sorted((folder / "oasis" / "images").glob("*.jpg"))
    if not found:
        print(ABSENT.format(folder=folder), file=sys.stderr)
        raise SystemExit(2)
    return found[:: max(1, len(found) // count)][:count]


def large(folder: Path) -> list[Path]:
    """The six of 12 to 20 megapixels that `make` has put there."""
    return [folder / f"{name}.jpg" for name in LARGE]


def largest(folder: Path) -> dict[str, Path]:
    """The one of nearly 50 megapixels, in the two ways that a JPEG is coded."""
    return {coding: folder / f"largest-{coding}.jpg" for coding in ("baseline", "progressive")}


def make(folder: Path) -> None:
    for (name, size), path in zip(LARGE.items(), large(folder), strict=True):
        enlarged(name, size).save(path, "JPEG", quality=90)
    image = enlarged(*LARGEST)
    for coding, path in largest(folder).items():
        image.save(path, "JPEG", quality=85, subsampling=0, progressive=coding == "progressive")


def enlarged(name: str, size: tuple[int, int]) -> Image:
    """A photo of scikit-image at another size, with grain, so that it codes and decodes like a camera's."""
    import skimage.data
    from PIL import Image

    smooth = Image.fromarray(getattr(skimage.data, name)()).resize(size, Image.Resampling.BICUBIC)
    return Image.fromarray(grainy(smooth))


def grainy(image: Image) -> NDArray[np.uint8]:
    import numpy as np

    pixels = np.array(image)
    grain = np.random.default_rng(0).normal(0, 4, (256, pixels.shape[1], 1)).astype(np.int16)
    for top in range(0, len(pixels), len(grain)):
        strip = pixels[top : top + len(grain)]
        strip[:] = np.clip(strip + grain[: len(strip)], 0, 255)
    return pixels


if __name__ == "__main__":
    make(Path(sys.argv[1]))
