"""How a training ends: with a new live version, or with a reason why there is none.

One transaction ends it: the version's state, the model's, the account's map of live scorers, and the end of the version
that scored before. So exactly one version is live at any time, and nobody sees a half of it. What follows, the
event and what is left over, is done after it and as often as needed: `untold` remembers it.
"""

from __future__ import annotations

from typing import Literal

from chalicelib import bus, log
from chalicelib.errors import Conflict
from chalicelib.images.record import due, timestamp
from chalicelib.scoring import scorers
from chalicelib.store import AccountStore, ConditionFailed, Item, Write
from chalicelib.training import retraining, storage, versions

End = Literal["ready", "not_enough_signal", "not_better", "failed"]

# When somebody else looks after what has not been told.
TELL_SECONDS = 60
ENDED = "REMOVE #training, #step, #done, #total, #spent"
# What a version that is taken back has of the old one.
COPIED = ("n", "problems", "sha256", "report", "newest_at", "trained_at")


def fail(store: AccountStore, item: Item, reason: str, now: float) -> None:
    """End a training that cannot succeed. ConditionFailed when it has ended already."""
    end(store, item, {"number": item["training"]}, "failed", reason, now)


def end(store: AccountStore, item: Item, version: Item, state: End, reason: str | None, now: float) -> None:
    """End the training of a version. ConditionFailed when it has ended already, or the model is being deleted.

    item, version: as they were when the training was looked at; what the version learned is in its row by now.
    """
    number = version["number"]
    writes = _released(item, version) if state == "ready" else []
    store.transact(_model_ended(item, version, state, reason, now), _version_ended(item, number, state), *writes)
    log.metric("TrainingEnded", state=state)


def _model_ended(item: Item, version: Item, state: End, reason: str | None, now: float) -> Write:
    """The update of a model's row; what is None is removed."""
    live, problems = item.get("live"), version.get("problems", 0)
    # A version that is taken back saw nothing new: what a later one has seen would pass for new to the schedule.
    seen = version["n"] + problems if "n" in version and "origin" not in version else item.get("seen")
    told: Item = {"looked_at": version["number"], "reason": reason, "problems": problems, "seen": seen}
    told["state"] = state if state == "ready" or live is None else "ready"
    if state == "ready":
        told |= {"live": version["number"], "home": version["backend"]}
    if state == "ready" or live is None:
        told |= {"n": version.get("n", 0), "report": version.get("report")}
        told["trained_at"] = version.get("trained_at") or timestamp(now)
    values = {name: value for name, value in told.items() if value is not None}
    sets = ", ".join(f"#{name} = :{name}" for name in values)
    gone = "".join(f", #{name}" for name, value in told.items() if value is None)
    values |= {"told": {str(version["number"])}, **due(item["id"], now + TELL_SECONDS)}
    update = f"SET {sets}, {retraining.DUE} {ENDED}{gone} ADD #untold :told"
    return Write("model", item["id"], update=update, values=values, condition="#training = :looked_at")


def _version_ended(item: Item, number: int, state: str, before: str = "training") -> Write:
    return Write(
        "model",
        item["id"],
        update="SET #state = :state",
        values={"state": state, "before": before},
        condition="#state = :before",
        sk=versions.row(number),
    )


def _released(item: Item, version: Item) -> list[Write]:
    """The live map, and the end of the version that is live now."""
    model, live = item["id"], item.get("live")
    mapped = Write(
        "models",
        "",
        update=f"SET #scorers.#{model} = :scorer",
        values={"scorer": scorers.name(model, version["number"])},
        condition="attribute_exists(pk)",
        sk="live",
    )
    return [mapped, *([_version_ended(item, live, "superseded", "ready")] if live is not None else [])]


# What follows an end


def tell(store: AccountStore, item: Item, now: float) -> None:
    """Publish the ends that have not been told, and put away what nobody needs any more. Safe to run twice.

    ConditionFailed when the model was deleted meanwhile.
    """
    for number in sorted(map(int, item.get("untold", ()))):
        version = versions.get(store, item["id"], number)
        if version is None:
            raise ConditionFailed
        _put_away(store, item["id"], version)
        bus.publish(bus.ModelTrained(store.account, item["id"], number, version["state"]))
        item = store.update(
            "model", item["id"], "DELETE #untold :told", {"told": {str(number)}}, condition="attribute_exists(pk)"
        )
    _rest(store, item, now)


def _rest(store: AccountStore, item: Item, now: float) -> None:
    update, values = retraining.rest(item, now)
    nothing_left = f"#id = :id AND attribute_not_exists(#untold) AND {retraining.FREE}"
    try:
        store.update("model", item["id"], update, {**values, "id": item["id"]}, condition=nothing_left)
    except ConditionFailed:
        return  # another training has begun, or the model is being deleted


def _put_away(store: AccountStore, model: str, version: Item) -> None:
    """What the training worked on, and endpoints that nobody asks any more."""
    number = version["number"]
    storage.clear_work(store.account, model, number)
    if version["state"] == "ready":
        for older in versions.every(store, model):
            if older["number"] < number and versions.at_sagemaker(older):
                _retire(store, model, older["number"])
    elif versions.at_sagemaker(version):
        _retire(store, model, number)


def _retire(store: AccountStore, model: str, number: int) -> None:
    """End an endpoint; who still asks for this version's scores gets them from its arrays, and they are the same.

    The row says that it is leaving until it has left: who dies in between, or comes too early, is not the last to try.
    """
    from chalicelib.training import sagemaker

    home, sk = {"inline": "inline"}, versions.row(number)
    leaves = f"SET #backend = :inline, #{versions.LEAVING} = :inline"
    store.update("model", model, leaves, home, condition="attribute_exists(pk)", sk=sk)
    sagemaker.remove(store.account, model, number)
    storage.clear(storage.folder(store.account, model, number) + storage.SERVED)
    store.update("model", model, f"REMOVE #{versions.LEAVING}", home, condition="#backend = :inline", sk=sk)


# Back to an earlier version


def roll_back(store: AccountStore, item: Item, now: float) -> None:
    """Make the version before the live one live again: a new version with the artifact of the old one, at home here.

    Raises Conflict where there is none, or while a training runs.
    """
    earlier = _earlier(store, item)
    copied = {name: earlier[name] for name in COPIED if name in earlier}
    again: Item = {**copied, "backend": "inline", "origin": origin(earlier)}
    item = retraining.begin(store, item, {"type": "version"}, now, asked=False, version=again)
    restore(store, item, {**again, "number": item["number"]}, now)
    retraining.wake(store, item)


def restore(store: AccountStore, item: Item, version: Item, now: float) -> None:
    """The rest of a roll-back that was begun. ConditionFailed when somebody else has done it."""
    artifact = storage.read(storage.folder(store.account, item["id"], version["origin"]) + storage.MODEL)
    if artifact is None:
        raise ConditionFailed  # the model is being deleted
    storage.write(storage.folder(store.account, item["id"], version["number"]) + storage.MODEL, artifact)
    end(store, item, version, "ready", None, now)


def _earlier(store: AccountStore, item: Item) -> Item:
    released = [version for version in versions.every(store, item["id"]) if version["state"] in scorers.RELEASED]
    live = next((version for version in released if version["number"] == item.get("live")), None)
    earlier = [version for version in released if live is not None and origin(version) < origin(live)]
    if not earlier:
        raise Conflict("There is no earlier version.")
    return max(earlier, key=origin)


def origin(version: Item) -> int:
    """The number of the training that made its artifact."""
    return int(version["origin"] if "origin" in version else version["number"])
