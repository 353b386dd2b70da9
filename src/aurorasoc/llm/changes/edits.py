"""What each change does to the stored configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aurorasoc.config.assignments import UNASSIGNED
from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import AUTO, EVERYTHING, ConnectionName
from aurorasoc.core.audit.actions import Action
from aurorasoc.errors import InvalidInput, NoModelConfigured, ProviderNotReady
from aurorasoc.granite.backend_resolution import (
    connection_named,
    require_assignable,
    require_exists,
    require_may_be_local,
    require_ready,
)
from aurorasoc.llm.adoption.declared import Declared, as_chosen, declared
from aurorasoc.llm.adoption.stored import ConnectionChoice, Stored, StoredConfig
from aurorasoc.llm.changes.key_edits import configured, key_for
from aurorasoc.llm.changes.plan import Change, Edited
from aurorasoc.llm.changes.requests import (
    ConfigRequest,
    PolicyRequest,
    RollbackKey,
    TestRequest,
)

_CHOICES = {"model", "orchestrator_model", "base_url"}
"""Fields of a `ConnectionChoice` that a switch may set, by the same names."""


def switch(settings: Settings, requested: ConfigRequest) -> Change:
    """Make a connection active and configure it.

    Args:
        settings: The boot defaults.
        requested: What to switch to; its base URL is already normalised.

    Raises:
        InvalidInput: The request can't be met. When it is planned: there is no such connection.
    """
    if requested.provider == AUTO:
        return _switch_to_auto(requested)
    name = requested.provider
    sent: dict[str, Any] = requested.model_dump(include=_CHOICES, exclude_unset=True)

    def edit(before: Stored) -> Edited:
        require_exists(before.snapshot, name)
        edited = configured(before, _changed(settings, before, name, sent), requested)
        config = replace(edited.config, backend=name)
        return replace(edited, config=config, details={**sent, **edited.details})

    return Change(
        Action.CONFIG_CHANGED,
        name,
        edit,
        check=lambda candidate: require_ready(candidate.connections[name]),
    )


def trial(settings: Settings, name: ConnectionName, requested: TestRequest) -> Change:
    """Return a connection with values that aren't saved. It is planned for a test, never made.

    Raises:
        UnknownProvider, InvalidInput, KeyBoundToOrigin: When it is planned, as for a switch.
    """
    sent: dict[str, Any] = requested.model_dump(include=_CHOICES, exclude_unset=True)

    def edit(before: Stored) -> Edited:
        connection_named(before.snapshot, name)
        return configured(before, _changed(settings, before, name, sent), requested)

    return Change(Action.CONFIG_CHANGED, name, edit)


def _changed(
    settings: Settings, before: Stored, name: ConnectionName, sent: Mapping[str, Any]
) -> Declared:
    """Return a connection that exists with some of its values replaced."""
    provider = before.snapshot.connections[name].provider
    return as_chosen(settings, name, provider, replace(before.config.choice(name), **sent))


def _switch_to_auto(requested: ConfigRequest) -> Change:
    if requested.model_fields_set != {"provider"}:
        detail = "auto takes no other field: it chooses between the local backends as they are."
        raise InvalidInput(detail)
    return Change(
        Action.CONFIG_CHANGED, AUTO, lambda before: Edited(replace(before.config, backend=AUTO))
    )


def reset() -> Change:
    """Go back to the boot defaults; keys and policy stay, and connections made at runtime."""

    def edit(before: Stored) -> Edited:
        made = _made(before.config)
        config = replace(before.config, backend=None, providers=made, assignments=UNASSIGNED)
        return Edited(config)

    return Change(Action.CONFIG_RESET, EVERYTHING, edit)


def set_policy(requested: PolicyRequest) -> Change:
    """Change the sensitivity policy.

    Raises:
        InvalidInput: When it is planned: the local backend can't be local, or a connection
            doesn't exist.
    """
    sent: dict[str, Any] = requested.model_dump(mode="json", exclude_unset=True)

    def edit(before: Stored) -> Edited:
        if requested.local_backend is not None:
            require_may_be_local(before.snapshot, requested.local_backend)
        for name in requested.fallbacks or ():
            require_exists(before.snapshot, name)
        names = {} if requested.fallbacks is None else {"fallbacks": requested.fallbacks}
        return Edited(replace(before.config, **{**sent, **names}), details=sent)

    return Change(Action.POLICY_CHANGED, EVERYTHING, edit)


def roll_back(settings: Settings, earlier: StoredConfig, key: RollbackKey | None = None) -> Change:
    """Restore an earlier configuration. Keys are not rolled back, and no connection is removed.

    Args:
        settings: The boot defaults.
        earlier: What to restore.
        key: Stored for the address that a connection goes back to.

    Raises:
        InvalidInput: When it is planned: the key is for a connection that wouldn't exist, takes
            no key, or would have no address.
    """

    def edit(before: Stored) -> Edited:
        connections = {**_made(before.config), **earlier.providers}
        config = replace(
            before.config.standing_over(earlier),
            revision=before.config.revision,
            providers=connections,
        )
        details: dict[str, Any] = {"to_revision": earlier.revision}
        if key is None:
            return Edited(config, details=details)
        after = declared(settings, key.connection, config.choice(key.connection))
        if after is None:
            detail = f"No connection of that name exists after a rollback to {earlier.revision}."
            raise InvalidInput(detail)
        stored = key_for(before, after, key.api_key)
        details |= {"connection": key.connection, "key_changed": stored is not None}
        return Edited(config, stored, details)

    def check(candidate: Snapshot) -> None:
        try:
            _require_used_ready(candidate)
        except (NoModelConfigured, ProviderNotReady) as error:
            detail = (
                f"{error.detail} Revision {earlier.revision} uses that connection: send a missing "
                "key together with the rollback."
            )
            raise type(error)(detail) from error

    return Change(Action.CONFIG_ROLLED_BACK, EVERYTHING, edit, check=check)


def _made(config: StoredConfig) -> dict[ConnectionName, ConnectionChoice]:
    """Return the connections that were made at runtime; the environment's without their values."""
    named = {name: its for name, its in config.providers.items() if its.provider is not None}
    return {
        name: ConnectionChoice(provider=its.provider, from_env=True) if its.from_env else its
        for name, its in named.items()
    }


def _require_used_ready(candidate: Snapshot) -> None:
    """Refuse a candidate whose active connection, or an assigned one, can't take calls."""
    requested = candidate.requested.value
    if requested != AUTO:
        require_ready(candidate.connections[requested])
    require_assignable(candidate, candidate.assignments.everyones)
