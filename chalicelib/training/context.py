"""What is known of a post beside its picture, as columns of numbers: the metadata given, and when it was published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chalicelib.training.fit import normal_ranks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.training.post import Post, Value

    Array = NDArray[np.float64]

DAY = 86400
NAMES = 20  # metadata columns used, those that the most posts have
CATEGORIES, FEWER = 60, 10  # of one column, the most frequent; the latter of more than MANY posts, for the memory
MANY = 5000
MIN_CATEGORY = 2  # posts: a campaign of four is as much a campaign, and its photos look alike


def parts(posts: Sequence[Post]) -> list[Array]:
    """What the customer gave and what the calendar says: (n, p) and (n, q) without constant columns.

    posts: n, oldest first. p is at most 1,260 (of more than MANY posts 260), q 26.
    """
    counted = Counter(name for post in posts for name in post.metadata)
    names = sorted(counted, key=lambda name: (-counted[name], name))[:NAMES]
    return [
        _varying([_metadata([post.metadata.get(name) for post in posts]) for name in names], len(posts)),
        _varying([_calendar(posts)], len(posts)),
    ]


def _varying(columns: list[Array], rows: int) -> Array:
    import numpy as np

    every = np.hstack([np.zeros((rows, 1)), *columns])
    return every[:, (every != every[:1]).any(axis=0)]


def _calendar(posts: Sequence[Post]) -> Array:
    """Hour (two harmonics), weekday, month, all in UTC, and the gap since the post before; 0 where nobody said."""
    import numpy as np

    moments = np.array([np.nan if post.posted_at is None else post.posted_at for post in posts], np.float64)
    said = ~np.isnan(moments)
    seconds = np.where(said, moments, 0).astype(np.int64)
    angle = 2 * np.pi * (seconds % DAY) / DAY
    hours = np.column_stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)])
    weekdays = np.eye(7)[(seconds // DAY + 3) % 7]
    months = np.eye(12)[seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12]
    gaps = np.diff(moments, prepend=np.nan)
    return np.hstack([np.hstack([hours, weekdays, months]) * said[:, None], _numbers(gaps)])


def _metadata(values: Sequence[Value | None]) -> Array:
    import numpy as np

    given = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        return _numbers(np.array([np.nan if value is None else value for value in values], np.float64))
    return _texts([None if value is None else str(value) for value in values])


def _numbers(values: Array) -> Array:
    """Normal score of the rank, its square, and whether there is one, (n, 3). values: (n,), NaN where there is none.

    Ranks, so that one absurd value does no harm; the square, since the middle may be best.
    """
    import numpy as np

    given = ~np.isnan(values)
    found = np.zeros((len(values), 3))
    scores = normal_ranks(values[given])
    found[given] = np.column_stack([scores, scores**2 - 1, np.ones(len(scores))])
    return found


def _texts(values: Sequence[str | None]) -> Array:
    """0 or 1 for each frequent one, (n, at most CATEGORIES); of a text that is hardly ever the same also its length."""
    import numpy as np

    counted = Counter(value for value in values if value is not None)
    most = CATEGORIES if len(values) <= MANY else FEWER
    frequent = [value for value, count in counted.most_common(most) if count >= MIN_CATEGORY]
    numbers = {value: number for number, value in enumerate(frequent)}
    places = np.array([numbers.get(value, len(frequent)) if value is not None else len(frequent) for value in values])
    categories = np.eye(len(frequent) + 1)[places, :-1]
    if 2 * len(counted) <= counted.total():
        return categories
    lengths = np.array([np.nan if value is None else len(value) for value in values], np.float64)
    return np.hstack([categories, _numbers(lengths)])
