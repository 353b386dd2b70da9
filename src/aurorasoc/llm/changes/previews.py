"""What a rollback or a reset would change of what is in force, said before it is made. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from aurorasoc.config.snapshot import ConnectionConfig, Snapshot
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.bodies import DEFERRED
from aurorasoc.llm.changes.in_words import Difference, differences
from aurorasoc.llm.changes.plan import Plan
from aurorasoc.llm.changes.tested import roles_to_test
from aurorasoc.llm.changes.widening import widening_of

_FIELDS: Final = ("model", "orchestrator_model", "base_url", "max_tlp")
_KEY_PROBLEMS: Final = {"key_missing", "origin_changed"}


@dataclass(frozen=True, slots=True)
class KeyNeeded:
    """A connection that would have no key for its address.

    Attributes:
        origin: The address that the key has to be for.
        belongs_to: The address that the present key is for; None if there is none.
        in_use: Whether it would be active or assigned: a rollback is refused without the key.
    """

    connection: ConnectionName
    origin: str | None
    belongs_to: str | None
    in_use: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would lead to. Nothing is changed.

    Attributes:
        based_on: The revision in force, as `If-Match` of the change takes it.
        changes: What would be in force instead of what is; null: none.
        keys: Connections that would need another key.
        widens: What data may do then that it may not now, in sentences.
        testable: Whether `verify` would test a model: another one would answer.
    """

    __pydantic_config__: ClassVar = DEFERRED

    based_on: int
    changes: Annotated[list[Difference], Field(description="In force now, and then.")]
    keys: list[KeyNeeded]
    widens: list[str]
    testable: bool


@dataclass(frozen=True, slots=True)
class RollbackPlan(Preview):
    """What a rollback would lead to.

    Attributes:
        to_revision: Where it goes back to.
    """

    to_revision: int


def preview_of(planned: Plan) -> Preview:
    """Say what a planned change would change."""
    before, after = planned.before.snapshot, planned.candidate
    return Preview(
        planned.based_on,
        list(differences(_in_force(before), _in_force(after))),
        list(_keys_needed(before, after)),
        widening_of(before, after),
        bool(roles_to_test(before, after)),
    )


def rollback_plan_of(planned: Plan, to_revision: int) -> RollbackPlan:
    """Say what a planned rollback would change."""
    seen = preview_of(planned)
    return RollbackPlan(
        seen.based_on, seen.changes, seen.keys, seen.widens, seen.testable, to_revision
    )


def _in_force(snapshot: Snapshot) -> dict[str, Any]:
    """Return what is in force by the fields' names in the history, boot defaults included."""
    policy, assignments = snapshot.policy, snapshot.assignments
    return {
        "backend": snapshot.requested.value,
        **{one.name: getattr(policy, one.name).value for one in fields(policy)},
        "providers": {name: _values(its) for name, its in snapshot.connections.items()},
        "assignments": {
            "roles": {who: asdict(its) for who, its in assignments.roles.items()},
            "agents": {who: asdict(its) for who, its in assignments.agents.items()},
        },
    }


def _values(config: ConnectionConfig) -> dict[str, Any]:
    values = {field: getattr(config, field).value for field in _FIELDS}
    return {"provider": config.provider, **values, "options": config.options.as_json()}


def _keys_needed(before: Snapshot, after: Snapshot) -> Iterator[KeyNeeded]:
    """Yield what has no key for its address then, and had one, or is used then."""
    for name, config in after.connections.items():
        if not _lacks_key(config):
            continue
        present, in_use = before.connections.get(name), _is_required(after, name)
        if in_use or present is None or not _lacks_key(present):
            credential = config.credential
            belongs_to = credential.origin if credential.state != "absent" else None
            yield KeyNeeded(name, config.origin, belongs_to, in_use)


def _is_required(snapshot: Snapshot, name: ConnectionName) -> bool:
    """Whether a connection is active or assigned: a rollback refuses one that can't take calls."""
    return name == snapshot.requested.value or name in snapshot.assignments.connections


def _lacks_key(config: ConnectionConfig) -> bool:
    return any(problem.code in _KEY_PROBLEMS for problem in config.problems)
