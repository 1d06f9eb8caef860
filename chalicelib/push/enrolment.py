"""Storing recipients, up to 500 at once: who can be stored is, and of the others it is said why not.

| step                                  | by                                              | if it is interrupted   |
|---------------------------------------|-------------------------------------------------|------------------------|
| endpoints of tokens that are new      | CreatePlatformEndpoint, many at once            | found again            |
| recipients without new tokens         | conditional writes, 25 a call                   | some are stored        |
| recipients with new tokens            | a transaction each: the recipient, the tokens'  | some are stored        |
|                                       | owners, and the recipients who lose them        |                        |
| endpoints of tokens that are given up | by the owner alone, see `devices.retire`        | `Recipient.removed`    |

Every write demands the versions that were read; whoever lost a race is tried again from the start. So the same request
again ends in the same state, and two at once end as if one had come after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from chalicelib import aws, contract, ids, log
from chalicelib.errors import Unavailable
from chalicelib.push import devices, entries, recipients
from chalicelib.push.devices import Owner, Problem, Token
from chalicelib.push.entries import Entry, Refused
from chalicelib.push.recipients import Device, Recipient
from chalicelib.store import AccountStore, Change, ConditionFailed, Write

ROUNDS = contract.MAX_DEVICES + 2  # so that each device of one recipient can go to another one
RACED = "Others are changing this recipient or its devices; send it again."
SET = "SET #recipient = :recipient, #version = :version"


class Trouble(msgspec.Struct, frozen=True):
    """Why an entry is not stored. busy: it may be a little later."""

    entry: Entry
    reason: str
    field: str | None = None
    busy: bool = False


class Draft(msgspec.Struct, frozen=True):
    """What an entry makes of a recipient. new: tokens that it does not have yet, with their owners."""

    entry: Entry
    known: Recipient | None
    after: Recipient
    new: dict[Token, Owner | None] = {}


class Enrolment(msgspec.Struct):
    """Entries on their way. stored: their marks. cleared: drafts with devices to be deleted."""

    store: AccountStore
    now: float
    until: float
    clock: Callable[[], float]
    left: list[Entry]
    stored: set[int] = set()
    troubles: list[Trouble] = []
    retiring: list[Recipient] = []

    def refuse(self, entry: Entry, reason: str, field: str | None = None, *, busy: bool = False) -> None:
        self.troubles.append(Trouble(entry, reason, field, busy))


def put(store: AccountStore, request: contract.NewRecipients, now: float) -> contract.RecipientsStored:
    """Store recipients as they are given: nothing of before is kept but what SNS said of a number or a token.

    An id, or a token, that stands in the request twice is a problem of the later item.
    """
    problems, good = [], []
    for index, raw in enumerate(request.items):
        try:
            good.append(entries.entry(raw, index))
        except Refused as refused:
            problems.append(contract.RecipientProblem(index, entries.named(raw), refused.field, refused.reason))
    done, troubles = enrol(store, good, now)
    problems += [
        contract.RecipientProblem(each.entry.mark, each.entry.id, each.field, each.reason) for each in troubles
    ]
    return contract.RecipientsStored(stored=len(done), problems=sorted(problems, key=lambda each: each.index))


def enrol(
    store: AccountStore,
    wanted: list[Entry],
    now: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    seconds: float = devices.SECONDS,
) -> tuple[set[int], list[Trouble]]:
    """Store entries: the marks of those that were, and why the others were not.

    After `seconds` no more endpoints are made, and who needs one is busy. Raises Unavailable when the table is.
    """
    work = Enrolment(store, now, clock() + seconds, clock, [])
    work.left = _distinct(work, wanted)
    for _ in range(ROUNDS):
        if not work.left:
            break
        _round(work)
    for entry in work.left:
        work.refuse(entry, RACED, busy=True)
    _retire(work)
    return work.stored, work.troubles


def _distinct(work: Enrolment, wanted: list[Entry]) -> list[Entry]:
    """Without those whose id or token stands in an entry before."""
    places: dict[str, int] = {}
    tokens: dict[Token, int] = {}
    kept = []
    for entry in wanted:
        twice = next((token for token in entry.tokens if token in tokens), None)
        if entry.id in places:
            work.refuse(entry, f"The id stands at {places[entry.id]} already.", "id")
        elif twice:
            work.refuse(entry, f"The token stands at {tokens[twice]} already.", entries.field_of(entry, twice, "token"))
        else:
            kept.append(entry)
            places[entry.id] = entry.mark
            tokens |= dict.fromkeys(entry.tokens, entry.mark)
    return kept


def _round(work: Enrolment) -> None:
    """Try all that are left, as everything is now; those that lost a race stay."""
    entries_now, work.left = work.left, []
    known = recipients.load(work.store, [entry.id for entry in entries_now])
    elsewhere = {token for entry in entries_now for token in entry.tokens}
    drafts = [
        draft for entry in entries_now if (draft := _drafted(work, entry, known.get(entry.id), elsewhere)) is not None
    ]
    plain = [draft for draft in drafts if not draft.new]
    _write_plain(work, plain)
    _write_new(work, [draft for draft in drafts if draft.new])


def _drafted(work: Enrolment, entry: Entry, known: Recipient | None, elsewhere: set[Token]) -> Draft | None:
    if _was_imported(work, entry, known):
        return None
    try:
        after, tokens = entries.following(entry, known), entries.tokens_of(entry, known)
    except Refused as refused:
        work.refuse(entry, refused.reason, refused.field)
        return None
    before = {(each.platform, each.token): each for each in after.devices}
    # What another entry of these takes over is left where it is: that entry's transaction takes it away.
    kept = [device for token, device in before.items() if token in tokens or token in elsewhere]
    gone = [device for device in after.devices if device not in kept]
    after = msgspec.structs.replace(after, devices=tuple(kept), removed=(*after.removed, *gone))
    return Draft(entry, known, after, {token: None for token in tokens if token not in before})


def _was_imported(work: Enrolment, entry: Entry, known: Recipient | None) -> bool:
    """Whether the file that the entry is of has written this recipient before: by this line, or by one above."""
    if known is None or entry.imported is None or known.imported is None or known.imported[0] != entry.imported[0]:
        return False
    line = known.imported[1]
    if line < entry.mark:
        work.refuse(entry, f"The id stands at {line} already.", "id")
    else:
        work.stored.add(entry.mark)
    return True


# Writing


def _write_plain(work: Enrolment, drafts: list[Draft]) -> None:
    for draft in drafts:
        if draft.after == draft.known:
            _done(work, draft)
    inserts = [draft for draft in drafts if draft.known is None]
    rows = [(*recipients.place(each.entry.id), recipients.encoded(each.after, None)) for each in inserts]
    updates = [draft for draft in drafts if draft.known is not None and draft.after != draft.known]
    changes = [_change(each) for each in updates]
    answers = work.store.insert_many(recipients.KIND, rows) + work.store.change_many(recipients.KIND, changes)
    for draft, answer in zip(inserts + updates, answers, strict=True):
        # An answer may be lost, and the write refused the second time because of the first.
        written = answer.found.get("recipient") == recipients.encoded(draft.after, draft.known)["recipient"]
        if answer.done or written:
            _done(work, draft)
        else:
            work.left.append(draft.entry)


def _change(draft: Draft) -> Change:
    version = draft.known.version if draft.known else 0
    sets = recipients.encoded(draft.after, draft.known)
    return Change(*recipients.place(draft.entry.id), sets=sets, where={"version": version})


def _done(work: Enrolment, draft: Draft) -> None:
    work.stored.add(draft.entry.mark)
    if draft.after.removed:
        work.retiring.append(draft.after)


def _write_new(work: Enrolment, drafts: list[Draft]) -> None:
    owners = devices.owners(work.store, [token for draft in drafts for token in draft.new])
    free = [draft for draft in drafts if _is_free(work, draft, owners)]
    seconds = work.until - work.clock()
    made = devices.register(
        work.store.account, [token for draft in free for token in draft.new], clock=work.clock, seconds=seconds
    )
    ready = [full for draft in free if (full := _equipped(work, draft, made, owners)) is not None]
    losing = {owner.recipient for draft in ready for owner in draft.new.values() if owner}
    losers = recipients.load(work.store, losing)
    for draft, done in zip(ready, devices.at_once(lambda each: _transact(work, each, losers), ready), strict=True):
        if done:
            _done(work, draft)
        else:
            work.left.append(draft.entry)


def _is_free(work: Enrolment, draft: Draft, owners: dict[Token, Owner]) -> bool:
    """Whether none of the new tokens is just being taken from somebody, or stands in the same file above."""
    above = [(token, line) for token in draft.new if (line := _line_above(draft.entry, owners.get(token)))]
    if above:
        token, line = above[0]
        work.refuse(draft.entry, f"The token stands at {line} already.", entries.field_of(draft.entry, token, "token"))
        return False
    leaving = [
        token
        for token in draft.new
        if (owner := owners.get(token)) and owner.leaving > work.now - devices.LEAVING_SECONDS
    ]
    if not leaving:
        return True
    if draft.known and all(owners[token].recipient == draft.entry.id for token in leaving):
        # Its own: whoever gave it up did not come to the end.
        work.retiring.append(draft.known)
        _retire(work)
        work.left.append(draft.entry)
    else:
        work.refuse(draft.entry, devices.LEAVING, entries.field_of(draft.entry, leaving[0], "token"), busy=True)
    return False


def _line_above(entry: Entry, owner: Owner | None) -> int | None:
    """The line of the entry's own file that claimed a token before, if so."""
    name, line, _ = owner.claim.split("/") if owner else ("", "0", "")
    if owner and entry.imported and owner.recipient != entry.id and name == entry.imported[0]:
        return int(line) if int(line) < entry.mark else None
    return None


