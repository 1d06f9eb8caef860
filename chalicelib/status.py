"""What the service says of itself and of its caller."""

from chalicelib import contract
from chalicelib.auth import Principal
from chalicelib.settings import VERSION, settings


def health() -> contract.Health:
    return contract.Health(status="ok", stage=settings().stage, version=VERSION)


def config() -> contract.Config:
    from chalicelib import web

    here = settings()
    return contract.Config(
        region=here.region,
        user_pool=here.user_pool,
        user_pool_client=here.user_pool_client,
        user_pool_endpoint=here.endpoint,
        site_url=here.site_url,
        stage=here.stage,
        version=web.version(),
        local=here.endpoint is not None,
    )


def me(principal: Principal) -> contract.Me:
    return contract.Me(account=principal.account, user=principal.user, roles=sorted(principal.roles))
