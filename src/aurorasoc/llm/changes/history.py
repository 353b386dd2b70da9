"""Read revisions, and compare two of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.core.clock import iso
from aurorasoc.core.database.tables import RevisionRow
from aurorasoc.errors import NotFound
from aurorasoc.llm.adoption.stored import StoredConfig

_CONFIG = TypeAdapter(StoredConfig)


@dataclass(frozen=True, slots=True)
class Revision:
    """Who made a revision, and when."""

    revision: int
    at: str
    actor: str
    action: str
    target: str


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Revisions, newest first. Pass `next_before` to get the next page; null means the end."""

    revisions: list[Revision]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One changed field. Null means the boot default."""

    field: Annotated[str, Field(examples=["providers.deepseek.model"])]
    before: str | bool | None
    after: str | bool | None


@dataclass(frozen=True, slots=True)
class RevisionDetail(Revision):
    """A revision and the fields it changed. Key changes are not among them."""

    changes: list[Difference]


async def list_revisions(session: AsyncSession, *, before: int | None, limit: int) -> HistoryPage:
    """List revisions, newest first."""
    query = select(RevisionRow).order_by(RevisionRow.revision.desc()).limit(limit)
    if before is not None:
        query = query.where(RevisionRow.revision < before)
    revisions = [_revision(row) for row in await session.scalars(query)]
    more = len(revisions) == limit
    return HistoryPage(revisions, revisions[-1].revision if more else None)


async def read_revision(session: AsyncSession, revision: int) -> RevisionDetail:
    """Return one revision with what it changed.

    Raises:
        NotFound: There is no such revision.
    """
    row = await _row(session, revision)
    previous = await session.get(RevisionRow, revision - 1)
    earlier = json.loads(previous.config) if previous else StoredConfig().as_json()
    changes = list(differences(earlier, json.loads(row.config)))
    return RevisionDetail(**asdict(_revision(row)), changes=changes)


async def config_at(session: AsyncSession, revision: int) -> StoredConfig:
    """Return the stored configuration of a revision.

    Raises:
        NotFound: There is no such revision.
    """
    row = await _row(session, revision)
    return _CONFIG.validate_python(json.loads(row.config))


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], path: str = ""
) -> Iterator[Difference]:
    """Yield the fields that differ, except the revision itself."""
    for name in sorted({*before, *after} - {"revision"}):
        old, new, place = before.get(name), after.get(name), f"{path}{name}"
        if isinstance(old, dict) or isinstance(new, dict):
            yield from differences(old or {}, new or {}, f"{place}.")
        elif old != new:
            yield Difference(place, old, new)


async def _row(session: AsyncSession, revision: int) -> RevisionRow:
    row = await session.get(RevisionRow, revision)
    if row is None:
        detail = f"There is no revision {revision}. The history lists all revisions."
        raise NotFound(detail)
    return row


def _revision(row: RevisionRow) -> Revision:
    return Revision(row.revision, iso(row.at_us), row.actor, row.action, row.target)
