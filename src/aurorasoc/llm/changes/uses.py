"""What a connection is used for."""

from __future__ import annotations

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ConnectionName


def uses_of(snapshot: Snapshot, name: ConnectionName) -> list[str]:
    """Say what a connection is used for, in words that follow "it is"."""
    roles, agents = snapshot.assignments.roles, snapshot.assignments.agents
    return [
        *(["active"] if snapshot.requested.value == name else []),
        *(["the local backend"] if snapshot.policy.local_backend.value == name else []),
        *(f"assigned to the role {who}" for who, its in roles.items() if its.connection == name),
        *(f"assigned to the agent {who}" for who, its in agents.items() if its.connection == name),
    ]
