"""Which posts show the same picture: the same image, or near duplicates by perceptual hash.

They must never stand on both sides of a split, or a model is praised for remembering.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Hashes = NDArray[np.uint64]

NEAR = 6  # bits of 64 that a near duplicate may differ in


def groups(images: Sequence[str], hashes: Sequence[int | None]) -> Numbers:
    """A number for each post, (n,), from 0 in the order of first appearance; the same for what shows the same.

    images: (n,) ids. hashes: (n,) of 64 bits; images without one stand alone. Likeness is passed on: what is near a
    near duplicate is in its group too.
    """
    import numpy as np

    # One picture for each hash, and one for each image without; so 10,000 copies are one picture.
    keys = [image if phash is None else phash for image, phash in zip(images, hashes, strict=True)]
    hashed = [key for key in dict.fromkeys(keys) if isinstance(key, int)]
    alike = dict(zip(hashed, near(np.array(hashed, np.uint64)).tolist(), strict=True))
    # Numbers of groups of hashes, and ids of images: never equal.
    names = [alike[key] if isinstance(key, int) else key for key in keys]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], np.int64)


def near(hashes: Hashes) -> Numbers:
    """A number for each hash, the same for those that steps of at most NEAR bits lead between. hashes: (u,) distinct.

    From one hash to all near it, and on from those, until nothing is left: at most u squared / 2 comparisons (a second
    for 50,000), fewer the larger the groups, and no list of pairs that could outgrow the memory.
    """
    import numpy as np

    numbers = np.zeros(len(hashes), np.int64)
    left, places, group = hashes, np.arange(len(hashes)), 0
    while len(left):
        reached, group = [left[-1]], group + 1
        numbers[places[-1]] = group
        left, places = left[:-1], places[:-1]
        while reached:
            like = np.bitwise_count(left ^ reached.pop()) <= NEAR
            if like.any():
                reached += list(left[like])
                numbers[places[like]] = group
                left, places = left[~like], places[~like]
    return numbers
