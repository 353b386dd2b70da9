"""What every change writes: configuration, history and audit entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.core.audit.log import AuditEvent, AuditSink
from aurorasoc.core.canonical import canonical
from aurorasoc.core.clock import Clock, now_us
from aurorasoc.core.database.tables import RevisionRow
from aurorasoc.llm.adoption.rows import save_config
from aurorasoc.llm.adoption.stored import StoredConfig
from aurorasoc.llm.changes.in_words import NO_KEY, KeyRecord


@dataclass(frozen=True, slots=True)
class Journal:
    """Writes in the transaction of the change, so that all of it commits together.

    Attributes:
        on_revision: Called with a new revision and its time before they are committed.
    """

    audit: AuditSink
    clock: Clock = now_us
    on_revision: Callable[[int, int], object] | None = None

    async def write(
        self,
        session: AsyncSession,
        event: AuditEvent,
        config: StoredConfig,
        *,
        changed: bool,
        key: KeyRecord = NO_KEY,
    ) -> None:
        """Write the audit entry, and configuration and history if they changed.

        Args:
            session: The change's transaction.
            event: Who did what.
            config: What is in force then.
            changed: Whether that, or a key, is another than before.
            key: Whose key changed, for the history.

        Raises:
            AuditUnavailable: The entry can't be written; roll the transaction back.
        """
        if changed:
            at_us = self.clock()
            if self.on_revision is not None:
                self.on_revision(config.revision, at_us)
            await save_config(session, config)
            session.add(
                RevisionRow(
                    revision=config.revision,
                    at_us=at_us,
                    actor=event.actor,
                    action=event.action.value,
                    target=event.target,
                    config=canonical({**config.as_json(), **key.as_json()}),
                )
            )
        details = {**event.details, "changed": changed, "revision": config.revision}
        await self.audit.append(session, replace(event, details=details))
