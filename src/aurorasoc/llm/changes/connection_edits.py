"""What a change does to named connections, and to who uses them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aurorasoc.config.assignments import Assignment, Assignments
from aurorasoc.config.call_options import NO_OPTIONS
from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import (
    AUTO,
    BUILT_IN,
    EVERYTHING,
    ConnectionName,
    ServingBackend,
    is_connection_name,
)
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.secret_patterns import names_a_key
from aurorasoc.errors import Conflict, ConnectionInUse, InvalidInput
from aurorasoc.granite.backend_resolution import (
    connection_named,
    require_assignable,
    require_exists,
    require_ready,
)
from aurorasoc.llm.adoption.declared import as_chosen
from aurorasoc.llm.adoption.stored import ConnectionChoice, Stored
from aurorasoc.llm.changes.edits import set_policy
from aurorasoc.llm.changes.key_edits import configured, remove_key
from aurorasoc.llm.changes.plan import Change, Edited
from aurorasoc.llm.changes.requests import (
    MAX_ASSIGNED,
    AssignmentsRequest,
    ConnectionRequest,
    ListRequest,
    PlannedCeiling,
    PlannedRequest,
)
from aurorasoc.llm.changes.uses import uses_of

_CHOICES = {"model", "orchestrator_model", "base_url", "max_tlp"}
"""Fields of a `ConnectionChoice` that a request may set, by the same names."""

_MAY_UNREADY = {"model", "orchestrator_model", "base_url", "api_key"}
"""Fields without which a connection can't take calls."""


def put_connection(settings: Settings, name: str, requested: ConnectionRequest) -> Change:
    """Create a connection, or change it, without switching to it.

    Args:
        settings: The boot defaults.
        name: Its name.
        requested: Its values; its base URL is already normalised.

    Raises:
        InvalidInput: No connection can be called so. When it is planned: it leads to another
            provider, or a value can't be met.
        Conflict: When it is planned: there are too many, or one in use would not be ready.
    """
    _require_name(name)

    def edit(before: Stored) -> Edited:
        if name not in before.snapshot.connections:
            _require_no_secret(name)
        _require_same_provider(before.snapshot, name, requested)
        choice = _chosen(before.config.choice(name), requested)
        after = as_chosen(settings, name, requested.provider, choice)
        edited = configured(before, after, requested)
        return replace(edited, details={**requested.as_details(), **edited.details})

    check = _keeps_ready(name) if _MAY_UNREADY & requested.model_fields_set else _refuse_nothing
    return Change(Action.CONNECTION_CHANGED, name, edit, check=check)


def listing(
    settings: Settings, name: str, provider: ServingBackend, requested: ListRequest
) -> Change:
    """Return a connection, new or not, with values that aren't saved. It is planned, never made.

    Raises:
        InvalidInput, KeyBoundToOrigin: As for a change.
    """
    sent = requested.model_dump(include={"base_url", "api_key"}, exclude_unset=True)
    values = ConnectionRequest.model_validate({**sent, "provider": provider})
    return replace(put_connection(settings, name, values), check=_refuse_nothing)


def delete_connection(settings: Settings, name: str) -> Change:
    """Remove a connection that was made at runtime, and its stored key.

    Raises:
        UnknownProvider: When it is planned: there is no such connection.
        Conflict: When it is planned: it is built in, declared by the environment, or in use.
    """

    def edit(before: Stored) -> Edited:
        connection_named(before.snapshot, name)
        if name in BUILT_IN or name in settings.connections:
            who = "is built in" if name in BUILT_IN else "is declared by the environment"
            detail = f"{name} {who}: it can be changed, not removed."
            raise Conflict(detail)
        uses = uses_of(before.snapshot, name)
        if uses:
            detail = f"{name} is in use: it is {', '.join(uses)}. Change that first."
            raise ConnectionInUse(detail)
        config = before.config.with_choice(name, ConnectionChoice())
        key = remove_key(before, name)
        return Edited(config, key, {"key_changed": key is not None})

    return Change(Action.CONNECTION_DELETED, name, edit)


