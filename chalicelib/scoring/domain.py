"""How like its training images a model finds a photo.

Two looks, and the worse one counts. By content: the distance to the nearest training images, between embeddings of one
length, since what the network does not know it embeds near zero, which is near everything. By the scalar features:
noise and drawn shapes have embeddings like a photo's, but no photo's texture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Verdict = Literal["in", "edge", "out"]
NEIGHBORS = 5


@dataclass(frozen=True)
class Domain:
    """places: (t, k) of the training images, compressed from embeddings of one length.

    edge, out: (2,) limits, of the distance and of the oddity, that few images of unseen themes exceed.
    """

    places: Array
    edge: Array
    out: Array

    def __call__(self, places: Array, oddities: Array) -> list[Verdict]:
        """places: (n, k). oddities: (n,), see `regression.Scalars`."""
        return self.verdicts(squared_distances(places, self.places), oddities)

    def verdicts(self, squares: Array, oddities: Array) -> list[Verdict]:
        """squares: (n, t) squared distances to the training images."""
        import numpy as np

        looks = np.column_stack([nearness(squares), oddities])
        severities = (looks > self.edge).any(1) + 1 * (looks > self.out).any(1)
        verdicts: tuple[Verdict, ...] = ("in", "edge", "out")
        return [verdicts[severity] for severity in severities.tolist()]


def distances(places: Array, others: Array) -> Array:
    """Mean distance of each place (n, k) to its nearest NEIGHBORS among the others (t, k); returns (n,)."""
    return nearness(squared_distances(places, others))


def squared_distances(places: Array, others: Array) -> Array:
    """places: (n, k), others: (t, k). Returns (n, t); rounding may leave a little less than 0."""
    squares: Array = (places**2).sum(1)[:, None] + (others**2).sum(1) - 2 * places @ others.T
    return squares


def nearness(squares: Array) -> Array:
    """squares: (n, t) squared distances. Returns the mean of the NEIGHBORS smallest distances, (n,)."""
    import numpy as np

    nearest = np.partition(squares, NEIGHBORS - 1, axis=1)[:, :NEIGHBORS]
    return np.asarray(np.sqrt(np.maximum(nearest, 0)).mean(1))
