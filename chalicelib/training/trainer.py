"""The trainer: from a model's posts to a version that scores.

gathering ──> fitting ──> sagemaker (if that is its home) ──> the end, see `release`
    └ some images are not ready yet, or SageMaker works: the sweeper comes back each minute

Each step leaves what it made in the bucket, then says so in the version's row, by a write that only the first of two
workers can do. So a trainer that dies goes on where the row says, and two of them end as one. Every write is refused
once the training has ended or the model is being deleted, and who is refused takes back what it left.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import log
from chalicelib.features import schema
from chalicelib.images.record import timestamp
from chalicelib.store import AccountStore, ConditionFailed, Item
from chalicelib.training import release, removal, retraining, storage, versions
from chalicelib.training.collection import Unusable

if TYPE_CHECKING:
    from chalicelib.scoring.model import Model
    from chalicelib.training.customer import Outcome, Prior
    from chalicelib.training.dataset import DataSet

Clock = Callable[[], float]

# Longer than the function may run: until then a worker that says nothing may be alive.
QUIET_SECONDS = 1200
AGAIN_SECONDS = 60
# A slot for an upload is open for an hour, and its image then ends within another one.
IMAGES_SECONDS = 2 * 3600
SAGEMAKER_SECONDS = 6 * 3600
TELL_SECONDS = 2.0
NOTHING = "None of the posts can be used; the problems say why."
NOTHING_SHOWN = "No image was shown in these days. A day counts once the nightly compaction has gone through it."
NO_DIFFERENCE = "The images' rates differ no more than by chance."


class Training(msgspec.Struct):
    """A version in training, as its rows are now. noted_at: until when this worker's time is in the model's row."""

    store: AccountStore
    item: Item
    version: Item
    clock: Clock
    noted_at: float
    step: str = ""
    told_at: float = 0.0

    @property
    def model(self) -> str:
        return str(self.item["id"])

    @property
    def number(self) -> int:
        return int(self.version["number"])

    def key(self, name: str) -> str:
        return storage.folder(self.store.account, self.model, self.number) + name

    def tell(self, step: str, done: int, total: int) -> None:
        """Say how far it is, every other second. ConditionFailed when nobody wants to know any more."""
        if step == self.step and self.clock() - self.told_at < TELL_SECONDS:
            return
        self.step, self.told_at = step, self.clock()
        self.look_again(QUIET_SECONDS, state="training", step=step, done=int(done), total=int(total))

    def look_again(self, seconds: float, **values: Any) -> None:
        """Tell the sweeper when to look, and the model's row what else is new.

        That row adds up what time the training has had from all its workers, as `spent`, in milliseconds.
        """
        now = self.clock()
        values["sweep_at"] = int(now + seconds)
        sets = ", ".join(f"#{name} = :{name}" for name in values)
        values |= {"number": self.number, "spent": self._unnoted(now)}
        update = f"SET {sets} ADD #spent :spent"
        self.item = self.store.update("model", self.model, update, values, condition="#training = :number")
        self.noted_at = now

    @property
    def spent(self) -> int:
        """Milliseconds that workers had for this training so far."""
        return int(self.item.get("spent", 0)) + self._unnoted(self.clock())

    def _unnoted(self, now: float) -> int:
        return max(round((now - self.noted_at) * 1000), 0)

    def learned(self, **values: Any) -> None:
        """Note a step as done. ConditionFailed when another worker has done it, or the training has ended."""
        first = next(iter(values))
        sets = ", ".join(f"#{name} = :{name}" for name, value in values.items() if value is not None)
        self.version = self.store.update(
            "model",
            self.model,
            f"SET {sets}",
            {**values, "training": "training"},
            condition=f"#state = :training AND attribute_not_exists(#{first})",
            sk=versions.row(self.number),
        )


def train(message: dict[str, Any], _attempt: int = 1, clock: Clock = time.time) -> None:
    """Do what there is to do for a model: go on with its training, tell of one that has ended, finish its deletion."""
    store, model = AccountStore(message["account"]), message["model"]
    try:
        item = _present(store, model)
        if item.get("training") == message["number"] != 0:
            _train(store, item, clock)
            item = _present(store, model)
        if "untold" in item or "training" not in item:
            release.tell(store, item, clock())
    except ConditionFailed:
        # Another worker has been quicker; or the model is being deleted, and nothing of ours may stay.
        _leave_nothing(store, message)


def _leave_nothing(store: AccountStore, message: dict[str, Any]) -> None:
    """Put away what a late trainer wrote, and finish the deletion of a model."""
    model, number = message["model"], message["number"]
    item = store.get("model", model)
    if item is None or "deleting" in item:
        removal.finish(store, model)
        if message["backend"] == "sagemaker":
            removal.remove_endpoint(store.account, model, number)
    elif item.get("training") != number:
        storage.clear_work(store.account, model, number)


def _present(store: AccountStore, model: str) -> Item:
    item = store.get("model", model)
    if item is None or "deleting" in item:
        raise ConditionFailed
    return item


def _train(store: AccountStore, item: Item, clock: Clock) -> None:
    version = versions.get(store, item["id"], item["training"])
    if version is None:
        raise ConditionFailed
    training = Training(store, item, version, clock, noted_at=clock())
    try:
        _go_on(training)
    except ConditionFailed:
        raise
    except Unusable as unusable:
        ended = {**training.version, "problems": unusable.problems or training.version.get("problems", 0)}
        release.end(store, item, ended, "failed", str(unusable), clock())
    except Exception:
        log.exception("training broke off", model=item["id"], number=version["number"])
        training.look_again(AGAIN_SECONDS)


def _go_on(training: Training) -> None:
    if "origin" in training.version:
        release.restore(training.store, training.item, training.version, training.clock())
        return
    if "n" not in training.version and not _gather(training):
        return
    if "report" not in training.version:
        _fit(training)
    if "sha256" not in training.version:
        state: release.End = "not_better" if "live" in training.item else "not_enough_signal"
        _end(training, state)
    elif training.version["backend"] == "inline" or _at_home(training):
        _end(training, "ready")


def _end(training: Training, state: release.End) -> None:
    if "spent" not in training.version:
        _priced(training)
    version = training.version
    release.end(training.store, training.item, version, state, version.get("reason"), training.clock())


def _priced(training: Training) -> None:
    """Put into the report what the training cost; what it says then is never changed."""
    from chalicelib.training import cost, sagemaker

    version, spent = training.version, training.spent
    is_served = version["backend"] == "sagemaker" and "sha256" in version
    job = sagemaker.billed_seconds(training.model, training.number) if is_served else 0
    dollars = None if job is None else cost.training(spent / 1000, version["n"]) + cost.job(job)
    score = version["score_us"] / 1e6 if "score_us" in version else None
    found = cost.report(training=dollars, score=score, endpoint_mb=sagemaker.MEMORY_MB if is_served else 0)
    report = msgspec.json.decode(version["report"], type=dict[str, Any])
    training.learned(spent=spent, report=_json(report | {"cost": found}))


# Gathering


def _gather(training: Training) -> bool:
    """Make the data set; False while it is too early, since images are on their way."""
    from chalicelib.training import collection, dataset, gather

    posts, problems = collection.posts(training.store, training.item, training.version)
    found = gather.gather(
        training.store,
        [post.image for post in posts],
        lambda done, total: training.tell("gathering", done, total),
    )
    if found.waiting and training.clock() < training.version["started_at"] + IMAGES_SECONDS:
        ready = len(found.known) + len(found.refused)
        total = ready + len(found.waiting)
        training.look_again(
            AGAIN_SECONDS, state="training", step="waiting_for_images", done=ready, total=total, attempts=0
        )
        return False
    usable = [post for post in posts if post.image in found.known]
    data, unprepared = dataset.prepare(usable, found.known)
    problems = sorted([*problems, *found.problems(posts), *unprepared], key=lambda problem: problem.row)
    collection.write_problems(training.key(""), problems)
    data = dataset.DataSet.load(storage.keep(training.key(storage.DATASET), data.dump()))
    newest = math.ceil(data.posted_at.max()) if len(data) else 0
    training.learned(n=len(data), problems=len(problems), newest_at=newest)
    return True


# Fitting


def _fit(training: Training) -> None:
    """Learn, judge, and keep the model if it shall score."""
    from chalicelib.training import cost
    from chalicelib.training.dataset import DataSet

    stored = storage.read(training.key(storage.DATASET))
    if stored is None:
        raise ConditionFailed  # put away after the training has ended, or with the model
    data = DataSet.load(stored)
    reason = _hopeless(training, data)
    if reason:
        training.learned(report=_json({"n": len(data), "reason": reason}), reason=reason)
        return
    outcome, sha256, score_us = _outcome(training, data), None, None
    if outcome.released and outcome.model is not None:
        sha256 = _kept(training, outcome, outcome.model)
        score_us = round(cost.score_seconds(outcome.model, data.vectors, training.clock) * 1e6)
    reason = outcome.report.get("reason")
    training.learned(
        report=_json(outcome.report),
        reason=reason,
        sha256=sha256,
        score_us=score_us,
        trained_at=timestamp(training.clock()),
        schema=schema.SCHEMA_VERSION,
    )


def _hopeless(training: Training, data: DataSet) -> str | None:
    if not len(data):
        tracks = retraining.source_of(training.version)["type"] == "tracked"
        return NOTHING_SHOWN if tracks and not training.version.get("problems") else NOTHING
    return None if data.weights.any() else NO_DIFFERENCE


def _outcome(training: Training, data: DataSet) -> Outcome:
    from chalicelib.training import customer

    live, seen_until = _live(training)
    return customer.train(data, _priors(), training.tell, live=live, seen_until=seen_until)


def _priors() -> list[Prior]:
    from chalicelib.scoring import catalog
    from chalicelib.scoring.model import load_model
    from chalicelib.training.customer import Prior

    return [Prior(name, load_model(name)) for name in catalog.entries()]


def _live(training: Training) -> tuple[Model | None, float | None]:
    """The model that scores now, and the time of the newest post that it learned from.

    None for both where there is none, or where it cannot be read, as after a change of the features: it scores nothing.
    """
    from chalicelib.scoring.model import ModelDamaged, load

    number = training.item.get("live")
    version = versions.get(training.store, training.model, number) if number is not None else None
    if version is None:
        return None, None
    artifact = storage.read(storage.folder(training.store.account, training.model, version["number"]) + storage.MODEL)
    if artifact is None:
        raise ConditionFailed  # the model is being deleted
    try:
        return load(artifact, version["sha256"]), float(version["newest_at"])
    except ModelDamaged:
        log.exception("live model cannot be read", model=training.model, number=number)
        return None, None


def _kept(training: Training, outcome: Outcome, model: Model) -> str:
    """Keep the artifact, and what SageMaker needs; the SHA-256 of the artifact that is kept."""
    import hashlib

    artifact = storage.keep(training.key(storage.MODEL), model.dump())
    if training.version["backend"] == "sagemaker":
        _stage(training, outcome)
    return hashlib.sha256(artifact).hexdigest()


def _stage(training: Training, outcome: Outcome) -> None:
    from chalicelib.scoring.model import general, load_model
    from chalicelib.training import sagemaker
    from chalicelib.training.pipeline import Space

    prior = load_model(outcome.prior).machine if outcome.prior else None
    where = training.store.account, training.model, training.number
    sagemaker.stage_input(*where, outcome.learned, outcome, Space.of(general()), prior)


def _json(report: dict[str, Any]) -> bytes:
    return msgspec.json.encode(report)


# The other home


def _at_home(training: Training) -> bool:
    """Whether SageMaker serves the version; if it does not yet, it is asked again in a minute."""
    from chalicelib.training import sagemaker

    if training.clock() > training.version["started_at"] + SAGEMAKER_SECONDS:
        raise Unusable("SageMaker did not finish in time.")
    training.tell("sagemaker", 0, 1)
    try:
        state = sagemaker.advance(training.store.account, training.model, training.number)
    except sagemaker.TrainingFailed as failed:
        raise Unusable(str(failed)) from None
    if state == "waiting":
        training.look_again(AGAIN_SECONDS, attempts=0)
    return state == "ready"
