"""Each image once: what the posts of an image and of its near duplicates say together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chalicelib.training.fit import normal_ranks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.training.dataset import DataSet

    Array = NDArray[np.float64]

HEAVIEST = 3.0  # an image's own part in its engagement is no better known after a hundred posts than after a few


@dataclass(frozen=True)
class Distinct:
    """One row for each group of posts, at the time of its last post: what is learned from it is learned no earlier.

    posts: of DataSet; targets are the groups' mean targets as normal scores, weights have mean 1 before the heaviest
    are cut. first_at: (n,) Unix seconds of each group's first post.
    """

    posts: DataSet
    first_at: Array


def distinct(data: DataSet) -> Distinct:
    """Posts without weight are left out. data: oldest first."""
    import numpy as np

    data = data.take(np.flatnonzero(data.weights > 0))
    count = len(data)
    _, group = np.unique(data.groups, return_inverse=True)
    _, first = np.unique(data.groups, return_index=True)
    last = np.zeros(len(first), np.int64)
    np.maximum.at(last, group, np.arange(count))
    order = np.argsort(last)
    total = np.bincount(group, data.weights)
    means = [np.bincount(group, data.weights * each) / total for each in (data.targets, data.engagement)]
    targets, engagement = (np.asarray(mean[order]) for mean in means)
    newest = replace(
        data.take(last[order]),
        targets=_normal(targets),
        engagement=engagement,
        weights=np.minimum(total[order] / total.mean(), HEAVIEST) if count else total,
    )
    return Distinct(newest, data.posted_at[first[order]])


def _normal(targets: Array) -> Array:
    """Rounded first: means of the same targets in another order are the same."""
    return normal_ranks(targets.round(9)) if len(targets) else targets
