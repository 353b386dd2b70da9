"""Rotate seeds without loss: reseal under the first seed whatever an older one sealed.

Each row has its own transaction, with its audit entry. If the process is killed, every row is
intact under one seed or the other, and the next run continues.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.clients import is_client_name
from aurorasoc.config.vocabulary import ConnectionName, is_connection_name
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent, AuditSink
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import AuditKeyRow, ClientRow, CredentialRow
from aurorasoc.core.keyring import Keyring, SeedChanged
from aurorasoc.core.secret_store import DatabaseSecretStore, Stamp
from aurorasoc.errors import ConfigurationError

Standing = Literal["current", "older seed", "unreadable"]

_INSUFFICIENT_PRIVILEGE: Final = "42501"  # PostgreSQL, appendix A


@dataclass(frozen=True, slots=True)
class SealedItem:
    """One sealed row, and which seed opens it.

    Attributes:
        kind: `credential`, `audit key` or `client`.
        name: The connection, the audit key's id, or the machine client.
    """

    kind: Literal["credential", "audit key", "client"]
    name: str
    standing: Standing


async def survey(database: Database, keyring: Keyring) -> list[SealedItem]:
    """List every sealed row and its state; nothing is changed.

    Raises:
        DatabaseUnavailable: The rows can't be read.
    """
    async with database.reading() as session:
        key_rows = (await session.scalars(select(CredentialRow))).all()
        audit_keys = (await session.scalars(select(AuditKeyRow))).all()
        clients = (await session.scalars(select(ClientRow))).all()
    return [
        *(_credential(row, keyring) for row in key_rows if _is_ours(row)),
        *(_audit_key(row, keyring) for row in audit_keys),
        *(_client(row, keyring) for row in clients if is_client_name(row.name)),
    ]


class Rotation:
    """Reseals rows under the first seed.

    Args:
        database: Holds the rows.
        keyring: Its first seed is the one to seal under.
        audit: Gets an entry for each row.
        actor: Who rotates.
    """

    def __init__(self, database: Database, keyring: Keyring, audit: AuditSink, actor: str) -> None:
        self._database = database
        self._keyring = keyring
        self._store = DatabaseSecretStore(keyring)
        self._audit = audit
        self._actor = actor
        self._rewrapped: dict[bytes, str] = {}

    async def rotate(self) -> list[SealedItem]:
        """Reseal what an older seed sealed; return the resealed items."""
        items = await survey(self._database, self._keyring)
        todo = [item for item in items if item.standing == "older seed"]
        return [item for item in todo if await self._rotate(item)]

    async def _rotate(self, item: SealedItem) -> bool:
        """Reseal one row; return False if it was deleted or replaced since the survey."""
        async with self._database.transaction() as session:
            if item.kind == "credential":
                done, action = await self._reseal(session, item.name), Action.KEY_RESEALED
            elif item.kind == "client":
                done = await self._rewrap_client(session, item.name)
                action = Action.CLIENT_KEY_REWRAPPED
            else:
                done, action = await self._rewrap(session, item.name), Action.AUDIT_KEY_REWRAPPED
            if done:
                details = {"key_id": self._keyring.key_ids[0]}
                event = AuditEvent(self._actor, action, item.name, details)
                await self._audit.append(session, event)
        return done

    async def _reseal(self, session: AsyncSession, name: ConnectionName) -> bool:
        row = await session.get(CredentialRow, name)
        if row is None or _credential(row, self._keyring).standing != "older seed":
            return False
        api_key = self._store.open_row(row).api_key
        if api_key is None:
            return False
        stamp = Stamp(row.operation_id, row.set_by, row.set_us)
        sealed = await self._store.write(name, row.origin, api_key, stamp)
        row.token, row.key_id = sealed.token, sealed.key_id
        return True

    async def _rewrap(self, session: AsyncSession, key_id: str) -> bool:
        row = await session.get(AuditKeyRow, key_id)
        if row is None or _audit_key(row, self._keyring).standing != "older seed":
            return False
        key = self._keyring.open("audit-key", row.token)
        row.token = self._keyring.seal("audit-key", key).token
        await _flush_as_owner(session)
        return True

    async def _rewrap_client(self, session: AsyncSession, name: str) -> bool:
        """Reseal the key of a client's hashes; the hashes, and so its secrets, stay."""
        row = await session.get(ClientRow, name)
        if row is None or _client(row, self._keyring).standing != "older seed":
            return False
        key = self._keyring.open("client-key", row.token)
        if key not in self._rewrapped:  # clients share it, and so each process opens it once
            self._rewrapped[key] = self._keyring.seal("client-key", key).token
        row.token = self._rewrapped[key]
        return True


async def _flush_as_owner(session: AsyncSession) -> None:
    """Write a row that only the owner of the tables may change.

    Raises:
        ConfigurationError: The database role is not the owner.
    """
    try:
        await session.flush()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _INSUFFICIENT_PRIVILEGE:
            raise
        refused = True
    else:
        refused = False
    if refused:
        detail = (
            "The role in AURORA_DATABASE_URL may not reseal audit keys. Run this command as the "
            "role that owns the tables; keys resealed so far stay."
        )
        raise ConfigurationError(detail)


def _is_ours(row: CredentialRow) -> bool:
    """Whether it is sealed here, under a name that a connection can have."""
    return row.token is not None and is_connection_name(row.connection)


def _credential(row: CredentialRow, keyring: Keyring) -> SealedItem:
    readable = DatabaseSecretStore(keyring).open_row(row).state == "usable"
    standing = _standing(row.key_id, keyring) if readable else "unreadable"
    return SealedItem("credential", row.connection, standing)


def _audit_key(row: AuditKeyRow, keyring: Keyring) -> SealedItem:
    try:
        standing = _standing(keyring.opener("audit-key", row.token), keyring)
    except SeedChanged:
        standing = "unreadable"
    return SealedItem("audit key", row.key_id, standing)


def _client(row: ClientRow, keyring: Keyring) -> SealedItem:
    try:
        standing = _standing(keyring.opener("client-key", row.token), keyring)
    except SeedChanged:
        standing = "unreadable"
    return SealedItem("client", row.name, standing)


def _standing(key_id: str | None, keyring: Keyring) -> Standing:
    return "current" if key_id == keyring.key_ids[0] else "older seed"
