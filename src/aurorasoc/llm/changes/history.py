"""Read revisions, and compare two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from aurorasoc.core.clock import iso
from aurorasoc.core.database.tables import RevisionRow
from aurorasoc.errors import NotFound
from aurorasoc.llm.adoption.stored import StoredConfig, is_possible

_CONFIG = TypeAdapter(StoredConfig)
_LOOKED_BACK: Final = 20
"""How many earlier revisions are read to find one that can be read."""


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


Value = str | bool | int | float | tuple[str, ...] | None
"""A field's value; an option may be a number, and fallbacks are names in order."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One changed field. Null means the boot default."""

    field: Annotated[str, Field(examples=["providers.deepseek.model"])]
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class RevisionDetail(Revision):
    """A revision and the fields it changed. Key changes are not among them."""

    changes: list[Difference]


async def list_revisions(session: AsyncSession, *, before: int | None, limit: int) -> HistoryPage:
    """List revisions, newest first."""
    query = select(RevisionRow).order_by(RevisionRow.revision.desc()).limit(limit)
    query = query.options(defer(RevisionRow.config, raiseload=True))
    if before is not None:
        query = query.where(RevisionRow.revision < before)
    revisions = [_revision(row) for row in await session.scalars(query)]
    more = len(revisions) == limit
    return HistoryPage(revisions, revisions[-1].revision if more else None)


async def read_revision(session: AsyncSession, revision: int) -> RevisionDetail:
    """Return one revision with what it changed.

    Raises:
        NotFound: There is no such revision, or no change wrote it.
    """
    row = await _row(session, revision)
    later, earlier = _config_in(row), await _config_before(session, revision)
    changes = list(differences(earlier.as_json(), later.as_json()))
    return RevisionDetail(**asdict(_revision(row)), changes=changes)


async def config_at(session: AsyncSession, revision: int) -> StoredConfig:
    """Return the stored configuration of a revision.

    Raises:
        NotFound: There is no such revision, or no change wrote it.
    """
    return _config_in(await _row(session, revision))


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


async def _config_before(session: AsyncSession, revision: int) -> StoredConfig:
    """Return the newest earlier configuration that can be read; the boot defaults without one."""
    before = select(RevisionRow).where(RevisionRow.revision < revision)
    for row in await session.scalars(
        before.order_by(RevisionRow.revision.desc()).limit(_LOOKED_BACK)
    ):
        with suppress(NotFound):
            return _config_in(row)
    return StoredConfig()


def _config_in(row: RevisionRow) -> StoredConfig:
    """Read a row, which the database's running role may have added by itself.

    Raises:
        NotFound: It holds no configuration of this version, or one that no change can have made.
    """
    with suppress(ValidationError):
        config = _CONFIG.validate_json(row.config)
        if is_possible(config):
            return config
    detail = f"Revision {row.revision} holds no configuration that this version can read."
    raise NotFound(detail)


def _revision(row: RevisionRow) -> Revision:
    return Revision(row.revision, iso(row.at_us), row.actor, row.action, row.target)
