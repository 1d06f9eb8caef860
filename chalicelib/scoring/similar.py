"""A customer's own posts that look most like an image, with what they earned: evidence that a person can check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SHOWN = 3
ITSELF = 1e-6  # squared distance: the places of an artifact are in single precision
DIGITS = 6  # of an engagement that is shown


@dataclass(frozen=True)
class Similar:
    """image: id. engagement: as the customer knows it, a count or a rate."""

    image: str
    engagement: float


@dataclass(frozen=True)
class Posts:
    """images: (t,) ids, each but once, in the order of the model's `domain.places`. engagement: (t,)."""

    images: NDArray[np.str_]
    engagement: Array

    def nearest(self, squares: Array) -> list[list[Similar]]:
        """squares: (n, t) squared distances of n images to the posts. Returns up to SHOWN for each, nearest first.

        An image that is one of the posts is not its own evidence.
        """
        import numpy as np

        squares = np.where(squares < ITSELF, np.inf, squares)
        shown = min(SHOWN, squares.shape[1])
        near = np.argpartition(squares, shown - 1, axis=1)[:, :shown]
        order = np.take_along_axis(near, np.take_along_axis(squares, near, 1).argsort(1), 1)
        found = np.take_along_axis(squares, order, 1)
        return [
            [
                Similar(image, float(f"{engagement:.{DIGITS}g}"))
                for image, engagement, square in zip(*each, strict=True)
                if square < np.inf
            ]
            for each in zip(self.images[order].tolist(), self.engagement[order].tolist(), found.tolist(), strict=True)
        ]
