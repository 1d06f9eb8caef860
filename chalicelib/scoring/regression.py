"""The regression behind a score: a support vector machine on a compressed embedding and damped scalar features.

scikit-learn fits it at training time; here is what is left to do afterwards, in plain arrays.
Scholkopf and Smola, "Learning with Kernels", 2002.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

CLIP = 3.0  # standard deviations; a photo unlike all training photos shall not run away along one scalar
ODD = 10.0


@dataclass(frozen=True)
class Scalars:
    """Standardizes the scalar features. A column that was constant in training has scale 0 and says nothing.

    mean, scale: (m,); scale is 1 / standard deviation.
    """

    mean: Array
    scale: Array

    def __call__(self, vectors: Array) -> Array:
        """vectors: (n, m + embedding). Returns (n, m), each from -CLIP to CLIP."""
        return self._standardized(vectors, CLIP)

    def oddity(self, vectors: Array) -> Array:
        """Root mean square of the standardized scalars, (n,): about 1 for a common photo, ODD at most."""
        import numpy as np

        z = self._standardized(vectors, ODD)
        return np.asarray(np.sqrt((z**2).sum(1) / max(1, int((self.scale > 0).sum()))))

    def _standardized(self, vectors: Array, limit: float) -> Array:
        import numpy as np

        return np.clip((vectors[:, : len(self.mean)] - self.mean) * self.scale, -limit, limit)


@dataclass(frozen=True)
class Compression:
    """Whitened principal components of the square roots of the embedding.

    The root tames the few large activations of a rectified embedding (Arandjelovic and Zisserman 2012, RootSIFT).
    mean: (d,) of the roots. axes: (d, k), each column divided by its standard deviation. length: mean length of the
    training images' roots.
    """

    mean: Array
    axes: Array
    length: Array

    def __call__(self, vectors: Array) -> Array:
        """vectors: (n, m + d). Returns (n, k) of unit variance on the training images."""
        return (self.roots(vectors) - self.mean) @ self.axes

    def places(self, vectors: Array) -> Array:
        """The same of embeddings that are first brought to the common length, (n, k)."""
        import numpy as np

        roots = self.roots(vectors)
        lengths = np.linalg.norm(roots, axis=1, keepdims=True)
        return (roots * (self.length / np.maximum(lengths, 1e-9)) - self.mean) @ self.axes

    def roots(self, vectors: Array) -> Array:
        import numpy as np

        return np.sqrt(np.maximum(vectors[:, -len(self.mean) :], 0))


def joined(components: Array, scalars: Array, component_scale: Array, scalar_scale: Array) -> Array:
    """components: (n, k), scalars: (n, m). Returns (n, k + m), the inputs of a kernel."""
    import numpy as np

    return np.hstack([components * component_scale, scalars * scalar_scale])


def gaussian(x: Array, support: Array, widths: Array | float) -> Array:
    """x: (n, p), support: (s, p), widths: (s,) or one for all. Returns exp(-width |support - x|^2), (n, s)."""
    import numpy as np

    exponents = (2 * x) @ support.T
    exponents -= (x**2).sum(1)[:, None] + (support**2).sum(1)
    np.minimum(exponents, 0, out=exponents)
    exponents *= widths
    return np.exp(exponents, out=exponents)


@dataclass(frozen=True)
class KernelMachine:
    """sum of weight x exp(-width |support - x|^2) + intercept, over the support vectors.

    support: (s, k + m). weights: (s,). component_scale, scalar_scale: what a unit of a component and of a scalar
    counts for in x. widths: (s,) of each support vector's kernel; without them all are 1.
    """

    support: Array
    weights: Array
    intercept: Array
    component_scale: Array
    scalar_scale: Array
    widths: Array | None = None

    def __call__(self, components: Array, scalars: Array) -> Array:
        """components: (n, k), scalars: (n, m). Returns (n,) predicted labels."""
        return self.at(self.join(components, scalars))

    def at(self, x: Array) -> Array:
        """x: (n, k + m) as `join` makes it. Returns (n,) predicted labels."""
        return gaussian(x, self.support, 1.0 if self.widths is None else self.widths) @ self.weights + self.intercept

    def join(self, components: Array, scalars: Array) -> Array:
        return joined(components, scalars, self.component_scale, self.scalar_scale)

    @property
    def each_width(self) -> Array:
        """(s,)"""
        import numpy as np

        return np.ones(len(self.weights)) if self.widths is None else self.widths
