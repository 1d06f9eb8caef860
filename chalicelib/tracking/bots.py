"""Bots by their user agent. Their events are kept and marked, and not counted."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def is_bot(agent: str) -> bool:
    """Whether the list of crawler-user-agents knows it (about 0.1 ms; an answer is remembered).

    An empty one is no bot: privacy tools remove it, and Segment's server libraries speak for people.
    """
    if not agent:
        return False
    from crawleruseragents import is_crawler

    return bool(is_crawler(agent))
