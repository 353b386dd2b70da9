"""Allow, reroute or refuse requests by TLP label and backend locality (architecture, §3.5).

An address proves only the next hop: a relay behind a private address may forward data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from aurorasoc.config.networks import Network
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import AUTO, ServingBackend, Tlp
from aurorasoc.errors import TlpRefused
from aurorasoc.granite.address_policy import AddressPolicy, resolve
from aurorasoc.granite.backend_resolution import (
    Probe,
    active_backend,
    local_backend,
    refresh_resolution,
)
from aurorasoc.granite.catalog import CATALOG

Networks = Sequence[Network]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Attributes:
        backend: Who answers.
        restricted: Whether the call is refused unless it stays local when it is made.
    """

    backend: ServingBackend
    restricted: bool


def route(snapshot: Snapshot, tlp: Tlp | None) -> Route:
    """Choose the backend for a label.

    Raises:
        TlpRefused: The request has no label and `LLM_REQUIRE_TLP` is set.
        BackendUnavailable: The label needs a local backend and none answers.
    """
    policy = snapshot.policy
    if tlp is None and policy.require_tlp.value:
        detail = "LLM_REQUIRE_TLP is set: label the request with tlp, CLEAR to RED."
        raise TlpRefused(detail)
    if tlp is None or tlp.rank <= policy.hosted_max_tlp.value.rank:
        return Route(active_backend(snapshot), restricted=False)
    return Route(_backend_for_restricted(snapshot), restricted=True)


def needs_resolution(snapshot: Snapshot, tlp: Tlp | None) -> bool:
    """Return whether `route` depends on a probe of the local backends."""
    requested, policy = snapshot.requested.value, snapshot.policy
    if requested == AUTO:
        return True
    restricted = tlp is not None and tlp.rank > policy.hosted_max_tlp.value.rank
    active_is_hosted = not CATALOG[ServingBackend(requested)].may_be_local
    return restricted and active_is_hosted and policy.local_backend.value == AUTO


async def resolve_for(snapshot: Snapshot, probe: Probe, tlp: Tlp | None = None) -> None:
    """Probe the local backends, at most once a minute, if `route` depends on it."""
    if needs_resolution(snapshot, tlp):
        await refresh_resolution(snapshot, probe)


def _backend_for_restricted(snapshot: Snapshot) -> ServingBackend:
    """Return the active backend if it may be local, else the one that the policy names."""
    requested, choice = snapshot.requested.value, snapshot.policy.local_backend.value
    if requested != AUTO and CATALOG[ServingBackend(requested)].may_be_local:
        return ServingBackend(requested)
    return local_backend(snapshot) if choice == AUTO else ServingBackend(choice)


async def require_local(
    backend: ServingBackend, origin: str, networks: Networks, proxies: Mapping[str, str]
) -> None:
    """Refuse a call whose data would leave the local networks.

    Raises:
        TlpRefused: The backend isn't local now; the message says why.
    """
    why = await why_not_local(backend, origin, networks, proxies)
    if why:
        detail = f"The label needs a local backend, and {why}."
        raise TlpRefused(detail)


async def why_not_local(
    backend: ServingBackend, origin: str, networks: Networks, proxies: Mapping[str, str]
) -> str | None:
    """Return why a backend's data would leave the local networks; None if it stays.

    Args:
        backend: Only ollama and vllm can be local.
        origin: The backend's origin.
        networks: `LLM_LOCAL_NETWORKS`.
        proxies: The environment's; a host that a proxy resolves is never local.
    """
    if not CATALOG[backend].may_be_local:
        return f"{backend} is a hosted provider"
    parts = urlsplit(origin)
    host = parts.hostname or ""
    if proxied(parts.scheme, host, proxies):
        return "a proxy stands between this host and the backend"
    addresses = await resolve(host, parts.port or 0)
    if not addresses:
        return f"{host} can't be resolved here"
    return AddressPolicy(only=tuple(networks)).refusal(host, addresses)


def proxied(scheme: str, host: str, proxies: Mapping[str, str]) -> bool:
    """Return whether a proxy of the environment would make a connection."""
    if not (proxies.get(scheme) or proxies.get("all")):
        return False
    return not any(_exempts(name.strip(), host) for name in proxies.get("no", "").split(","))


def _exempts(name: str, host: str) -> bool:
    """Return whether a `NO_PROXY` name covers a host: `.lan` covers `a.lan`, never `vlan`."""
    return name in {"*", host} or (name != "" and host.endswith(f".{name.removeprefix('.')}"))
