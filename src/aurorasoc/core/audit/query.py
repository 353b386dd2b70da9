"""Query the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.core.audit.log import ACTION_LENGTH, ACTOR_LENGTH, column_form
from aurorasoc.core.database.tables import AuditRow


class AuditFilter(BaseModel):
    """Which entries to return; omitted fields don't filter.

    Attributes:
        since: From this time on, RFC 3339 with an offset.
        until: Before this time.
        before: Only entries with a smaller `seq`: the next page.
    """

    model_config = ConfigDict(extra="forbid")

    actor: str | None = Field(None, max_length=255)
    action: str | None = Field(None, max_length=64, examples=["llm.config.changed"])
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    before: int | None = Field(None, ge=1, le=2**62)
    limit: int = Field(100, ge=1, le=1000)


async def find_entries(session: AsyncSession, requested: AuditFilter) -> Sequence[AuditRow]:
    """Return matching entries, newest first."""
    query = select(AuditRow).order_by(AuditRow.seq.desc()).limit(requested.limit)
    if requested.actor is not None:
        query = query.where(AuditRow.actor == column_form(requested.actor, ACTOR_LENGTH))
    if requested.action is not None:
        query = query.where(AuditRow.action == column_form(requested.action, ACTION_LENGTH))
    if requested.since is not None:
        query = query.where(AuditRow.at_us >= _us(requested.since))
    if requested.until is not None:
        query = query.where(AuditRow.at_us < _us(requested.until))
    if requested.before is not None:
        query = query.where(AuditRow.seq < requested.before)
    return (await session.scalars(query)).all()


def _us(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)
