"""What the service says of itself and of its caller."""

from chalicelib import contract
from chalicelib.auth import Principal
from chalicelib.settings import VERSION, settings


def health() -> contract.Health:
    return contract.Health(status="ok", stage=settings().stage, version=VERSION)


def me(principal: Principal) -> contract.Me:
    return contract.Me(account=principal.account, user=principal.user, roles=sorted(principal.roles))
