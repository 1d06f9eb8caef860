"""Models as a caller sees them: those that ship with the project, and the account's own."""

from __future__ import annotations

from typing import Any

import msgspec

from chalicelib import contract, ids
from chalicelib.errors import Conflict, Unprocessable
from chalicelib.features import schema
from chalicelib.images.record import timestamp
from chalicelib.scoring import catalog
from chalicelib.settings import settings
from chalicelib.store import AccountStore, Item
from chalicelib.training import release, removal, retraining, storage, uploads, versions

SHIPPED = "This model ships with Proofsheet and stays as it is."


def create(store: AccountStore, request: contract.NewModel, now: float) -> contract.Model:
    """Begin a model.

    Raises NotFound or Conflict for a data set without a file, Conflict for a backend that this stage has not,
    TooManyRequests over a limit.
    """
    if request.backend == "sagemaker" and not settings().sagemaker_image:
        raise Conflict("This stage has no SageMaker; leave the backend out.", field="backend")
    source = _source(store, request.source)
    identifier = ids.new_id(now)
    item: Item = {
        "id": identifier,
        "name": request.name,
        "backend": request.backend,
        "source": msgspec.json.encode(source),
        "created_at": timestamp(now),
        "list_pk": store.pk("model"),
        "list_sk": identifier,
    }
    retraining.create(store, item, source, now)
    return _started(store, identifier, request.source)


def train(store: AccountStore, model: str, request: contract.NewTraining, now: float) -> contract.Model:
    """Train a model again, with more posts, or with what was tracked meanwhile. Raises Conflict while it is trained."""
    item = _own(store, model)
    source = {"type": "again"} if request.source is None else _source(store, request.source)
    tracks = retraining.source_of(item)["type"] == "tracked"
    if request.source is None and tracks:
        source = retraining.source_of(item)
    elif tracks != (source["type"] == "tracked"):
        learns = "tracked events" if tracks else "posts"
        raise Unprocessable(f"This model learns from {learns}; make another one.", field="source.type")
    if source["type"] == "again" and _has_learned_all(store, item):
        raise Conflict("Nothing is new since the last training; send newer posts.", field="source")
    retraining.begin(store, item, source, now)
    return _started(store, model, request.source)


def _has_learned_all(store: AccountStore, item: Item) -> bool:
    """Whether the newest training learned from all its posts as they are described now, so that it would end alike."""
    newest = versions.get(store, item["id"], item.get("looked_at", 0))
    if newest is None or "training" in item or "origin" in newest or newest["state"] == "failed":
        return False
    return not newest.get("problems") and newest.get("schema") == schema.SCHEMA_VERSION


def _source(store: AccountStore, source: contract.Source) -> dict[str, Any]:
    """What a version's row says of its source, once that is known to be there."""
    match source:
        case contract.UploadedPosts():
            return {"type": "file", "dataset": source.dataset, "format": uploads.format_of(store, source.dataset)}
        case contract.TrackedPosts():
            return {"type": "tracked", "goal": source.goal, "days": source.days}
    return {"type": "posts"}


def _started(store: AccountStore, model: str, source: contract.Source | None) -> contract.Model:
    item = versions.model(store, model)
    if isinstance(source, contract.Posts):
        folder = storage.folder(store.account, model, item["number"])
        storage.write(folder + storage.ITEMS, msgspec.json.encode(source.items))
    retraining.wake(store, item)
    return _view(item)


def roll_back(store: AccountStore, model: str, now: float) -> contract.Model:
    """Let the version before the one that scores score again."""
    release.roll_back(store, _own(store, model), now)
    return _view(versions.model(store, model))


def delete(store: AccountStore, model: str, now: float) -> None:
    if model in catalog.models():
        raise Conflict(SHIPPED)
    removal.delete(store, model, now)


def _own(store: AccountStore, model: str) -> Item:
    if model in catalog.models():
        raise Conflict(SHIPPED)
    return versions.model(store, model)


# Views


def page(store: AccountStore, paging: contract.Paging) -> contract.Models:
    """The shipped models, then the account's own, newest first. A cursor into the shipped ones is s and a number."""
    shipped, cursor = [catalog.view(entry) for entry in catalog.entries().values()], paging.cursor or "s0"
    if not _in_shipped(cursor):
        own = store.page("model", paging.limit, cursor)
        return contract.Models(items=_views(own.items), next=own.next)
    start = int(cursor[1:])
    found = shipped[start : start + paging.limit]
    own = store.page("model", max(paging.limit - len(found), 1), None)
    if len(found) < paging.limit:
        return contract.Models(items=found + _views(own.items), next=own.next)
    is_more = start + len(found) < len(shipped) or own.items
    return contract.Models(items=found, next=f"s{start + len(found)}" if is_more else None)


def _in_shipped(cursor: str) -> bool:
    return cursor[0] == "s" and cursor[1:].isdecimal() and not ids.is_id(cursor)


def _views(items: list[Item]) -> list[contract.Model]:
    return [_view(item) for item in items if "deleting" not in item]


def view(store: AccountStore, model: str) -> contract.Model:
    entry = catalog.entries().get(model)
    return catalog.view(entry) if entry else _view(versions.model(store, model))


def _view(item: Item) -> contract.Model:
    source = retraining.source_of(item)
    return contract.Model(
        id=item["id"],
        name=item["name"],
        kind="customer",
        state=item["state"],
        n=item.get("n", 0),
        trained_on=_trained_on(source),
        report=msgspec.json.decode(item["report"]) if "report" in item else {},
        backend=item["home"] if "home" in item else item["backend"],
        version=item.get("live"),
        reason=item.get("reason"),
        created_at=item["created_at"],
        trained_at=item.get("trained_at"),
        progress=contract.TrainingProgress(item["done"], item["total"], item["step"]) if "step" in item else None,
        problems=item.get("problems", 0),
        source=msgspec.convert(source, contract.LearnsFrom),
    )


def _trained_on(source: dict[str, Any]) -> str:
    if source["type"] == "tracked":
        return f"Clicks on the images that were shown in {source['days']} days."
    return "The account's own posts."


def problems(store: AccountStore, model: str, query: contract.ProblemQuery) -> contract.PostProblems:
    """The posts that the newest training could not use, in their order. cursor: how many were shown before."""
    if model in catalog.models():
        return contract.PostProblems(items=[], next=None)
    item = versions.model(store, model)
    version = versions.get(store, model, item.get("looked_at", 0))
    # A version that was taken back has its problems where it was trained.
    folder = storage.folder(store.account, model, release.origin(version) if version else 0)
    lines = (storage.read(folder + storage.PROBLEMS) or b"").splitlines()
    start = int(query.cursor or 0)
    shown = lines[start : start + query.limit]
    end = start + len(shown)
    items = [msgspec.json.decode(line, type=contract.PostProblem) for line in shown]
    return contract.PostProblems(items=items, next=str(end) if end < len(lines) else None)
