"""From posts to what a model learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.training import context, resemblance, target
from chalicelib.training.post import Post, Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Rows = NDArray[np.int64]

NO_IMPRESSIONS = "impressions is missing, while most rows have it: a count and a rate cannot be compared."


class Known(msgspec.Struct, frozen=True):
    """An image of the account. vector: (d,) as in `features.schema`. phash: 64 bits. created_at: Unix seconds."""

    vector: NDArray[np.float32]
    phash: int | None
    created_at: float


@dataclass(frozen=True)
class DataSet:
    """n posts by time, oldest first.

    images: n ids. vectors: (n, d). targets: (n,) normal scores within the account. engagement: (n,) as the customer
    knows it: engagement per impression where impressions are given, else the count. weights: (n,) 0-1. groups: (n,)
    numbers from 0; posts of one image and of near duplicates share one. posted_at: (n,) Unix seconds, of the upload
    where nobody said when it was published.
    """

    images: list[str]
    vectors: NDArray[np.float32]
    targets: Array
    engagement: Array
    weights: Array
    groups: Rows
    posted_at: Array

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Rows) -> DataSet:
        """The same of these rows, in their order; rows: (m,) whole numbers or (n,) booleans."""
        import numpy as np

        chosen = np.asarray(self.images, np.str_)[rows].tolist()
        return DataSet(chosen, *(getattr(self, field.name)[rows] for field in fields(self)[1:]))

    def dump(self) -> bytes:
        """npz, without pickled objects."""
        import numpy as np

        arrays: dict[str, Any] = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)[1:]}
        out = BytesIO()
        np.savez(out, images=np.asarray(self.images, np.str_), **arrays)
        return out.getvalue()

    @classmethod
    def load(cls, data: bytes) -> DataSet:
        import numpy as np

        with np.load(BytesIO(data), allow_pickle=False) as stored:
            return cls(stored["images"].tolist(), *(stored[field.name] for field in fields(cls)[1:]))


def prepare(posts: Sequence[Post], known: Mapping[str, Known]) -> tuple[DataSet, list[Problem]]:
    """Every post becomes a row of the data set or a Problem.

    known: the images by id. A post of an image that is not among them is a Problem here; whoever knows better why
    leaves such posts out and tells.

    Either all engagement is per impression or none is. With most rows naming impressions (or half), the others become
    Problems; with fewer, impressions are left aside, so that the most rows are kept.
    """
    of_known = [post for post in posts if post.image in known]
    problems = [Problem(post.row, post.image, "There is no such image.") for post in posts if post.image not in known]
    with_impressions = [post for post in of_known if post.impressions is not None]
    by_rate = 2 * len(with_impressions) >= len(of_known)
    if by_rate:
        problems += [Problem(post.row, post.image, NO_IMPRESSIONS) for post in of_known if post.impressions is None]
    used = with_impressions if by_rate else of_known
    used.sort(key=lambda post: (_time(post, known), post.row))
    return _assembled(used, known, by_rate=by_rate), sorted(problems, key=lambda problem: problem.row)


def _time(post: Post, known: Mapping[str, Known]) -> float:
    return known[post.image].created_at if post.posted_at is None else post.posted_at


def _assembled(posts: list[Post], known: Mapping[str, Known], *, by_rate: bool) -> DataSet:
    import numpy as np

    images = [post.image for post in posts]
    moments = np.array([_time(post, known) for post in posts], np.float64)
    counts = np.array([post.engagement for post in posts], np.float64)
    impressions = np.array([post.impressions for post in posts], np.float64) if by_rate else None
    groups = resemblance.groups(images, [known[image].phash for image in images])
    return DataSet(
        images,
        np.array([known[image].vector for image in images], np.float32),
        target.targets(counts, impressions, context.parts(posts), groups),
        counts if impressions is None else counts / impressions,
        np.array([post.weight for post in posts], np.float64),
        groups,
        moments,
    )
