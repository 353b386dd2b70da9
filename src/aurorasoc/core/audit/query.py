"""Query the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.core import foreign_json
from aurorasoc.core.audit.log import ACTION_LENGTH, ACTOR_LENGTH, column_form
from aurorasoc.core.database.tables import AuditRow
from aurorasoc.core.inbound.bodies import require_shallow
from aurorasoc.errors import InvalidInput

MAX_TEXT: Final = 65_536
"""Characters of an entry that are read for a page of up to 1,000."""


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


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """An entry as its columns have it.

    Attributes:
        details: Those in its text; None if that can't be read. Then it wasn't written by this
            service, whose database role may add rows of its own.
    """

    seq: int
    at_us: int
    actor: str
    action: str
    target: str
    hash: str
    details: dict[str, Any] | None


_COLUMNS: Final = (
    AuditRow.seq,
    AuditRow.at_us,
    AuditRow.actor,
    AuditRow.action,
    AuditRow.target,
    AuditRow.hash,
)
_TEXT: Final = case((func.length(AuditRow.entry) <= MAX_TEXT, AuditRow.entry))


async def find_entries(session: AsyncSession, requested: AuditFilter) -> list[FoundEntry]:
    """Return matching entries, newest first."""
    query = select(*_COLUMNS, _TEXT).order_by(AuditRow.seq.desc()).limit(requested.limit)
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
    rows = await session.execute(query)
    return [
        FoundEntry(seq, at_us, actor, action, target, hash_, _details(text))
        for seq, at_us, actor, action, target, hash_, text in rows
    ]


def _details(text: str | None) -> dict[str, Any] | None:
    """Read an entry's details; None if the text isn't one that this service writes."""
    try:
        require_shallow((text or "").encode())
        fields = foreign_json.parsed_strictly(text or "")
    except (ValueError, InvalidInput):
        return None
    details = fields.get("details") if isinstance(fields, dict) else None
    return details if isinstance(details, dict) else None


def _us(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)
