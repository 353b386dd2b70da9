"""Read revisions, and compare two of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Final

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.core.bodies import DEFERRED
from aurorasoc.core.clock import iso
from aurorasoc.core.database.tables import RevisionRow
from aurorasoc.errors import NotFound
from aurorasoc.llm.adoption.stored import StoredConfig, is_possible
from aurorasoc.llm.changes.in_words import Difference, KeyRecord, differences, summary_of

_CONFIG: Final = TypeAdapter(StoredConfig)
_KEY: Final = TypeAdapter(KeyRecord)
_LOOKED_BACK: Final = 20
"""How many earlier revisions are read to find one that can be read."""


@dataclass(frozen=True, slots=True)
class Revision:
    """Who made a revision, when, and what it changed, in words."""

    revision: int
    at: str
    actor: str
    action: str
    target: str
    summary: Annotated[list[str], Field(examples=[["vllm: model granite-soc-specialist → qwen3"]])]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Revisions, newest first. Pass `next_before` to get the next page; null means the end."""

    __pydantic_config__: ClassVar = DEFERRED

    revisions: list[Revision]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class RevisionDetail(Revision):
    """A revision and the fields it changed. Key changes are not among them."""

    __pydantic_config__: ClassVar = DEFERRED

    changes: list[Difference]


async def list_revisions(session: AsyncSession, *, before: int | None, limit: int) -> HistoryPage:
    """List revisions, newest first."""
    query = select(RevisionRow).order_by(RevisionRow.revision.desc()).limit(limit)
    if before is not None:
        query = query.where(RevisionRow.revision < before)
    rows = (await session.scalars(query)).all()
    if not rows:
        return HistoryPage([], None)
    oldest = rows[-1].revision
    earlier = await _config_before(session, oldest)
    # A thousand configurations take longer to read than the loop may be held up.
    revisions = await asyncio.to_thread(_revisions, rows, earlier)
    return HistoryPage(revisions, oldest if len(rows) == limit else None)


async def read_revision(session: AsyncSession, revision: int) -> RevisionDetail:
    """Return one revision with what it changed.

    Raises:
        NotFound: There is no such revision, or no change wrote it.
    """
    row = await _row(session, revision)
    later, earlier = _config_in(row), await _config_before(session, revision)
    changes = list(differences(earlier.as_json(), later.as_json()))
    return RevisionDetail(**asdict(_revision(row, changes, later)), changes=changes)


async def config_at(session: AsyncSession, revision: int) -> StoredConfig:
    """Return the stored configuration of a revision.

    Raises:
        NotFound: There is no such revision, or no change wrote it.
    """
    return _config_in(await _row(session, revision))


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
        _KEY.validate_json(row.config)
        if is_possible(config):
            return config
    detail = f"Revision {row.revision} holds no configuration that this version can read."
    raise NotFound(detail)


def _revisions(rows: Sequence[RevisionRow], earlier: StoredConfig) -> list[Revision]:
    """Return revisions, each compared with the one before that can be read.

    Args:
        rows: The newest first.
        earlier: What was stored before the oldest of them.
    """
    revisions: list[Revision] = []
    before = earlier.as_json()
    for row in reversed(rows):
        try:
            config = _config_in(row)
        except NotFound:
            revisions.append(_listed(row, ["no configuration that this version can read"]))
            continue
        after = config.as_json()
        revisions.append(_revision(row, list(differences(before, after)), config))
        before = after
    return revisions[::-1]


def _revision(row: RevisionRow, changes: list[Difference], config: StoredConfig) -> Revision:
    """Return a row as it is listed, with what it changed."""
    key, reason = _KEY.validate_json(row.config), config.hosted_traffic.reason
    return _listed(row, summary_of(row.action, row.target, changes, key, reason))


def _listed(row: RevisionRow, summary: list[str]) -> Revision:
    return Revision(row.revision, iso(row.at_us), row.actor, row.action, row.target, summary)
