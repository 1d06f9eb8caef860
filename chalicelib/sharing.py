"""A ranking shown to whoever has a link, without sign-in, until a stated time.

    token = {account}.{ranking}.{end}.{signature}        end: Unix seconds
    signature: by the account's key, over TEXT           see delivery.signature

Nothing is stored, so nothing has to be swept. A link ends at its time, with its ranking, and with the key that signed
it: two rotations of the signing secret end every link. The page keeps the token behind the "#" of its address, which no
browser sends to a server, and posts it in a body, which no log keeps.
"""

from __future__ import annotations

import re

import msgspec

from chalicelib import contract, ranking
from chalicelib.delivery import keys, signature
from chalicelib.errors import Forbidden, NotFound
from chalicelib.images import record
from chalicelib.store import AccountStore

DAY_SECONDS = 86400
# No text that is signed for a delivered image begins like this: those begin with operations.
TEXT = "shared-ranking:{ranking}:{end}"
TOKEN = re.compile(rf"(a[a-z2-7]{{16}})\.([0-9a-z]{{26}})\.([1-9]\d{{0,11}})\.({signature.KID}\.[\w-]{{22}})", re.ASCII)
REFUSAL = "This link shows nothing: it is over, or its ranking was deleted."


def link(store: AccountStore, identifier: str, request: contract.NewLink, now: float) -> contract.Link:
    """A token that shows a ranking of this account. Raises NotFound."""
    if store.get("ranking", identifier) is None:
        raise NotFound("There is no such ranking.")
    end = int(now) + request.days * DAY_SECONDS
    signed = signature.sign(keys.key_ring(), store.account, TEXT.format(ranking=identifier, end=end))
    return contract.Link(token=f"{store.account}.{identifier}.{end}.{signed}", expires_at=record.timestamp(end))


def view(token: str, now: float) -> contract.Ranking:
    """The ranking of a token, as strangers may see it. Raises NotFound, whatever is wrong with the token."""
    account, identifier = read(token, now)
    try:
        found = ranking.view(AccountStore(account), identifier)
    except NotFound:
        raise NotFound(REFUSAL, field="token") from None
    return msgspec.structs.replace(found, entries=[shown(entry) for entry in found.entries])


def read(token: str, now: float) -> tuple[str, str]:
    """Account and ranking of a token that we signed and whose time is not over. Raises NotFound."""
    match = TOKEN.fullmatch(token)
    if match is None:
        raise NotFound(REFUSAL, field="token")
    account, identifier, end, signed = match.groups()
    try:
        ring = keys.key_ring(signed.partition(".")[0])
        signature.verify(ring, account, signed, TEXT.format(ranking=identifier, end=end))
    except Forbidden:
        raise NotFound(REFUSAL, field="token") from None
    if now >= int(end):
        raise NotFound(REFUSAL, field="token")
    return account, identifier


def shown(entry: contract.Entry) -> contract.Entry:
    """Without the original, and without what the account's other photos have earned."""
    previewed = contract.Urls(preview=entry.urls.preview, original=None)
    return msgspec.structs.replace(entry, urls=previewed, similar=[])
