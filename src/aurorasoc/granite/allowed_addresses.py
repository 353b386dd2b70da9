"""Where an admin's base URL may lead. The environment's is trusted, and not judged here."""

from __future__ import annotations

from urllib.parse import urlsplit

from aurorasoc.config.settings.ambient import proxies
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import InvalidInput
from aurorasoc.granite.address_policy import AddressPolicy, resolve
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.granite.sensitivity import proxied


def address_policy_of(
    provider: ServingBackend, origin: str, allowed_hosts: tuple[str, ...]
) -> AddressPolicy | None:
    """Give what a provider's connections may reach; None where a proxy makes them.

    Behind a site's egress proxy names are resolved there, and it is the proxy that judges.
    """
    parts = urlsplit(origin)
    if proxied(parts.scheme, parts.hostname or "", proxies()):
        return None
    return AddressPolicy(inside_allowed=CATALOG[provider].may_be_local, allowed_hosts=allowed_hosts)


async def require_allowed_address(
    provider: ServingBackend, base_url: str, allowed_hosts: tuple[str, ...]
) -> None:
    """Refuse a base URL that leads where this provider may not go.

    A name that can't be resolved here is let pass: a proxy may know it, and a connection that
    is made without one is judged again.

    Raises:
        InvalidInput: The message says which address it is about and which setting allows it.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    policy = AddressPolicy(
        inside_allowed=CATALOG[provider].may_be_local, allowed_hosts=allowed_hosts
    )
    why = policy.refusal(host, await resolve(host, parts.port or 0))
    if why is not None:
        detail = f"base_url can't be used: {why}."
        raise InvalidInput(detail)
