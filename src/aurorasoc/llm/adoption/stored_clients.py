"""Machine clients as they are stored, one row each, authenticated by a key that is sealed."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.budgets import Budget
from aurorasoc.config.clients import MAX_CLIENTS, is_client_name
from aurorasoc.core.canonical import canonical
from aurorasoc.core.database.tables import ClientRow

_BUDGET: Final = TypeAdapter(Budget)
_NOT_IN_HISTORY: Final = {"token", "digest", "old_digest", "mac", "unreadable"}


@dataclass(frozen=True, slots=True)
class StoredClient:
    """One client as its row has it. The history has it without hashes.

    Attributes:
        secret_at: When its present secret was made, ISO 8601 UTC.
        token: The sealed key of its hashes.
        digest: The keyed hash of its present secret.
        old_digest: The keyed hash of the one before.
        old_until: When that one stops being valid.
        mac: Authenticates all but `token`.
        unreadable: Whether no version like this one can have written the row, which then stays.
    """

    created_at: str = ""
    created_by: str = ""
    secret_at: str = ""
    max_tlp: str | None = None
    expires_at: str | None = None
    budget: Budget | None = None
    old_until: str | None = None
    token: str = field(default="", repr=False)
    digest: str = field(default="", repr=False)
    old_digest: str | None = field(default=None, repr=False)
    mac: str = field(default="", repr=False)
    unreadable: bool = False

    def authenticated(self, name: str, hash_key: bytes) -> StoredClient:
        """Return it with its MAC."""
        return replace(self, mac=self._mac(name, hash_key))

    def is_authentic(self, name: str, hash_key: bytes) -> bool:
        """Whether whoever wrote the row had the key."""
        return hmac.compare_digest(self.mac.encode(), self._mac(name, hash_key).encode())

    def for_history(self) -> dict[str, Any]:
        """Return what the history records of it."""
        return {name: its for name, its in asdict(self).items() if name not in _NOT_IN_HISTORY}

    def _mac(self, name: str, hash_key: bytes) -> str:
        values = asdict(replace(self, token="", mac=""))
        row = canonical({"name": name, **values}).encode()
        return hmac.new(hash_key, b"row\0" + row, "sha256").hexdigest()


_UNREADABLE: Final = StoredClient(unreadable=True)
_COLUMNS: Final = tuple(one.name for one in fields(StoredClient) if one.name != "unreadable")


def clients_in(rows: Iterable[ClientRow]) -> dict[str, StoredClient]:
    """Read rows, which the database's running role may have added by itself: few, by name."""
    named = sorted((row for row in rows if is_client_name(row.name)), key=lambda row: row.name)
    return {row.name: _client_in(row) for row in named[:MAX_CLIENTS]}


def _client_in(row: ClientRow) -> StoredClient:
    values: dict[str, Any] = {name: getattr(row, name) for name in _COLUMNS}
    with suppress(ValidationError):
        budget = None if row.budget is None else _BUDGET.validate_json(row.budget, strict=True)
        return StoredClient(**values | {"budget": budget})
    return _UNREADABLE


async def save_clients(session: AsyncSession, clients: Mapping[str, StoredClient]) -> None:
    """Write the rows; those that can't be read stay, and so does each one's last use."""
    rows = {row.name: row for row in await session.scalars(select(ClientRow))}
    for name in rows.keys() - clients.keys():
        await session.delete(rows[name])
    for name, its in clients.items():
        if its.unreadable:
            continue
        if name not in rows:
            session.add(ClientRow(name=name, **_values(its)))
        else:
            for column, value in _values(its).items():
                setattr(rows[name], column, value)


def _values(client: StoredClient) -> dict[str, Any]:
    values: dict[str, Any] = {column: getattr(client, column) for column in _COLUMNS}
    budget = None if client.budget is None else canonical(asdict(client.budget))
    return values | {"budget": budget}
