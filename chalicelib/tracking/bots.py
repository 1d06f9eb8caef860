"""Bots by their user agent. Their events are kept and marked, and not counted."""

from __future__ import annotations

import re
from functools import cache, lru_cache


@lru_cache(maxsize=4096)
def is_bot(agent: str) -> bool:
    """Whether the list of crawler-user-agents knows it (about 0.1 ms; an answer is remembered).

    An empty agent is no bot: privacy tools remove it. Nor is a library for HTTP: a shop's server that tells of its
    visitors speaks through one, and whoever sends events by hand holds a write key.
    """
    if not agent:
        return False
    from crawleruseragents import is_crawler

    return bool(is_crawler(agent)) and libraries().search(agent) is None


@cache
def libraries() -> re.Pattern[str]:
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    return re.compile(
        "|".join(entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA if "http-library" in entry["tags"])
    )
