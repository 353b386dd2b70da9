"""The secret store protocol and its database implementation; `core/vault` has the other one.

Configuration, not health, chooses the store (docs/decisions/022). A store seals keys for
credential rows and opens rows again. The caller writes the row, in the transaction of the
change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from pydantic import SecretStr

from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import Credential, Problem, SecretStoreStatus
from aurorasoc.config.vocabulary import ConnectionName, is_connection_name
from aurorasoc.core.database.tables import CredentialRow
from aurorasoc.core.keyring import Keyring, SeedChanged

MIN_LENGTH_FOR_LAST4 = 12
"""Shorter keys show no characters: four of eleven would reveal too much."""

Credentials = Mapping[ConnectionName, Credential]


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What a credential row records about a stored key."""

    token: str | None
    key_id: str | None
    vault_version: int | None = None


@dataclass(frozen=True, slots=True)
class StoreReading:
    """All stored keys, and the store's status."""

    credentials: Credentials
    status: SecretStoreStatus


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who writes a key, when, and the id of the write."""

    operation_id: str
    set_by: str
    set_us: int


class SecretStore(Protocol):
    """Keeps the keys of connections."""

    @property
    def kind(self) -> Literal["vault", "database"]:
        """The store's name in the inventory."""

    @property
    def transactional(self) -> bool:
        """Whether a write is part of the database transaction."""

    def peek(self, rows: Sequence[CredentialRow]) -> StoreReading:
        """Open the rows' keys without any network call.

        A row that can't be opened is listed, never skipped.
        """

    async def refresh(self, rows: Sequence[CredentialRow], *, spread: float = 0.0) -> None:
        """Fetch keys that `peek` lacks. Failures show in the status; they don't raise.

        Args:
            rows: The rows whose keys are needed.
            spread: Maximum random delay in seconds, so that processes don't read together.
        """

    async def write(
        self, connection: ConnectionName, origin: str, api_key: SecretStr, stamp: Stamp
    ) -> StoredKey:
        """Seal a key for a connection and an origin.

        Raises:
            SecretStoreUnavailable: The store doesn't answer, or its answer was lost.
        """

    async def remove(self, connection: ConnectionName) -> None:
        """Remove a key permanently.

        Raises:
            SecretStoreUnavailable: The store doesn't answer, or its answer was lost.
        """

    def close(self) -> None:
        """Release the store's resources."""


class DatabaseSecretStore:
    """Keys as Fernet tokens in `llm_provider_credentials`.

    Fernet has no associated data, so connection, origin and key id are part of the plaintext and
    compared after decryption. A row moved to another connection fails closed.
    """

    kind: Literal["vault", "database"] = "database"
    transactional = True

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def peek(self, rows: Sequence[CredentialRow]) -> StoreReading:
        """Open the rows whose name can be a connection's; ignore the others."""
        known = [row for row in rows if is_connection_name(row.connection)]
        credentials = {row.connection: self.open_row(row) for row in known}
        return StoreReading(credentials, SecretStoreStatus("database", "ok", None, None))

    async def refresh(self, rows: Sequence[CredentialRow], *, spread: float = 0.0) -> None:
        """Do nothing: the rows hold everything."""

    async def write(
        self, connection: ConnectionName, origin: str, api_key: SecretStr, stamp: Stamp
    ) -> StoredKey:
        """Seal a key; the caller's transaction stores it."""
        del stamp
        payload = {
            "provider": connection,
            "origin": origin,
            "key_id": self._keyring.key_ids[0] if self._keyring.key_ids else "",
            "api_key": api_key.get_secret_value(),
        }
        sealed = self._keyring.seal("credential", json.dumps(payload).encode())
        return StoredKey(sealed.token, sealed.key_id)

    async def remove(self, connection: ConnectionName) -> None:
        """Do nothing: the caller's transaction deletes the row and its key."""

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def open_row(self, row: CredentialRow) -> Credential:
        """Open one row; return why if it can't be opened. Never change it."""
        if row.token is None:
            return _unreadable(row, "The key is in Vault, which isn't the configured store.")
        try:
            fields = json.loads(self._keyring.open("credential", row.token))
        except SeedChanged as error:
            return _unreadable(row, error.detail)
        bound = {"provider": row.connection, "origin": row.origin, "key_id": row.key_id}
        if any(fields.get(name) != value for name, value in bound.items()):
            return _unreadable(row, "The stored row was altered or moved. Enter the key again.")
        key = SecretStr(fields["api_key"])
        return Credential(
            state="usable",
            source="database",
            origin=row.origin,
            api_key=key,
            last4=last4_of(key),
            tag=self._keyring.digest(key.get_secret_value().encode()),
            set_us=row.set_us,
            set_by=row.set_by,
        )


def last4_of(key: SecretStr) -> str | None:
    """Return a key's last four characters; None for one under 12."""
    text = key.get_secret_value()
    return text[-4:] if len(text) >= MIN_LENGTH_FOR_LAST4 else None


def apply_stored_keys_to_settings(settings: Settings, credentials: Credentials) -> Settings:
    """Return the settings with stored keys applied. Pure.

    Only this function lets a stored key override the environment's. An unreadable stored key
    overrides it too: the connection then has no key. Snapshots are composed from the result.

    Args:
        settings: As read from the environment.
        credentials: The stored keys, readable or not.
    """
    connections = {
        name: boot.model_copy(update={"api_key": credentials[name].api_key})
        if name in credentials
        else boot
        for name, boot in settings.connections.items()
    }
    return replace(settings, connections=connections)


def _unreadable(row: CredentialRow, detail: str) -> Credential:
    return Credential(
        state="needs_reentry",
        source="database",
        origin=row.origin,
        last4=row.last4,
        tag="unreadable",
        problem=Problem("seed_changed", detail),
        set_us=row.set_us,
        set_by=row.set_by,
    )
