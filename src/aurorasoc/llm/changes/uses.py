"""What a connection is used for."""

from __future__ import annotations

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ConnectionName


def uses_of(snapshot: Snapshot, name: ConnectionName) -> list[str]:
    """Say what a connection is used for, in words that follow "it is"."""
    policy, assignments = snapshot.policy, snapshot.assignments
    assigned = [(f"the role {who}", its) for who, its in assignments.roles.items()]
    assigned += [(f"the agent {who}", its) for who, its in assignments.agents.items()]
    variable = " (LLM_FALLBACKS)" if policy.fallbacks.source == "env" else ""
    return [
        *(["active"] if snapshot.requested.value == name else []),
        *(["the local backend"] if policy.local_backend.value == name else []),
        *([f"a fallback of the policy{variable}"] if name in policy.fallbacks.value else []),
        *(f"assigned to {who}" for who, its in assigned if its.connection == name),
        *(f"a fallback of {who}" for who, its in assigned if name in (its.fallbacks or ())),
    ]
