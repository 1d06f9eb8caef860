"""How to fit a customer's model, chosen by its predictions for posts that came later.

Time runs forward only. The posts are cut into blocks, each predicted by models of all posts before it. A block is
predicted by the recipe that the blocks before it have chosen, so that it tests what it had no part in; then it takes
part in the next choice. Dawid, "Present position and potential developments: the prequential approach", 1984.

A recipe is judged by how its order of a block's posts agrees with the truth. With few posts the best of many is mostly
luck: the default stays unless another is better by more than one standard error (Breiman et al., "Classification and
Regression Trees", 1984) even with a few more posts that speak for neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from chalicelib.scoring.regression import gaussian
from chalicelib.training.gate import agreements
from chalicelib.training.pipeline import Recipe, Shrunk, single, standard, support_machine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.scoring.regression import KernelMachine

    Array = NDArray[np.float64]

FIRST = 8  # posts before the first block
SHARE = 8  # or one in so many
GROWTH = 1.5  # each block begins after so many times the posts of the one before
SMALLEST = 5
DOUBT = 10  # posts
PRIOR_WEIGHTS = (0.0, 0.1, 0.2, 0.4, 0.8)
SHAPES = ((2.0, 1.0), (2.0, 0.5), (2.0, 2.0), (1.0, 1.0))  # width and penalty


@dataclass(frozen=True)
class Examples:
    """inputs: (n, p) of a kernel. targets, weights: (n,). Oldest first."""

    inputs: Array
    targets: Array
    weights: Array

    def __len__(self) -> int:
        return len(self.targets)

    def part(self, start: int, end: int) -> Examples:
        return Examples(self.inputs[start:end], self.targets[start:end], self.weights[start:end])


@dataclass(frozen=True)
class Block:
    """Posts [start, end), predicted by models of the posts before."""

    start: int
    end: int


def blocks(count: int) -> list[Block]:
    """count: at least 20 posts. The last block is their newest third."""
    first, cuts = max(FIRST, count // SHARE), [count]
    while (cut := min(int(cuts[-1] / GROWTH), cuts[-1] - SMALLEST)) >= first:
        cuts.append(cut)
    return [Block(start, end) for start, end in pairwise(reversed(cuts))]


def fit(recipe: Recipe, prior: KernelMachine | None, examples: Examples) -> Shrunk:
    return Shrunk(recipe, prior).fit(examples.inputs, examples.targets, examples.weights)


class Choice:
    """Predictions of recipes for the blocks, made once each, and what they choose.

    default: the recipe when nothing speaks against it; the estimator is never chosen.
    """

    def __init__(self, examples: Examples, prior: KernelMachine | None, default: Recipe) -> None:
        self.examples, self.prior, self.default = examples, prior, default
        self.blocks = blocks(len(examples))
        self._predictions: dict[tuple[Recipe, Block], Array] = {}
        self._kernels = lru_cache(maxsize=1)(self._computed_kernels)  # one is large
        self._rows = single(examples.inputs)
        self._of_prior = None if prior is None else prior.at(self._rows)

    def predictions(self, recipe: Recipe, block: Block) -> Array:
        """(posts of the block,)"""
        if (recipe, block) not in self._predictions:
            predict = self._by_svr if recipe.estimator == "svr" else self._by_any
            self._predictions[recipe, block] = predict(recipe, block)
        return self._predictions[recipe, block]

    def _by_any(self, recipe: Recipe, block: Block) -> Array:
        fitted = fit(recipe, self.prior, self.examples.part(0, block.start))
        return fitted.predict(self._rows[block.start : block.end])

    def _by_svr(self, recipe: Recipe, block: Block) -> Array:
        """The same with kernels that all recipes of one width share, which is several times as quick."""
        import numpy as np

        kernel, asked = self._kernels(recipe.width, block)
        past, offset = self.examples.part(0, block.start), np.zeros(block.end)
        if self._of_prior is not None and recipe.prior_weight > 0:
            center, factor = standard(self._of_prior[: block.start], recipe.prior_weight)
            offset = factor * (self._of_prior[: block.end] - center)
        svr = support_machine(recipe, kernel="precomputed")
        svr.fit(kernel, past.targets - offset[: block.start], past.weights)
        return np.asarray(svr.predict(asked) + offset[block.start :])

    def _computed_kernels(self, width: float, block: Block) -> tuple[Array, Array]:
        """Of the posts before the block among themselves, and of the block's posts with them."""
        rows = self._rows[: block.end]
        kernel = gaussian(rows, rows[: block.start], width)
        return kernel[: block.start], kernel[block.start :]

    def best(self, count: int) -> Recipe:
        """The recipe that the first `count` blocks choose: first the prior's weight, then the rest."""
        if count == 0:
            return self.default
        weights = PRIOR_WEIGHTS if self.prior is not None else (0.0,)
        chosen = self._better(self.default, (replace(self.default, prior_weight=weight) for weight in weights), count)
        return self._better(chosen, (replace(chosen, width=width, penalty=penalty) for width, penalty in SHAPES), count)

    def _better(self, default: Recipe, others: Iterable[Recipe], count: int) -> Recipe:
        """Of the others the one that the first `count` blocks prefer, if they do so clearly."""
        import numpy as np

        usual = self._agreement(default, count)
        gains = {recipe: self._agreement(recipe, count) - usual for recipe in others if recipe != default}
        best = max(gains, key=lambda recipe: gains[recipe].mean(), default=default)
        if best == default:
            return default
        gain, posts = gains[best], len(gains[best])
        return best if gain.sum() / (posts + DOUBT) > np.std(gain, ddof=1) / np.sqrt(posts) else default

    def _agreement(self, recipe: Recipe, count: int) -> Array:
        """Of each post in the first blocks."""
        import numpy as np

        return np.concatenate(
            [
                agreements(self.examples.targets[block.start : block.end], self.predictions(recipe, block))
                for block in self.blocks[:count]
            ]
        )

    def out_of_time(self, progress: Callable[[str, int, int], None]) -> OutOfTime:
        """Every block by the recipe that the blocks before it chose."""
        recipes, predicted = [], []
        for number, block in enumerate(self.blocks):
            progress("choose", number, len(self.blocks))
            recipes.append(self.best(number))
            predicted.append(self.predictions(recipes[-1], block))
        progress("choose", len(self.blocks), len(self.blocks))
        return OutOfTime(self.blocks, recipes, predicted)


@dataclass(frozen=True)
class OutOfTime:
    """What models of the past alone say of each block's posts. predicted: an array of (posts,) for each block."""

    blocks: list[Block]
    recipes: list[Recipe]
    predicted: list[Array]

    @property
    def start(self) -> int:
        """The first post that has a prediction."""
        return self.blocks[0].start

    @cached_property
    def values(self) -> Array:
        """(posts from `start` on,)"""
        import numpy as np

        return np.concatenate(self.predicted)

    def each(self, numbers: NDArray[Any]) -> list[NDArray[Any]]:
        """Cut numbers of all n posts into the blocks."""
        return [numbers[block.start : block.end] for block in self.blocks]