def assign(requested: AssignmentsRequest) -> Change:
    """Change which connection and model roles and agents use.

    Raises:
        InvalidInput: When it is planned: there is no such connection.
        Conflict: When it is planned: it can't take calls, or too many agents have an assignment.
    """

    def edit(before: Stored) -> Edited:
        for one in requested.assigned:
            for name in (one.connection, *(one.fallbacks or ())):
                require_exists(before.snapshot, name)
        assignments = Assignments(
            roles=_merged(before.config.assignments.roles, requested.roles),
            agents=_merged(before.config.assignments.agents, requested.agents),
        )
        _require_few(before.config.assignments, assignments)
        details = requested.model_dump(mode="json", exclude_unset=True)
        return Edited(replace(before.config, assignments=assignments), details=details)

    return Change(
        Action.ASSIGNMENTS_CHANGED,
        EVERYTHING,
        edit,
        check=lambda candidate: require_assignable(candidate, requested.assigned),
    )


def plan_only(requested: PlannedRequest) -> Change:
    """Return what several changes together would lead to. It is planned, and never made.

    Raises:
        InvalidInput: When it is planned: it names a connection that doesn't exist, and no provider
            for it, or one that can't be called so.
    """

    def edit(before: Stored) -> Edited:
        config = before.config
        for name, planned in requested.connections.items():
            choice = _planned(before, name, planned)
            config = config.with_choice(name, choice)
        if requested.provider is not None:
            if requested.provider != AUTO:
                require_exists(before.snapshot, requested.provider)
            config = replace(config, backend=requested.provider)
        changes = [
            *([set_policy(requested.policy)] if requested.policy else []),
            *([assign(requested.assignments)] if requested.assignments else []),
        ]
        for change in changes:
            config = change.edit(replace(before, config=config)).config
        return Edited(config)

    return Change(Action.POLICY_CHANGED, EVERYTHING, edit)


def _planned(before: Stored, name: str, planned: PlannedCeiling) -> ConnectionChoice:
    """Return a connection with another ceiling; one that would be added has nothing else."""
    if planned.provider is None or name in before.snapshot.connections:
        require_exists(before.snapshot, name)
        return replace(before.config.choice(name), max_tlp=planned.max_tlp)
    _require_name(name)
    _require_no_secret(name)
    return ConnectionChoice(provider=planned.provider, max_tlp=planned.max_tlp)


def _chosen(before: ConnectionChoice, requested: ConnectionRequest) -> ConnectionChoice:
    sent: dict[str, Any] = requested.model_dump(include=_CHOICES, exclude_unset=True)
    if "options" not in requested.model_fields_set:
        return replace(before, **sent)
    options = requested.options
    return replace(
        before, **sent, options=NO_OPTIONS if options is None else options.as_call_options()
    )


def _merged(before: Mapping[Any, Assignment], sent: Mapping[Any, Any]) -> dict[Any, Assignment]:
    """Return the assignments with those that were sent; null takes one away."""
    merged = dict(before)
    for who, its in sent.items():
        merged.pop(who, None)
        if its is not None:
            merged[who] = its.as_assignment()
    return merged


def _require_name(name: str) -> None:
    """Refuse what no connection can be called."""
    if name not in BUILT_IN and not is_connection_name(name):
        detail = (
            "A connection's name has a-z, 0-9 and -, begins with a letter, has at most 32 "
            "characters, and is neither auto nor llm."
        )
        raise InvalidInput(detail)


def _require_no_secret(name: str) -> None:
    """Refuse a key that was entered where a name belongs: everybody sees names, and logs them."""
    if names_a_key(name):
        detail = "The name looks like a key, and names aren't secret. Choose short words, with -."
        raise InvalidInput(detail)


def _require_same_provider(
    before: Snapshot, name: ConnectionName, requested: ConnectionRequest
) -> None:
    present = before.connections.get(name)
    if present is not None and present.provider != requested.provider:
        or_delete = ", or delete it first" if present.source == "runtime" else ""
        detail = (
            f"The provider of {name} is {present.provider}, and can't be changed: choose another "
            f"name{or_delete}."
        )
        raise InvalidInput(detail)


def _require_few(before: Assignments, after: Assignments) -> None:
    if len(after.agents) > max(MAX_ASSIGNED, len(before.agents)):
        detail = f"{MAX_ASSIGNED} agents have an assignment already. Take back one."
        raise Conflict(detail)


def _keeps_ready(name: ConnectionName) -> Callable[[Snapshot], None]:
    """Refuse a candidate in which who uses a connection couldn't call it."""

    def check(candidate: Snapshot) -> None:
        if name in {candidate.requested.value, candidate.policy.local_backend.value}:
            require_ready(candidate.connections[name])
        everyones = candidate.assignments.everyones
        require_assignable(candidate, (one for one in everyones if one.connection == name))

    return check


def _refuse_nothing(_candidate: Snapshot) -> None:
    """A ceiling or an option makes no connection unready, and can be set on one that isn't."""
