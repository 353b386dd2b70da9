"""One change: configuration, credential, audit entry and revision commit together or not at all."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.core.audit import AuditEvent, AuditSink
from aurorasoc.core.canonical import canonical
from aurorasoc.core.clock import Clock, now_us
from aurorasoc.core.database import Database
from aurorasoc.core.secret_store import SecretStore, StoredKey, last4_of
from aurorasoc.core.tables import CredentialRow, RevisionRow
from aurorasoc.errors import AuditUnavailable, AuroraError
from aurorasoc.llm.adoption import Adoption
from aurorasoc.llm.change import Change, Plan, SetKey, plan, require_revision
from aurorasoc.llm.runtime_config import save_runtime_config


@dataclass(frozen=True, slots=True)
class Changer:
    """Makes changes, one transaction each."""

    database: Database
    adoption: Adoption
    store: SecretStore
    audit: AuditSink
    clock: Clock = now_us

    async def apply(self, change: Change, *, actor: str, if_match: int | None) -> Snapshot:
        """Make a change, and adopt it in this process before answering.

        A change that changes nothing keeps the revision and is audited all the same.

        Raises:
            RevisionMismatch: `if_match` is not the current revision.
            Conflict: The change is refused; nothing was changed.
            AuditUnavailable: The entry can't be written; nothing was changed.
            DatabaseUnavailable: Nothing was changed.
        """
        async with self.database.transaction() as session:
            planned = await self._plan(session, change, if_match)
            if isinstance(planned.edited.key, SetKey):
                await self._store_key(session, planned.edited.key, actor)
            elif planned.edited.key is not None:
                await self._forget_key(session, planned.edited.key.provider)
            await self.commit_plan(session, change, planned, actor)
        self.adoption.swap(planned.candidate)
        return planned.candidate

    async def preview(self, change: Change, *, if_match: int | None) -> Plan:
        """Think a change through; nothing is written.

        Raises:
            RevisionMismatch, Conflict, DatabaseUnavailable: As `apply` does.
        """
        async with self.database.reading() as session:
            return await self._plan(session, change, if_match)

    async def commit_plan(
        self, session: AsyncSession, change: Change, planned: Plan, actor: str
    ) -> None:
        """Write configuration, history and audit entry; the transaction's end commits them."""
        revision = planned.runtime.revision
        if planned.changed:
            await save_runtime_config(session, planned.runtime)
            session.add(
                RevisionRow(
                    revision=revision,
                    at_us=self.clock(),
                    actor=actor,
                    action=change.action,
                    target=change.target,
                    config=canonical(planned.runtime.as_json()),
                )
            )
        told: dict[str, Any] = {
            **planned.edited.details,
            "changed": planned.changed,
            "revision": revision,
        }
        await self.record(session, AuditEvent(actor, change.action, change.target, told))

    async def record(self, session: AsyncSession, event: AuditEvent) -> None:
        """Write an audit entry in the transaction of what it tells.

        Raises:
            AuditUnavailable: It can't be written, whatever the reason.
        """
        try:
            await self.audit.append(session, event)
        except AuroraError:
            raise
        except Exception:  # noqa: BLE001 - a host's own log may raise anything: same answer
            failed = True
        else:
            failed = False
        if failed:
            detail = "The audit entry can't be written, so nothing was changed. Try again later."
            raise AuditUnavailable(detail)

    async def _plan(self, session: AsyncSession, change: Change, if_match: int | None) -> Plan:
        before = await self.adoption.read(session)
        require_revision(before.runtime.revision, if_match)
        return plan(change, before, self.adoption)

    async def _store_key(self, session: AsyncSession, key: SetKey, actor: str) -> None:
        operation_id = str(uuid.uuid4())
        stored = await self.store.write(
            key.provider, key.origin, key.api_key, operation_id=operation_id
        )
        await session.merge(self._row(key, stored, operation_id, actor))

    async def _forget_key(self, session: AsyncSession, provider: str) -> None:
        row = await session.get(CredentialRow, provider)
        if row is not None:
            await session.delete(row)

    def _row(self, key: SetKey, stored: StoredKey, operation_id: str, actor: str) -> CredentialRow:
        return CredentialRow(
            provider=key.provider.value,
            origin=key.origin,
            token=stored.token,
            key_id=stored.key_id,
            last4=last4_of(key.api_key),
            vault_version=stored.vault_version,
            operation_id=operation_id,
            set_by=actor,
            set_us=self.clock(),
        )
