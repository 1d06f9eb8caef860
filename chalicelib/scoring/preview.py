"""The score of a photo in the request's body: the whole pipeline in one call, and nothing stored."""

from __future__ import annotations

import msgspec

from chalicelib import contract, features, ranking
from chalicelib.errors import TooLarge, Unprocessable
from chalicelib.features import schema
from chalicelib.scoring import scorers
from chalicelib.store import AccountStore


def score(store: AccountStore, data: bytes, model: str) -> contract.Entry:
    """Raises what `scorers.live` and `scorers.score` raise, TooLarge over 4 MB, Unprocessable for no usable image."""
    from chalicelib.features.photo import Photo
    from chalicelib.images.working_copy import Unusable, prepare

    scorer = scorers.live(store, model)
    if len(data) > contract.MAX_SCORE_BYTES:
        raise TooLarge("A photo to score takes at most 4 MB.")
    try:
        prepared = prepare(data)
    except Unusable as unusable:
        raise Unprocessable(str(unusable)) from None
    photo = Photo.open(prepared.jpeg, prepared.width, prepared.height)
    properties = {prop: features.extract(prop, photo) for prop in schema.PROPERTIES}
    result = scorers.score(store, scorer, schema.vector(properties)[None])[0]
    return ranking.entry(msgspec.to_builtins(result), rank=1, beats_next=None, urls=ranking.NOTHING)
