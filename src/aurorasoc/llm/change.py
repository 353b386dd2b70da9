"""One change: configuration, credential, audit entry and revision commit together or not at all.

The candidate snapshot is composed from the rows before the commit, so that a change which
leads to a configuration that can't work is refused while nothing has happened yet.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.core.audit import AuditEvent, AuditSink
from aurorasoc.core.canonical import canonical
from aurorasoc.core.clock import Clock, now_us
from aurorasoc.core.database import Database
from aurorasoc.core.secret_store import SecretStore
from aurorasoc.core.tables import RevisionRow
from aurorasoc.errors import AuditUnavailable, AuroraError, RevisionMismatch
from aurorasoc.llm.adoption import Adoption, Stored
from aurorasoc.llm.runtime_config import RuntimeConfig, save_runtime_config


@dataclass(frozen=True, slots=True)
class Workspace:
    """What an edit works on: the session, what is stored, and who asks.

    Attributes:
        operation_id: Names this change in the secret store and in the audit log.
    """

    session: AsyncSession
    stored: Stored
    store: SecretStore
    actor: str
    operation_id: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit made of the runtime configuration.

    Attributes:
        runtime: The configuration to write.
        key_changed: Whether a credential row was written or deleted.
        details: What the audit entry says of it; never a key.
    """

    runtime: RuntimeConfig
    key_changed: bool = False
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change that someone asks for.

    Attributes:
        action: The audit entry's action, e.g. `llm.config.changed`.
        target: What it is done to.
        edit: Writes the rows it needs and gives the new configuration; may refuse.
        check: Refuses a candidate that can't work.
    """

    action: str
    target: str
    edit: Callable[[Workspace], Awaitable[Edited]]
    check: Callable[[Snapshot], None] = lambda _candidate: None


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
            candidate = await self._stage(session, change, actor, if_match)
        self.adoption.swap(candidate)
        return candidate

    async def preview(self, change: Change, *, actor: str, if_match: int | None) -> Snapshot:
        """Give the snapshot that a change would lead to, and leave no trace of it.

        Raises:
            As `apply` does.
        """
        async with self.database.transaction() as session:
            before = await self.adoption.read(session)
            require_revision(before.snapshot.revision, if_match)
            _, candidate = await self._edit(session, before, change, actor)
            await session.rollback()
        return candidate

    async def _stage(
        self, session: AsyncSession, change: Change, actor: str, if_match: int | None
    ) -> Snapshot:
        before = await self.adoption.read(session)
        require_revision(before.snapshot.revision, if_match)
        edited, candidate = await self._edit(session, before, change, actor)
        changed = candidate.revision != before.runtime.revision
        details = {
            **(edited.details or {}),
            "changed": changed,
            "revision": candidate.revision,
        }
        if changed:
            session.add(self._history(candidate.revision, edited.runtime, change, actor))
        await self._record(session, AuditEvent(actor, change.action, change.target, details))
        return candidate

    async def _edit(
        self, session: AsyncSession, before: Stored, change: Change, actor: str
    ) -> tuple[Edited, Snapshot]:
        operation_id = str(uuid.uuid4())
        work = Workspace(session, before, self.store, actor, operation_id, self.clock())
        edited = await change.edit(work)
        if edited.runtime != before.runtime or edited.key_changed:
            after = replace(edited.runtime, revision=before.runtime.revision + 1)
            await save_runtime_config(session, after)
        candidate = (await self.adoption.read(session)).snapshot
        change.check(candidate)
        return edited, candidate

    async def _record(self, session: AsyncSession, event: AuditEvent) -> None:
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

    def _history(
        self, revision: int, runtime: RuntimeConfig, change: Change, actor: str
    ) -> RevisionRow:
        return RevisionRow(
            revision=revision,
            at_us=self.clock(),
            actor=actor,
            action=change.action,
            target=change.target,
            config=canonical(replace(runtime, revision=revision).as_json()),
        )


def require_revision(current: int, if_match: int | None) -> None:
    """Hold a request to the revision it was made against (RFC 9110 §13.1.1).

    Raises:
        RevisionMismatch: It is no longer the current one.
    """
    if if_match is not None and if_match != current:
        detail = f"The configuration is at revision {current} now. Read it again, then decide."
        raise RevisionMismatch(detail)
