"""Which role and which agent uses which connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aurorasoc.config.vocabulary import ConnectionName, Role


@dataclass(frozen=True, slots=True)
class Assignment:
    """A connection, and who is asked after it.

    Attributes:
        model: Its model; None means the one that it has for the role.
        fallbacks: Who is asked when it fails, in order; None means the policy's fallbacks.
    """

    connection: ConnectionName
    model: str | None = None
    fallbacks: tuple[ConnectionName, ...] | None = None


@dataclass(frozen=True, slots=True)
class Assignments:
    """Who uses what. Who isn't in it uses the active connection."""

    roles: Mapping[Role, Assignment] = field(default_factory=dict)
    agents: Mapping[str, Assignment] = field(default_factory=dict)

    def of(self, role: Role, agent: str | None) -> Assignment | None:
        """Return an agent's own assignment, else its role's; None if it has neither."""
        mine = self.agents.get(agent) if agent is not None else None
        return mine or self.roles.get(role)

    @property
    def everyones(self) -> tuple[Assignment, ...]:
        """All assignments, the roles' first."""
        return (*self.roles.values(), *self.agents.values())

    @property
    def fallbacks(self) -> tuple[ConnectionName, ...]:
        """The fallbacks of all assignments that have some of their own."""
        return tuple(name for one in self.everyones for name in one.fallbacks or ())

    @property
    def connections(self) -> frozenset[ConnectionName]:
        """The connections that somebody is assigned to."""
        return frozenset(one.connection for one in self.everyones)


UNASSIGNED: Final = Assignments()