def _equipped(
    work: Enrolment, draft: Draft, made: dict[Token, str | Problem], owners: dict[Token, Owner]
) -> Draft | None:
    """The draft with its new devices."""
    added = []
    for token in draft.new:
        endpoint = made[token]
        if isinstance(endpoint, Problem):
            field = entries.field_of(draft.entry, token, endpoint.field)
            work.refuse(draft.entry, endpoint.reason, field, busy=endpoint.busy)
            return None
        added.append(Device(*token, endpoint, claim=_claim_name(draft.entry, work.now)))
    removed = tuple(each for each in draft.after.removed if (each.platform, each.token) not in draft.new)
    after = msgspec.structs.replace(draft.after, devices=(*draft.after.devices, *added), removed=removed)
    return msgspec.structs.replace(draft, after=after, new={token: owners.get(token) for token in draft.new})


def _transact(work: Enrolment, draft: Draft, losers: dict[str, Recipient]) -> bool:
    claims = {(each.platform, each.token): each.claim for each in draft.after.devices}
    writes = [_write(draft.after, draft.known), *(_claim(draft, token, claims[token]) for token in draft.new)]
    for name in {owner.recipient for owner in draft.new.values() if owner} - {draft.entry.id}:
        if loser := losers.get(name):
            kept = tuple(each for each in loser.devices if (each.platform, each.token) not in draft.new)
            writes.append(_write(msgspec.structs.replace(loser, devices=kept), loser))
    try:
        work.store.transact(*writes)
    except ConditionFailed:
        return False
    except Exception as error:
        if aws.error_code(error) in ("TransactionCanceledException", "TransactionInProgressException"):
            return False
        raise
    return True


