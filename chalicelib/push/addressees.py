"""Reading an audience: segment after segment, each in the order of its recipients' ids, with their standings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.push.audience import Filter, matches
from chalicelib.store import AccountStore

if TYPE_CHECKING:
    from chalicelib.push.game import Standing
    from chalicelib.push.recipients import Recipient

SEGMENTS = 32


class Addressees:
    """Whom a campaign is for. snapshot: of the standings, if they are asked for."""

    def __init__(self, store: AccountStore, wanted: Filter, snapshot: str | None):
        self.store, self.wanted, self.snapshot = store, wanted, snapshot
        self._loaded: tuple[int, dict[str, Standing]] | None = None

    def page(self, segment: int, after: str, limit: int) -> tuple[list[Recipient], str | None]:
        """Those who match among the next `limit` behind `after`; and where to go on, None at the end."""
        found, last = self._read(segment, after, limit)
        standings = self.standings(segment) if self.wanted.needs_standing else {}
        return [each for each in found if matches(self.wanted, each, standings.get(each.id))], last

    def standings(self, segment: int) -> dict[str, Standing]:
        """By recipient; those of one segment at a time are kept."""
        if self.snapshot is None:
            return {}
        if self._loaded is None or self._loaded[0] != segment:
            from chalicelib.push import snapshots

            self._loaded = None  # so that two are never in memory
            self._loaded = segment, snapshots.shard(self.store, self.snapshot, segment)
        return self._loaded[1]

    def _read(self, segment: int, after: str, limit: int) -> tuple[list[Recipient], str | None]:
        from chalicelib.push import recipients

        if self.wanted.ids is None:
            return recipients.segment_page(self.store, segment, after or None, None, limit)
        mine = (each for each in self.wanted.ids if each > after and recipients.segment(each) == segment)
        names = sorted(mine)[:limit]
        found = recipients.load(self.store, names)
        return list(found.values()), names[-1] if len(names) == limit else None
