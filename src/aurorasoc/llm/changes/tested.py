"""Which models are tested before a change is made. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, get_args

from aurorasoc.config.snapshot import ConnectionConfig, Snapshot
from aurorasoc.config.vocabulary import EVERYTHING, ConnectionName, Role

_ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True)
class ToTest:
    """A model to test.

    Attributes:
        role: Who would use it.
        model: An assigned one; None means the connection's for the role.
    """

    connection: ConnectionName
    role: Role
    model: str | None = None


def to_test(target: str, before: Snapshot, after: Snapshot) -> list[ToTest]:
    """Return the models to test before a change.

    Args:
        target: The connection that the change is about; `EVERYTHING` for a rollback.
        before: What is in force.
        after: What would be.
    """
    if target == EVERYTHING:
        return roles_to_test(before, after)
    config = after.connections[target]
    same = config.orchestrator_model.value == config.model.value
    return [ToTest(target, role) for role in (_ROLES[:1] if same else _ROLES)]


def roles_to_test(before: Snapshot, after: Snapshot) -> list[ToTest]:
    """Return the roles' models that would answer, where it isn't the same as answers now.

    What `auto` finds isn't known before it is in force.
    """
    tests: dict[tuple[ConnectionName, str | None], ToTest] = {}
    for role in _ROLES:
        config, model = _answering(after, role)
        if config is not None and _call(config, model) != _call(*_answering(before, role)):
            tests.setdefault((config.name, model), ToTest(config.name, role, model))
    return list(tests.values())


def _answering(snapshot: Snapshot, role: Role) -> tuple[ConnectionConfig | None, str | None]:
    """Return the connection and the model that answer a role; no connection if `auto` finds it."""
    assigned = snapshot.assignments.roles.get(role)
    name = snapshot.requested.value if assigned is None else assigned.connection
    config = snapshot.connections.get(name)
    if config is None:
        return None, None
    return config, (assigned and assigned.model) or config.model_of(role)


def _call(config: ConnectionConfig | None, model: str | None) -> tuple[object, ...] | None:
    """Return what a call depends on."""
    if config is None:
        return None
    return config.name, model, config.base_url.value, config.options, config.credential.key_tag
