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

    Behind a site's egress proxy names are resolved there, and it is the proxy that judges. Where
    any reading of `NO_PROXY` makes the connection here, it is judged here.
    """
    parts = urlsplit(origin)
    host, known = parts.hostname or "", proxies()
    exempt = any(_may_exempt(name, host) for name in known.get("no", "").split(","))
    if proxied(parts.scheme, host, known) and not exempt:
        return None
    return AddressPolicy(inside_allowed=CATALOG[provider].may_be_local, allowed_hosts=allowed_hosts)


def _may_exempt(name: str, host: str) -> bool:
    """Whether some client reads a `NO_PROXY` name so: in capitals, with scheme, port or network."""
    bare = name.strip().lower().rpartition("://")[2].partition("/")[0]
    bare = bare.strip("[]") if bare.count(":") != 1 else bare.partition(":")[0]
    bare = bare.partition("]")[0].removeprefix("*").removeprefix(".")
    return name.strip() == "*" or (bare != "" and f".{host.lower()}".endswith(f".{bare}"))


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
