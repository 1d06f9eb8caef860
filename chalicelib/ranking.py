"""Rankings: images in the order of their predicted engagement.

pending ──every image scored──> complete
   └──────some failed─────────> partial

A ranking keeps the set of images it still waits for. Each image keeps a row for each ranking that wants it, so that a
new score finds its rankings without a search. Entries are frozen when their image is settled. A ranking pins the scorer
of its model when it is made, and never mixes versions.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chalicelib import bus, contract, ids
from chalicelib.errors import NotFound, Unprocessable
from chalicelib.images import record
from chalicelib.scoring import scorers
from chalicelib.scoring.odds import beats
from chalicelib.store import PUBLIC, AccountStore, ConditionFailed, Item

NOTHING = contract.Urls(preview=None, original=None)


def create(store: AccountStore, request: contract.NewRanking, now: float) -> contract.RankingAccepted:
    images = request.images
    scorer = scorers.live(store, request.model)
    _check(store, images)
    identifier = ids.new_id(now)
    store.put(
        "ranking",
        identifier,
        {
            "id": identifier,
            "name": request.name,
            "model": request.model,
            "scorer": scorer,
            "state": "pending",
            "total": len(images),
            "pending": set(images),
            "attempts": 0,
            "created_at": record.timestamp(now),
            "list_pk": store.pk("ranking"),
            "list_sk": identifier,
            **record.due(identifier, now + record.PATIENCE_SECONDS),
        },
        new=True,
    )
    PUBLIC.put("ranking", identifier, {"account": store.account}, sk="owner")
    store.put_many(
        "image", [(image, f"ranking#{identifier}", {"ranking": identifier, "model": scorer}) for image in images]
    )
    item = advance(store, identifier, images, scorer)
    return contract.RankingAccepted(id=identifier, state=item["state"], progress=progress(item))


def _check(store: AccountStore, images: list[str]) -> None:
    if len(set(images)) < len(images):
        twice = next(index for index, image in enumerate(images) if image in images[:index])
        raise Unprocessable("An image is named twice.", field=f"images[{twice}]")
    known = {item["id"] for item in store.get_many("image", images)}
    for index, image in enumerate(images):
        if image not in known:
            raise NotFound("There is no such image.", field=f"images[{index}]")


def advance(store: AccountStore, identifier: str, images: list[str], scorer: str) -> Item:
    """Settle the images that are final already; ask for a score where an image is ready but lacks it.

    Runs after the rows that make new scores find this ranking are written, so no score can slip through in between.
    """
    found = {item["id"]: item for item in store.get_many("image", images)}
    final = {image: entry for image in images if (entry := _final(found.get(image), scorer)) is not None}
    for image in images:
        if image not in final and found[image]["state"] == "ready":
            bus.deliver("score", {"account": store.account, "image": image, "model": scorer})
    return _settle(store, identifier, final)


def _final(image: Item | None, scorer: str) -> dict[str, Any] | None:
    """What the ranking shall say of this image, or None while it may still change."""
    if image is None:
        return {"reason": "The image was deleted."}
    if image["state"] == "failed":
        return _named(image, {"reason": image["reason"]})
    score = record.scores(image).get(scorer) if image["state"] == "ready" else None
    return _named(image, score) if score else None


def _named(image: Item, entry: dict[str, Any]) -> dict[str, Any]:
    return entry | {"name": image["name"]}


def scored(account: str, image: str) -> None:
    """A score, or the failure, of an image is known: settle it in the rankings that wait for it."""
    store = AccountStore(account)
    item = store.get("image", image)
    for wish in store.partition("image", image, "ranking#"):
        entry = _final(item, wish["model"])
        if entry is not None:
            _settle_waiting(store, wish["ranking"], image, entry)


def settle(store: AccountStore, image: Item, scorer: str, entry: dict[str, Any]) -> None:
    """What a scorer says of an image, a score or a `reason`, for the rankings that wait for it by this very scorer."""
    for wish in store.partition("image", image["id"], "ranking#"):
        if wish["model"] == scorer:
            _settle_waiting(store, wish["ranking"], image["id"], _named(image, entry))


def _settle_waiting(store: AccountStore, identifier: str, image: str, entry: dict[str, Any]) -> None:
    waiting = store.get("ranking", identifier)
    if waiting is not None and image in waiting.get("pending", ()):
        _settle(store, identifier, {image: entry})


def _settle(store: AccountStore, identifier: str, entries: dict[str, dict[str, Any]]) -> Item:
    store.put_many(
        "ranking",
        [(identifier, f"entry#{image}", {"image": image, **_stored(entry)}) for image, entry in entries.items()],
    )
    flawed = any("reason" in entry for entry in entries.values())
    values: Item = {"one": 1, "done": set(entries)} if entries else {"one": 1}
    removed = " DELETE #pending :done" if entries else ""
    try:
        item = store.update(
            "ranking",
            identifier,
            f"SET #version = :one{', #flawed = :one' if flawed else ''}{removed}",
            values,
            condition="attribute_exists(pk)",
        )
    except ConditionFailed:  # deleted meanwhile: nor shall the entries above stay
        store.delete_partition("ranking", identifier)
        return {"id": identifier, "state": "partial", "total": 0}
    return item if item.get("pending") else finish(store, item)


def finish(store: AccountStore, item: Item) -> Item:
    """Close a ranking that waits for nothing more; only the update that does so publishes."""
    try:
        item = store.update(
            "ranking",
            item["id"],
            "SET #state = :final REMOVE #sweep_pk, #sweep_at",
            {"final": "partial" if item.get("flawed") else "complete", "open": "pending"},
            condition="#state = :open AND attribute_not_exists(#pending)",
        )
    except ConditionFailed:
        return item
    bus.publish(bus.RankingComplete(store.account, item["id"]))
    return item


def sweep(store: AccountStore, item: Item, *, last: bool) -> None:
    """Look again at what a standing ranking waits for; at the last look, give up on scores that do not come.

    An image that is not ready yet has its own sweeps, which end it: the ranking waits for that.
    """
    pending = sorted(item.get("pending", ()))
    if not pending:
        finish(store, item)
        return
    item = advance(store, item["id"], pending, item["scorer"])
    if last and item.get("pending"):
        ready = [image for image in store.get_many("image", item["pending"]) if image["state"] == "ready"]
        late = {"reason": "No score came in time."}
        _settle(store, item["id"], {image["id"]: _named(image, late) for image in ready})


def forget(store: AccountStore, identifier: str, image: str) -> None:
    """An image is being deleted: its score leaves the ranking, however old."""
    if store.get("ranking", identifier) is not None:
        _settle(store, identifier, {image: {"reason": "The image was deleted."}})


def delete(store: AccountStore, identifier: str) -> None:
    items = store.partition("ranking", identifier)
    if not any(item["sk"] == "ranking" for item in items):
        raise NotFound("There is no such ranking.")
    images = {item["image"] for item in items if item["sk"].startswith("entry#")}
    for item in items:
        images |= item.get("pending", set())
    for image in images:
        store.delete("image", image, f"ranking#{identifier}")
    PUBLIC.delete("ranking", identifier, "owner")
    store.delete_partition("ranking", identifier)


def page(store: AccountStore, paging: contract.Paging) -> contract.Rankings:
    found = store.page("ranking", paging.limit, paging.cursor or None)
    return contract.Rankings(items=[summarize(item) for item in found.items], next=found.next)


def view(store: AccountStore, identifier: str) -> contract.Ranking:
    items = store.partition("ranking", identifier)
    head = next((item for item in items if item["sk"] == "ranking"), None)
    if head is None:
        raise NotFound("There is no such ranking.")
    rows = [msgspec.json.decode(item["entry"]) | {"image": item["image"]} for item in items if "entry" in item]
    summary = summarize(head)
    return contract.Ranking(
        **{name: getattr(summary, name) for name in summary.__struct_fields__}, entries=entries(store, rows)
    )


def summarize(item: Item) -> contract.RankingSummary:
    return contract.RankingSummary(
        id=item["id"],
        name=item.get("name"),
        model=item["model"],
        state=item["state"],
        progress=progress(item),
        created_at=item["created_at"],
    )


def progress(item: Item) -> contract.Progress:
    return contract.Progress(done=item["total"] - len(item.get("pending", ())), total=item["total"])


def entries(store: AccountStore, rows: list[dict[str, Any]]) -> list[contract.Entry]:
    """Best first; failed images last, each with its reason."""
    ranked = sorted((row for row in rows if "score" in row), key=lambda row: (-row["value"], row["image"]))
    failed = sorted((row for row in rows if "score" not in row), key=lambda row: row["image"])
    shown = []
    for index, row in enumerate(ranked):
        below = ranked[index + 1] if index + 1 < len(ranked) else None
        chance = beats(row["value"], below["value"], row["spread"]) if below else None
        urls = record.urls(store.account, row["image"], shown=True)
        shown.append(entry(row, rank=index + 1, beats_next=chance, urls=urls))
    return shown + [_failure(row, len(ranked) + index) for index, row in enumerate(failed, start=1)]


def entry(row: dict[str, Any], *, rank: int, beats_next: float | None, urls: contract.Urls) -> contract.Entry:
    seen = record.score_view(row)
    return contract.Entry(
        rank=rank,
        image=row.get("image"),
        score=seen.score,
        interval=seen.interval,
        beats_next=None if beats_next is None else round(beats_next, 3),
        reasons=seen.reasons,
        similar=msgspec.convert(row.get("similar", []), list[contract.Similar]),
        domain=seen.domain,
        reason=None,
        urls=urls,
        name=row.get("name"),
    )


def _failure(row: dict[str, Any], rank: int) -> contract.Entry:
    return contract.Entry(
        rank=rank,
        image=row["image"],
        score=None,
        interval=None,
        beats_next=None,
        reasons=[],
        similar=[],
        domain=None,
        reason=row["reason"],
        urls=NOTHING,
        name=row.get("name"),
    )


def _stored(entry: dict[str, Any]) -> Item:
    return {"entry": msgspec.json.encode(entry)}
