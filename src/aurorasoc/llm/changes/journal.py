"""What every change leaves behind: the configuration's rows, its history, its audit entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.core.audit.log import AuditEvent, AuditSink
from aurorasoc.core.canonical import canonical
from aurorasoc.core.clock import Clock, now_us
from aurorasoc.core.database.tables import RevisionRow
from aurorasoc.llm.adoption.stored import RuntimeConfig, save_runtime_config


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done, to what, by whom."""

    action: str
    target: str
    actor: str


@dataclass(frozen=True, slots=True)
class Journal:
    """Writes in the transaction of the change; the transaction's end commits all of it."""

    audit: AuditSink
    clock: Clock = now_us

    async def write(
        self,
        session: AsyncSession,
        deed: Deed,
        runtime: RuntimeConfig,
        details: Mapping[str, Any],
        *,
        changed: bool,
    ) -> None:
        """Write configuration and history if they changed, and the audit entry in any case.

        Raises:
            AuditUnavailable: The entry can't be written; nothing must be.
        """
        if changed:
            await save_runtime_config(session, runtime)
            session.add(
                RevisionRow(
                    revision=runtime.revision,
                    at_us=self.clock(),
                    actor=deed.actor,
                    action=deed.action,
                    target=deed.target,
                    config=canonical(runtime.as_json()),
                )
            )
        told = {**details, "changed": changed, "revision": runtime.revision}
        await self.record(session, deed, told)

    async def record(self, session: AsyncSession, deed: Deed, details: Mapping[str, Any]) -> None:
        """Write an audit entry.

        Raises:
            AuditUnavailable: It can't be written.
        """
        await self.audit.append(session, AuditEvent(deed.actor, deed.action, deed.target, details))
