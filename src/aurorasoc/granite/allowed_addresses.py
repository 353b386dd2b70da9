"""Which addresses an admin's base URL may reach. The environment's base URLs are trusted."""

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
    """Return what a provider's connections may reach; None if a proxy makes them.

    A site's egress proxy resolves names itself and applies its own rules. If any reading of
    `NO_PROXY` exempts the host, a direct connection is possible, and is checked here.
    """
    parts = urlsplit(origin)
    host, known = parts.hostname or "", proxies()
    exempt = any(_may_exempt(name, host) for name in known.get("no", "").split(","))
    if proxied(parts.scheme, host, known) and not exempt:
        return None
    return AddressPolicy(inside_allowed=CATALOG[provider].may_be_local, allowed_hosts=allowed_hosts)


def _may_exempt(name: str, host: str) -> bool:
    """Return whether any client may read a `NO_PROXY` name as this host (scheme, port, network)."""
    bare = name.strip().lower().rpartition("://")[2].partition("/")[0]
    bare = bare.strip("[]") if bare.count(":") != 1 else bare.partition(":")[0]
    bare = bare.partition("]")[0].removeprefix("*").removeprefix(".")
    return name.strip() == "*" or (bare != "" and f".{host.lower()}".endswith(f".{bare}"))


async def require_allowed_address(
    provider: ServingBackend, base_url: str, allowed_hosts: tuple[str, ...]
) -> None:
    """Refuse a base URL that this provider may not reach.

    A name that can't be resolved here passes: a proxy may know it, and a direct connection is
    checked again.

    Raises:
        InvalidInput: The message names the host and the setting that allows it, if one does.
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
