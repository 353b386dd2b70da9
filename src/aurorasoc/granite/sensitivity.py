"""Allow, reroute or refuse requests by TLP label and backend locality (architecture, §3.5).

An address proves only the next hop: a relay behind a private address may forward data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from aurorasoc.config.networks import Network
from aurorasoc.config.snapshot import ConnectionConfig, Snapshot
from aurorasoc.config.vocabulary import AUTO, ConnectionName, Role, ServingBackend, Tlp
from aurorasoc.errors import ProviderNotReady, TlpRefused
from aurorasoc.granite.address_policy import AddressPolicy, resolve
from aurorasoc.granite.backend_resolution import (
    Probe,
    active_connection,
    local_connection,
    refresh_resolution,
)
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.granite.hosted_stop import require_not_stopped

Networks = Sequence[Network]


Passage = Literal["free", "local_only", "stopped", "forbidden"]
"""How a label may go to a connection: as it is, only while it is shown to be local, not while
hosted traffic is stopped, or never."""

Because = Literal["active", "agent", "role", "replaced"]
"""Why a connection is asked: it is active, or assigned, or another may not have the label, or one
failed."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Attributes:
        connection: Who answers.
        model: The assigned model; None means the connection's for the role.
        restricted: Whether the call is refused unless it stays local when it is made.
        because: Why this connection; `explain` makes a sentence of it, as every call is routed.
    """

    connection: ConnectionName
    model: str | None = None
    restricted: bool = False
    because: Because = field(default="active", compare=False)


def passage(snapshot: Snapshot, config: ConnectionConfig, tlp: Tlp | None) -> Passage:
    """Return how a label may go to a connection.

    A connection's own ceiling holds wherever it is. Without one, the policy's holds for hosted
    connections, and one that may be local has none as long as it is. A stop of hosted traffic
    holds for every label and for none: what may be local has to be shown to be local then.
    """
    way = passage_of_label(snapshot, config, tlp)
    if snapshot.stop is None or way == "forbidden":
        return way
    return "local_only" if CATALOG[config.provider].may_be_local else "stopped"


def passage_of_request(snapshot: Snapshot, config: ConnectionConfig, tlp: Tlp | None) -> Passage:
    """Return how a request may go to a connection: one that lacks a needed label goes nowhere."""
    if tlp is None and snapshot.policy.require_tlp.value:
        return "forbidden"
    return passage(snapshot, config, tlp)


def passage_of_label(snapshot: Snapshot, config: ConnectionConfig, tlp: Tlp | None) -> Passage:
    """Return how a label may go to a connection while hosted traffic is allowed."""
    if tlp is None:
        return "free"
    ceiling = config.max_tlp.value
    if ceiling is not None:
        return "free" if tlp.rank <= ceiling.rank else "forbidden"
    if not _is_beyond(snapshot, tlp):
        return "free"
    return "local_only" if CATALOG[config.provider].may_be_local else "forbidden"


def route(
    snapshot: Snapshot, tlp: Tlp | None, role: Role = "specialist", agent: str | None = None
) -> Route:
    """Choose the connection for a label, by who asks.

    Args:
        snapshot: The configuration.
        tlp: The label of what will be sent; None means unlabelled.
        role: The role that asks.
        agent: The agent that asks, if one does; its assignment counts before its role's.

    Raises:
        TlpRefused: The request has no label and `LLM_REQUIRE_TLP` is set, or no connection may
            have it.
        HostedStopped: It would go to a hosted connection, and hosted traffic is stopped.
        ProviderNotReady: The assigned connection doesn't exist in this process.
        BackendUnavailable: The label needs a local backend and none answers.
    """
    if tlp is None and snapshot.policy.require_tlp.value:
        detail = "LLM_REQUIRE_TLP is set: label the request with tlp, CLEAR to RED."
        raise TlpRefused(detail)
    assigned = snapshot.assignments.of(role, agent)
    if assigned is None and _names_local(snapshot) and _is_beyond(snapshot, tlp):
        return local_instead(snapshot, AUTO, tlp)
    name, model, because = _asked_for(snapshot, role, agent)
    config = snapshot.connections[name]
    way = passage(snapshot, config, tlp)
    if way == "forbidden":
        return local_instead(snapshot, name, tlp)
    if way == "stopped":  # nobody answers in its place whom nobody chose
        require_not_stopped(snapshot, config.provider)
    return Route(name, model, way == "local_only", because)


def needs_resolution(
    snapshot: Snapshot, tlp: Tlp | None, role: Role = "specialist", agent: str | None = None
) -> bool:
    """Return whether `route` depends on a probe of the local backends."""
    assigned = snapshot.assignments.of(role, agent)
    name = snapshot.requested.value if assigned is None else assigned.connection
    if name == AUTO:
        return True
    if name not in snapshot.connections or snapshot.policy.local_backend.value != AUTO:
        return False
    return passage(snapshot, snapshot.connections[name], tlp) == "forbidden"


async def resolve_for(
    snapshot: Snapshot,
    probe: Probe,
    tlp: Tlp | None = None,
    role: Role = "specialist",
    agent: str | None = None,
) -> None:
    """Probe the local backends, at most once a minute, if `route` depends on it."""
    if needs_resolution(snapshot, tlp, role, agent):
        await refresh_resolution(snapshot, probe)


def _is_beyond(snapshot: Snapshot, tlp: Tlp | None) -> bool:
    """Whether a label is above the policy's ceiling."""
    return tlp is not None and tlp.rank > snapshot.policy.hosted_max_tlp.value.rank


def _names_local(snapshot: Snapshot) -> bool:
    """Whether `auto` is in force, and the policy names the backend for what must stay local."""
    return snapshot.requested.value == AUTO and snapshot.policy.local_backend.value != AUTO


def _asked_for(
    snapshot: Snapshot, role: Role, agent: str | None
) -> tuple[ConnectionName, str | None, Because]:
    """Return who answers where no label forbids it, its assigned model, and why."""
    assigned = snapshot.assignments.of(role, agent)
    if assigned is None:
        return active_connection(snapshot), None, "active"
    mine = agent in snapshot.assignments.agents
    if assigned.connection not in snapshot.connections:
        detail = (
            f"The connection {assigned.connection} is assigned to the "
            f"{f'agent {agent}' if mine else f'role {role}'}, and doesn't exist in this process. "
            "Declare it, or assign another."
        )
        raise ProviderNotReady(detail)
    return assigned.connection, assigned.model, "agent" if mine else "role"


def local_instead(snapshot: Snapshot, requested: ConnectionName, tlp: Tlp | None) -> Route:
    """Return the local connection that the policy names for what another may not have.

    It has to prove that it is local, even where its own ceiling asks for no proof: nothing else
    may replace a connection that a label forbids.
    """
    choice = snapshot.policy.local_backend.value
    name = local_connection(snapshot) if choice == AUTO else choice
    if passage(snapshot, snapshot.connections[name], tlp) == "forbidden":
        detail = (
            f"{tlp} data may not go to {requested}, nor to {name}, which answers in its place: "
            "it is above their ceilings."
        )
        raise TlpRefused(detail)
    return Route(name, restricted=True, because="replaced")


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
