"""The messages of a campaign one by one, in the order of their planning."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import batched

from chalicelib import contract
from chalicelib.images import record
from chalicelib.push import campaigns, chunks
from chalicelib.push.addressees import SEGMENTS
from chalicelib.push.planning import chunk_names
from chalicelib.store import AccountStore

# A request looks at so many chunks at most; behind them the next page goes on.
MOST_CHUNKS = 500
A_READ = 100
PLACE = 3  # digits of a row's place in its chunk


def page(store: AccountStore, campaign: str, query: contract.MessageQuery) -> contract.Messages:
    """Those in one state, if that is asked for, as far as their chunks have counted it. Raises NotFound.

    The cursor names a chunk and a place in it, since rows stay where they are once their chunk is planned.
    """
    campaigns.found(store, campaign)
    state = query.state if isinstance(query.state, str) else None
    start = query.cursor if isinstance(query.cursor, str) else ""
    found: list[contract.MessageView] = []
    for number, (chunk, has_some) in enumerate(_chunks(store, campaign, start[:-PLACE], state)):
        if number == MOST_CHUNKS:
            return contract.Messages(found, _cursor(chunk, 0))
        for place, row in enumerate(chunks.rows(store, chunk) if has_some else ()):
            if _cursor(chunk, place) < start or state not in (None, row.state):
                continue
            if len(found) == query.limit:
                return contract.Messages(found, _cursor(chunk, place))
            found.append(_view(chunk, row))
    return contract.Messages(found, None)


def _cursor(chunk: str, place: int) -> str:
    """As 0300012s017: segment, page, channel, place; sorts as the messages do."""
    return f"{chunk.rpartition('-')[2]}{place:0{PLACE}}"


def _chunks(store: AccountStore, campaign: str, start: str, state: str | None) -> Iterator[tuple[str, bool]]:
    """Chunks from `start` on, and whether there is anything of this state in them."""
    first = int(start[:2]) if start[:2].isdigit() else 0
    for segment in range(first, SEGMENTS):
        names = sorted(name for name in chunk_names(store, campaign, segment) if name.rpartition("-")[2] >= start)
        for some in batched(names, A_READ):
            for head in store.get_many("chunk", some):
                yield head["id"], state is None or state in head["counts"]


def _view(chunk: str, row: chunks.Row) -> contract.MessageView:
    return contract.MessageView(
        recipient=row.recipient,
        channel=chunks.channel_of(chunk),  # type: ignore[arg-type]
        state=row.state,  # type: ignore[arg-type]
        reason=row.reason,
        at=record.timestamp(row.at),
        message=row.message,
        parts=row.parts,
    )
