"""A model of one customer's own posts: learned, judged on posts that came later, and released or not.

It learns from each image once, oldest first (`distinct`), in the general model's fixed space, and is shrunk toward a
prior: a model of openly rated photographs, never one of other accounts' engagement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.scoring.model import Model, general
from chalicelib.scoring.similar import Posts
from chalicelib.training import calibration, gate, judgment, prior
from chalicelib.training.choice import Choice, Examples, fit
from chalicelib.training.distinct import distinct
from chalicelib.training.judgment import Study
from chalicelib.training.pipeline import Recipe, Space, expansion
from chalicelib.training.prior import Prior

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.scoring.regression import KernelMachine
    from chalicelib.training.dataset import DataSet

    Array = NDArray[np.float64]
    Progress = Callable[[str, int, int], None]

__all__ = ["Outcome", "Prior", "train"]

MOST_FOR_SVR = 5000  # images; its cost grows with their square
CHUNK = 2000


@dataclass(frozen=True)
class Outcome:
    """What a training came to.

    model: fitted, released or not; None where there is nothing to fit one to. report: plain JSON, with `reason` unless
    released. recipe: as fitted. prior: id; None where none has weight. learned: the rows that the machine is fitted to
    (vectors, targets, weights), each image once; whoever fits the recipe anew takes these, not the posts.
    """

    released: bool
    model: Model | None
    report: dict[str, Any]
    recipe: Recipe
    prior: str | None
    learned: DataSet


def train(
    data: DataSet,
    priors: Sequence[Prior],
    progress: Progress,
    live: Model | None = None,
    seen_until: float | None = None,
) -> Outcome:
    """Learn from a customer's posts. The same posts give the same outcome.

    priors: the models that ship, `general` and the markets. progress(step, done, total) is told of each step. live: the
    model that would be replaced. seen_until: Unix seconds of the newest post that it learned from.
    Raises ValueError for a prior from another space.
    """
    once = distinct(data)
    report: dict[str, Any] = {"n": len(data), "distinct": len(once.posts)}
    reason = gate.too_few(once.posts.targets)
    if reason:
        return Outcome(False, None, report | {"reason": reason}, Recipe(), None, once.posts)
    chosen, weight = prior.choose(once.posts.vectors, priors)
    space = Space.of(general())
    study = _study(once.posts, space, prior.machine(chosen, space), weight, progress)
    leans_on = chosen.id if chosen and study.recipe.prior_weight > 0 else None
    progress("calibrate", 0, 1)
    model = _model(study, space)
    progress("judge", 0, 1)
    report |= judgment.report(study, model) | {"prior": {"id": leans_on, "weight": study.recipe.prior_weight}}
    if live is not None and seen_until is not None:
        report["newest_posts"] = judgment.newest_posts(study, live, once.first_at > seen_until, seen_until)
    reason = judgment.refusal(report)
    progress("judge", 1, 1)
    return Outcome(
        reason is None, model, report | ({"reason": reason} if reason else {}), study.recipe, leans_on, once.posts
    )


def _study(posts: DataSet, space: Space, prior: KernelMachine | None, prior_weight: float, progress: Progress) -> Study:
    examples = Examples(_inputs(space, posts), posts.targets, posts.weights)
    default = Recipe("svr" if len(examples) <= MOST_FOR_SVR else "nystroem", prior_weight=prior_weight)
    choice = Choice(examples, prior, default)
    later = choice.out_of_time(progress)
    progress("fit", 0, 1)
    recipe = choice.best(len(choice.blocks))
    return Study(posts, choice, later, recipe, fit(recipe, prior, examples))


def _inputs(space: Space, posts: DataSet) -> Array:
    """In chunks: the vectors in double precision take eight times the room of what they become."""
    import numpy as np

    return np.vstack([space.inputs(posts.vectors[start : start + CHUNK]) for start in range(0, len(posts), CHUNK)])


def _model(study: Study, space: Space) -> Model:
    posts, later = study.posts, study.later
    unseen = posts.targets[later.start :]
    percentiles = calibration.percentiles(later.values, unseen)
    said = percentiles.normal_scores(later.values)
    return Model(
        space.scalars,
        space.compression,
        expansion(space, study.fitted),
        percentiles,
        calibration.domain_of(posts.vectors, space.scalars, space.compression),
        calibration.companion(posts.vectors[later.start :], space.scalars, said),
        calibration.spread(later.values, unseen),
        _shown(posts),
    )


def _shown(posts: DataSet) -> Posts:
    import numpy as np

    kept = calibration.KEPT
    return Posts(np.asarray(posts.images[-kept:], np.str_), posts.engagement[-kept:])
