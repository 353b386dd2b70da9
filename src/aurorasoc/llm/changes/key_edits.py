"""What a change does to a connection's key, and to the values that the key depends on. Pure."""

from __future__ import annotations

from typing import Protocol

from pydantic import SecretStr

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.audit.actions import Action
from aurorasoc.errors import InvalidInput, KeyBoundToOrigin
from aurorasoc.granite.backend_resolution import connection_named
from aurorasoc.granite.base_url import origin_of
from aurorasoc.granite.catalog import CATALOG, ProviderSpec
from aurorasoc.llm.adoption.declared import Declared
from aurorasoc.llm.adoption.stored import Stored
from aurorasoc.llm.changes.plan import Change, DeleteKey, Edited, KeyEdit, SetKey


class KeyChoice(Protocol):
    """A request that may hold a key: unset keeps the present one, null removes it."""

    api_key: SecretStr | None

    @property
    def model_fields_set(self) -> set[str]:
        """The fields that were sent."""


def configured(before: Stored, after: Declared, requested: KeyChoice) -> Edited:
    """Return the state with a connection's new values, and its key if the request has one.

    Args:
        before: The stored state.
        after: The connection as its new values leave it.
        requested: May hold a key.

    Raises:
        KeyBoundToOrigin: The address would leave the origin of the key in force.
        InvalidInput: The connection takes no key, or has no address to bind one to.
    """
    config = before.config.with_choice(after.name, after.choice)
    origin = _origin(after)
    if "api_key" not in requested.model_fields_set:
        _require_same_origin(before.snapshot, after.name, origin)
        return Edited(config)
    if requested.api_key is None:
        key: KeyEdit | None = remove_key(before, after.name)
    else:
        key = key_for(before, after, requested.api_key)
    return Edited(config, key, {"key_changed": key is not None})


def key_for(before: Stored, after: Declared, api_key: SecretStr) -> SetKey | None:
    """Return the edit that stores a key for the address that a connection will have.

    Raises:
        InvalidInput: The connection takes no key, or has no address to bind one to.
    """
    return _store_key(before, after.name, after.spec, _origin(after), api_key)


def set_key(name: ConnectionName, api_key: SecretStr) -> Change:
    """Store a connection's key for the origin that is effective now.

    Raises:
        UnknownProvider: When it is planned: there is no such connection.
    """

    def edit(before: Stored) -> Edited:
        present = connection_named(before.snapshot, name)
        key = _store_key(before, name, CATALOG[present.provider], present.origin, api_key)
        return Edited(before.config, key, {"origin": present.origin})

    return Change(Action.KEY_SET, name, edit)


def delete_key(name: ConnectionName) -> Change:
    """Remove a connection's stored key. A key from the environment, if set, applies again.

    Raises:
        UnknownProvider: When it is planned: there is no such connection.
    """

    def edit(before: Stored) -> Edited:
        connection_named(before.snapshot, name)
        return Edited(before.config, remove_key(before, name))

    return Change(Action.KEY_DELETED, name, edit)


def remove_key(before: Stored, name: ConnectionName) -> DeleteKey | None:
    """Return the edit that removes a stored key; None if there is none."""
    return DeleteKey(name) if name in before.key_rows else None


def _origin(after: Declared) -> str | None:
    chosen = after.choice.base_url
    return after.boot_origin if chosen is None else origin_of(chosen)


def _require_same_origin(before: Snapshot, name: ConnectionName, origin: str | None) -> None:
    present = before.connections.get(name)
    if present is None or present.credential.api_key is None or origin == present.origin:
        return
    detail = (
        f"The key in force for {name} belongs to {present.origin or 'no address yet'}. Send "
        "api_key together with the new base_url, or delete the key first."
    )
    raise KeyBoundToOrigin(detail)


def _store_key(
    before: Stored,
    name: ConnectionName,
    spec: ProviderSpec,
    origin: str | None,
    api_key: SecretStr,
) -> SetKey | None:
    """Return the edit that stores a key; None if it is already stored for the origin."""
    if spec.key == "none":
        detail = f"{spec.label} takes no key."
        raise InvalidInput(detail)
    if origin is None:
        detail = f"{name} has no base URL to bind a key to. Set it first."
        raise InvalidInput(detail)
    stored = before.reading.credentials.get(name)
    if stored is not None and stored.origin == origin and stored.api_key == api_key:
        return None
    return SetKey(name, origin, api_key)
