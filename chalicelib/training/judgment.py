"""What is told of a customer's model, all of it on posts that came after those that the predicting model knew."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from chalicelib.scoring.model import Model, general
from chalicelib.training import calibration, gate
from chalicelib.training.choice import FIRST, Block, Choice, OutOfTime, fit
from chalicelib.training.evaluation import pair_accuracy
from chalicelib.training.pipeline import Recipe, Shrunk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.training.dataset import DataSet

    Array = NDArray[np.float64]

CURVE = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
LEAST_NEWER = 10  # posts, to compare a new model with the live one
NEWER_PARTS = 3
PAIRED = calibration.PAIRED


@dataclass(frozen=True)
class Study:
    """A fitted machine, and what machines of the past said of the posts that came after.

    posts: each image once, oldest first.
    """

    posts: DataSet
    choice: Choice
    later: OutOfTime
    recipe: Recipe
    fitted: Shrunk

    @property
    def truth(self) -> list[Array]:
        """The targets, by block."""
        return self.later.each(self.posts.targets)


def report(study: Study, model: Model) -> dict[str, Any]:
    """model: the fitted one, for what it keeps of its own calibration."""
    truth, said = study.truth, study.later.predicted
    correlation = gate.rank_correlation(truth, said)
    everybodys = study.later.each(_values(general(), study.posts))
    return {
        "rank_correlation": _rounded(correlation),
        "p_value": _rounded(gate.p_value(truth, said)),
        "pair_accuracy": _rounded(pairs_in_order(truth, said)),
        "coverage_80": _rounded(calibration.coverage(study.later, study.posts.targets)),
        "learning_curve": learning_curve(study),
        "compared_with_general": {
            "own": _rounded(correlation),
            "general": _rounded(gate.rank_correlation(truth, everybodys)),
        },
        "explanation_r2": _rounded(float(model.companion.fidelity)),
    }


def pairs_in_order(truth: list[Array], predicted: list[Array]) -> float:
    """Pair accuracy within each block, averaged over the posts: two models' values are not to be compared.

    Of a large block the newest posts.
    """
    found = [pair_accuracy(each[-PAIRED:], said[-PAIRED:]) for each, said in zip(truth, predicted, strict=True)]
    sizes = [len(each) for each in truth]
    return sum(size * accuracy for size, accuracy in zip(sizes, found, strict=True)) / sum(sizes)


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)


def _values(model: Model, posts: DataSet) -> Array:
    """The model's predictions for all posts, (n,)."""
    import numpy as np

    chunk = calibration.CHUNK
    return np.concatenate(
        [
            model.machine(model.compression(rows), model.scalars(rows))
            for rows in (
                posts.vectors[start : start + chunk].astype(np.float64) for start in range(0, len(posts), chunk)
            )
        ]
    )


def learning_curve(study: Study) -> list[dict[str, Any]]:
    """How well models of the n posts before the last block order its posts; recipe as the older blocks chose it."""
    block, recipe = study.later.blocks[-1], study.later.recipes[-1]
    sizes = [n for n in CURVE if n < block.start]
    truth = study.posts.targets[block.start : block.end]
    asked = study.choice.examples.inputs[block.start : block.end]
    curve = []
    for n in sizes:
        fitted = fit(recipe, study.choice.prior, study.choice.examples.part(block.start - n, block.start))
        curve.append((n, fitted.predict(asked)))
    curve.append((block.start, study.later.predicted[-1]))
    return [{"n": n, "pair_accuracy": _rounded(pair_accuracy(truth[-PAIRED:], said[-PAIRED:]))} for n, said in curve]


def newest_posts(study: Study, live: Model, newer: NDArray[np.bool_], seen_until: float) -> dict[str, Any]:
    """Rank correlations on the posts that live has not seen, in parts.

    The first part is predicted with the candidate's recipe by a model of what live knew, the next ones by models of all
    posts before them: live has learned from no less than its rival where the two begin.
    newer: (n,), whether live has not seen them. seen_until: Unix seconds of the newest post that live learned from.
    """
    parts = _parts(study.posts.posted_at, seen_until)
    marks = [newer[part.start : part.end] for part in parts]
    every = _values(live, study.posts)
    truth, lives = ([each[part.start : part.end] for part in parts] for each in (study.posts.targets, every))
    candidate = [study.choice.predictions(study.recipe, part) for part in parts]
    truth, candidate, lives = (
        [values[mark] for values, mark in zip(each, marks, strict=True)] for each in (truth, candidate, lives)
    )
    return {
        "n": int(sum(mark.sum() for mark in marks)),
        "candidate": _rounded(gate.rank_correlation(truth, candidate)),
        "live": _rounded(gate.rank_correlation(truth, lives)),
    }


def _parts(posted_at: Array, seen_until: float) -> list[Block]:
    """The posts after that time, in equal parts; a model takes a few to begin with. posted_at: (n,) oldest first."""
    import numpy as np

    start = max(int(np.searchsorted(posted_at, seen_until, "right")), FIRST)
    cuts = np.linspace(start, max(len(posted_at), start), NEWER_PARTS + 1).astype(int).tolist()
    return [Block(*cut) for cut in pairwise(cuts) if cut[0] < cut[1]]


def refusal(report: dict[str, Any]) -> str | None:
    """Why the model is not released; None when it is."""
    reason = gate.no_signal(report["rank_correlation"], report["p_value"])
    if reason or "newest_posts" not in report:
        return reason
    newest = report["newest_posts"]
    if newest["n"] < LEAST_NEWER:
        return (
            f"{newest['n']} images are newer than those that the live model learned from; it takes {LEAST_NEWER} to "
            "compare the two."
        )
    if newest["candidate"] < newest["live"]:
        return (
            "The live model orders the newest posts better than the new one "
            f"(rank correlation {newest['live']:.2f} against {newest['candidate']:.2f})."
        )
    return None
