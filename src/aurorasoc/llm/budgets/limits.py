"""Which limits are in force, by scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aurorasoc.config.budgets import Limit, scope_of
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ConnectionName

LimitsByScope = Mapping[str, tuple[Limit, ...]]

NO_LIMITS: Final[LimitsByScope] = {}


def limits_of(snapshot: Snapshot) -> tuple[Limit, ...]:
    """Return all limits in force: those that were set, and those that clients were made with."""
    clients = snapshot.clients.values()
    of_clients = (Limit(scope_of("client", c.name), c.budget) for c in clients if c.budget)
    return (*snapshot.budgets, *of_clients)


def by_scope(limits: tuple[Limit, ...]) -> LimitsByScope:
    """Return limits by whom they are for."""
    index: dict[str, tuple[Limit, ...]] = {}
    for limit in limits:
        index[limit.scope] = (*index.get(limit.scope, ()), limit)
    return index


def scopes_of(
    connection: ConnectionName, agent: str | None, client: str | None, *, local: bool
) -> Iterator[str]:
    """Yield whom a call counts for.

    A connection that may be local counts for itself alone: limits of agents and clients cap what
    hosted providers are paid, and are never in the way of local calls.
    """
    yield scope_of("connection", connection)
    if local:
        return
    if agent is not None:
        yield scope_of("agent", agent)
    if client is not None:
        yield scope_of("client", client)
