"""One change: configuration, credential, audit entry and revision commit together or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.core.audit.log import AuditEvent
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import CredentialRow
from aurorasoc.core.secret_store import SecretStore, Stamp, StoredKey, last4_of
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.changes.in_words import NO_KEY, KeyRecord
from aurorasoc.llm.changes.journal import Journal
from aurorasoc.llm.changes.plan import (
    Change,
    KeyEdit,
    Plan,
    ReplacedKey,
    SetKey,
    plan,
    require_revision,
)

if TYPE_CHECKING:
    from aurorasoc.llm.changes.intents import KeyIntents


@dataclass(frozen=True, slots=True)
class Applied:
    """A change that was made.

    Attributes:
        snapshot: What is in force in this process.
        old_key: The usable key that was replaced or removed; None if there was none.
    """

    snapshot: Snapshot
    old_key: ReplacedKey | None


InTransaction = Callable[[AsyncSession, Snapshot, Snapshot], Awaitable[None]]
"""Writes what a change brings with it: takes the snapshots before and after."""


async def _nothing_more(_session: AsyncSession, _before: Snapshot, _after: Snapshot) -> None:
    """Write nothing beside the change."""


@dataclass(frozen=True, slots=True)
class Changer:
    """Makes changes, one transaction each.

    Attributes:
        begin: Writes what else a change of the configuration brings with it.
        intents: Writes keys to a store outside our transaction; None if the store takes part.
    """

    database: Database
    adoption: Adoption
    store: SecretStore
    journal: Journal
    intents: KeyIntents | None = None
    begin: InTransaction = _nothing_more

    async def apply(self, change: Change, *, actor: str, if_match: int | None) -> Applied:
        """Make a change, and adopt it in this process before returning.

        A change without effect keeps the revision, and is still audited.

        Raises:
            RevisionMismatch: `if_match` is not the current revision.
            Conflict: The change is refused; nothing was changed.
            AuditUnavailable: The entry can't be written; nothing was changed.
            SecretStoreUnavailable: The key can't be stored; nothing was changed.
            OutcomeUnknown: The store's answer was lost; the change is settled later.
            DatabaseUnavailable: Nothing was changed.
        """
        stamp = self._stamp(actor)
        async with self.database.transaction() as session:
            planned = await self._plan(session, change, stamp, if_match)
            edited, intent = planned.edited, None
            event = AuditEvent(actor, change.action, change.target, edited.details)
            if self.intents is not None:
                intent = await self.intents.begin(session, event, planned)
            if intent is None:
                await self.begin(session, planned.before.snapshot, planned.candidate)
                await self._write_key(session, edited.key, stamp)
                await self.journal.write(
                    session,
                    event,
                    edited.config,
                    changed=planned.changed,
                    key=_key_record(edited.key),
                )
        if self.intents is not None and intent is not None and edited.key is not None:
            snapshot = await self.intents.carry_out(intent, edited.key)
            return Applied(snapshot, planned.old_key)
        self.adoption.swap(planned.candidate)
        return Applied(planned.candidate, planned.old_key)

    async def preview(self, change: Change, *, actor: str, if_match: int | None) -> Plan:
        """Plan a change without writing anything.

        Raises:
            RevisionMismatch, Conflict, DatabaseUnavailable: As `apply` does.
        """
        async with self.database.reading() as session:
            return await self._plan(session, change, self._stamp(actor), if_match)

    async def _plan(
        self, session: AsyncSession, change: Change, stamp: Stamp, if_match: int | None
    ) -> Plan:
        before = await self.adoption.read(session, to_change=True)
        require_revision(before.config.revision, if_match)
        return plan(change, before, self.adoption, stamp)

    def _stamp(self, actor: str) -> Stamp:
        return Stamp(str(uuid.uuid4()), actor, self.journal.clock())

    async def _write_key(self, session: AsyncSession, key: KeyEdit | None, stamp: Stamp) -> None:
        if isinstance(key, SetKey):
            stored = await self.store.write(key.connection, key.origin, key.api_key, stamp)
            await session.merge(_row(key, stored, stamp))
        elif key is not None:
            row = await session.get(CredentialRow, key.connection)
            await session.delete(row)


def _key_record(key: KeyEdit | None) -> KeyRecord:
    if key is None:
        return NO_KEY
    is_set = isinstance(key, SetKey)
    return KeyRecord(key_set=key.connection) if is_set else KeyRecord(key_removed=key.connection)


def _row(key: SetKey, stored: StoredKey, stamp: Stamp) -> CredentialRow:
    return CredentialRow(
        connection=key.connection,
        origin=key.origin,
        token=stored.token,
        key_id=stored.key_id,
        last4=last4_of(key.api_key),
        vault_version=stored.vault_version,
        operation_id=stamp.operation_id,
        set_by=stamp.set_by,
        set_us=stamp.set_us,
    )
