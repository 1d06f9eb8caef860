"""Creating a campaign: everything that can be known to go wrong is refused before anything is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from chalicelib import contract, ids
from chalicelib.errors import Conflict, Unprocessable
from chalicelib.push import campaigns, dryrun, spend, template
from chalicelib.push.composing import CHANNELS, LONGEST, Composer
from chalicelib.push.template import TemplateError
from chalicelib.store import AccountStore, ConditionFailed, Item

PIECE = 300_000  # bytes of a request in one item, of which DynamoDB keeps 400 kB
ASKED = "asked#"
LATEST_SECONDS = 366 * 86400
# How much of the audience is looked at for a template's attributes; within the 29 s of API Gateway.
LOOK_RECIPIENTS = 1000
LOOK_SECONDS = 3.0
DRY_RUN_SECONDS = 12.0


def create(
    store: AccountStore,
    user: str,
    request: contract.NewCampaign,
    now: float,
    *,
    key: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> contract.CampaignAccepted:
    """key: the same one makes one campaign, for ever; the API itself keeps answers for a day.

    Raises Unprocessable, and Conflict for another request with a key that was used.
    """
    composer, starts_at = check(store, request, now)
    if request.dry_run:
        found = dryrun.survey(store, request, composer, until=clock() + DRY_RUN_SECONDS, clock=clock)
        return contract.CampaignAccepted(None, None, dryrun.estimate(store, request, found, now))
    looked = dryrun.survey(
        store, request, composer, until=clock() + LOOK_SECONDS, clock=clock, most_read=LOOK_RECIPIENTS
    )
    check_attributes(request, looked)
    identifier = _identifier(store, request, key, now)
    _keep(store, identifier, request)
    campaigns.put(store, user, _head(identifier, request, starts_at), now)
    head = campaigns.found(store, identifier)
    if starts_at is None:
        campaigns.begin(store, head, now)
    return contract.CampaignAccepted(identifier, head["state"])


def check(store: AccountStore, request: contract.NewCampaign, now: float) -> tuple[Composer, int | None]:
    """What needs no recipient to be seen; the templates, and when it starts. Raises Unprocessable."""
    for channel in LONGEST:
        given, used = getattr(request.template, channel) is not None, channel in CHANNELS[request.channel]
        if given != used:
            what = "has no template" if used else "has a template, and is not used"
            raise Unprocessable(f"The channel {channel} {what}.", field=f"template.{channel}")
        if used:
            check_template(request, channel, {template.ANY_ATTRIBUTE})
    composer = Composer(request)
    if composer.needs_standing or request.audience.needs_standing:
        _check_standings(store)
    return composer, _starts_at(request, now)


def check_template(request: contract.NewCampaign, channel: str, known: set[str]) -> None:
    try:
        template.check(getattr(request.template, channel), known, LONGEST[channel])
    except TemplateError as error:
        raise Unprocessable(str(error), field=f"template.{channel}") from None


def check_attributes(request: contract.NewCampaign, looked: dryrun.Survey) -> None:
    """Refuse attributes that nobody has, of those looked at; with nobody to look at, there is nothing to refuse."""
    if looked.recipients:
        for channel in CHANNELS[request.channel]:
            check_template(request, channel, looked.names)


def _check_standings(store: AccountStore) -> None:
    from chalicelib.push import snapshots

    if snapshots.latest(store) is None:
        raise Unprocessable("There are no standings yet; POST /standings computes them.", field="audience")


def _starts_at(request: contract.NewCampaign, now: float) -> int | None:
    """Unix seconds, None for at once."""
    if request.starts_at is None:
        return None
    try:
        moment = datetime.fromisoformat(request.starts_at)
    except ValueError:
        raise Unprocessable("There is no such time.", field="starts_at") from None
    at = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if at > now + LATEST_SECONDS:
        raise Unprocessable("A campaign starts within a year.", field="starts_at")
    return at if at > now else None


def _identifier(store: AccountStore, request: contract.NewCampaign, key: str | None, now: float) -> str:
    """A new id; or the one that a request with this key got before."""
    import hashlib

    identifier = ids.new_id(now)
    if key is None:
        return identifier
    name = hashlib.sha256(key.encode()).hexdigest()
    digest = hashlib.sha256(msgspec.json.encode(request, order="deterministic")).hexdigest()
    try:
        store.put("launch", name, {"campaign": identifier, "digest": digest}, new=True)
    except ConditionFailed:
        kept = store.get("launch", name) or {}
        if kept.get("digest") != digest:
            raise Conflict("This Idempotency-Key was used for another campaign.", field="Idempotency-Key") from None
        return str(kept["campaign"])
    return identifier


def _head(identifier: str, request: contract.NewCampaign, starts_at: int | None) -> Item:
    limit = None if request.max_dollars is None else spend.micros(request.max_dollars)
    return {
        "id": identifier,
        "name": request.name,
        "channel": request.channel,
        "delivery": request.delivery,
        "title": request.template.title,
        **({} if starts_at is None else {"starts_at": starts_at}),
        **({} if limit is None else {"max_micros": limit}),
    }


# What was asked for is kept apart from the head, which every poll reads.


def _keep(store: AccountStore, campaign: str, request: contract.NewCampaign) -> None:
    data = msgspec.json.encode(request)
    for number, start in enumerate(range(0, len(data), PIECE)):
        store.put("campaign", campaign, {"json": data[start : start + PIECE]}, sk=f"{ASKED}{number}")


def asked(store: AccountStore, campaign: str) -> contract.NewCampaign:
    data = b"".join(item["json"] for item in store.partition("campaign", campaign, prefix=ASKED))
    return msgspec.json.decode(data, type=contract.NewCampaign)