def _write(after: Recipient, known: Recipient | None) -> Write:
    key, sk = recipients.place(after.id)
    values: dict[str, Any] = recipients.encoded(after, known)
    condition = "attribute_not_exists(pk)"
    if known:
        values, condition = {**values, "seen": known.version}, "#version = :seen"
    return Write(recipients.KIND, key, update=SET, values=values, condition=condition, sk=sk)


def _claim_name(entry: Entry, now: float) -> str:
    """file/line/id, the first two empty for a request."""
    name, line = entry.imported or ("", 0)
    return f"{name}/{line}/{ids.new_id(now)}"


def _claim(draft: Draft, token: Token, claim: str) -> Write:
    """Make this recipient the owner of a token, if its owner is who it was when the endpoint was asked for."""
    owner, condition = draft.new[token], "attribute_not_exists(pk)"
    values: dict[str, Any] = {"me": draft.entry.id, "claim": claim}
    if owner:
        leaving = "#leaving = :leaving" if owner.leaving else "attribute_not_exists(#leaving)"
        condition = f"#claim = :seen AND {leaving}"
        values |= {"seen": owner.claim, **({"leaving": owner.leaving} if owner.leaving else {})}
    update = "SET #recipient = :me, #claim = :claim REMOVE #leaving"
    return Write(devices.KIND, devices.digest(token), update=update, values=values, condition=condition)


# Devices that were given up


def _retire(work: Enrolment) -> None:
    """As many as there is time for; `removed` stays with the others, until they are stored again or deleted."""
    retiring, work.retiring = work.retiring, []

    def clear(recipient: Recipient) -> None:
        if work.clock() >= work.until:
            return
        try:
            devices.retire(work.store, recipient.id, recipient.removed, work.now)
            recipients.change(work.store, recipient.id, lambda now: _without(now, recipient.removed))
        except Unavailable:
            log.exception("devices stay for later", account=work.store.account)

    devices.at_once(clear, retiring)


def _without(recipient: Recipient, gone: tuple[Device, ...]) -> Recipient:
    return msgspec.structs.replace(recipient, removed=tuple(each for each in recipient.removed if each not in gone))
